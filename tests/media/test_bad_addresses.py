"""Addresses that are none, that hide something, or that reach for what no camera has."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.core.errors import ConfigurationError, NvrError, StreamError, UnsupportedError
from nvr.media.source import MAX_SHOWN, SourceOptions, display_name, open_source
from tests.servers.hostile import HostileServer, Peer, response

OPTIONS = SourceOptions("tcp", open_timeout_s=0.5, read_timeout_s=0.5)


def refusal(address: str) -> NvrError:
    with pytest.raises(NvrError) as caught:
        open_source(address, OPTIONS)
    message = str(caught.value)
    assert message.isprintable(), "one line, and no control characters"
    assert "hunter2" not in message
    assert len(message) < MAX_SHOWN + 300
    return caught.value


@pytest.mark.parametrize(
    "address",
    [
        "rtsp://host/1\r\nX-Evil: 1",
        "http://host/a\x00b",
        "file:///videos/a%00b.mp4",
        "file:///videos/a%0Ab.mp4",
        "/videos/a\x00b.mp4",
        "/videos/a\x1b[31m.mp4",
    ],
)
def test_a_control_character_is_in_no_address(address: str) -> None:
    error = refusal(address)
    assert isinstance(error, ConfigurationError)
    assert "holds a control character" in str(error)


@pytest.mark.parametrize(
    "scheme",
    [
        *("file", "FILE", "concat", "concatf", "subfile,,start,0,end,9,,", "crypto", "data", "pipe", "fd", "unix"),
        *("async", "cache", "md5", "tee", "gopher", "sftp", "hls+file", "ipfs", "lavfi", "sdp"),
    ],
)
def test_no_protocol_leads_to_a_file_that_was_not_named(scheme: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("hunter2")
    error = refusal(f"{scheme}://{secret}")
    assert isinstance(error, UnsupportedError | StreamError | ConfigurationError)
    assert list(tmp_path.iterdir()) == [secret], "and none writes one"


@pytest.mark.parametrize(
    "address", ["concat:/etc/hosts|/etc/hosts", "data:,x", "pipe:0", "fd:0", "subfile,,:/etc/hosts"]
)
def test_a_protocol_without_slashes_is_a_file_name(address: str) -> None:
    error = refusal(address)
    assert isinstance(error, ConfigurationError)
    assert str(error) == f"{address} does not exist"


@pytest.mark.parametrize(
    "address",
    [
        *("", " ", "rtsp://", "http://", "rtsp:///", "rtsp://[::1", "http://[bad]/", "rtsp://host:99999/1"),
        *("v4l2://", "v4l2:///etc/hosts", "/dev/video/../../etc/hosts", "/dev/video9999", "rtsp://%zz@:/"),
        *(
            "/videos/\udcff.mp4",
            "http://127.0.0.1:1/\ud800",
            "file://../../etc/hosts",
            "http://127.0.0.1:1/" + "a" * 99_999,
        ),
        *("rtsp://u:hunter2/x@127.0.0.1:1/a", "rtsp://u:hunter2#x@127.0.0.1:1/a", "rtsp://u:hunter2@y@127.0.0.1:1/a"),
        "rtsp://u:" + "hunter2" * 1000 + "@127.0.0.1:1/a",
        "rtsp://127.0.0.1:1/user=admin_password=hunter2_channel=1",
    ],
)
def test_an_odd_address_ends_in_a_sentence(address: str) -> None:
    refusal(address)


def test_the_scheme_may_be_written_large_and_the_path_is_escaped_on_its_way() -> None:
    requests = []

    def script(peer: Peer) -> None:
        requests.append(peer.read_request())
        peer.send(response("404 Not Found", {"Content-Length": "0"}))

    with HostileServer(script) as server:
        error = refusal(f"HTTP://us%40er:hunter2@127.0.0.1:{server.port}/a b/é?q=ü")
    assert "is not known to its server (404)" in str(error)
    assert requests[0].startswith("GET /a%20b/%C3%A9?q=%C3%BC HTTP/1.1\r\n")


@given(st.text(max_size=500), st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=50))
def test_a_name_for_people_is_short_printable_and_without_the_password(path: str, host: str) -> None:
    shown = display_name(f"rtsp://user:hunter2@{host}/{path}")
    assert len(shown) <= MAX_SHOWN
    assert "hunter2" not in shown
    assert all(sign >= " " and sign != "\x7f" for sign in shown)
    shown.encode()
