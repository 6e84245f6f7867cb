import socket
from pathlib import Path

import pytest

from nvr.core.errors import ConfigurationError, NvrError, StreamError, UnsupportedError
from nvr.media.source import SourceOptions, open_source

OPTIONS = SourceOptions("tcp", open_timeout_s=2, read_timeout_s=2)


@pytest.mark.parametrize(
    ("uri", "error", "sentence"),
    [
        ("rtsp://u:hunter2@127.0.0.1:1/a", StreamError, "refuses the connection"),
        ("rtsp://u:hunter2@nosuchhost.invalid/a", StreamError, "cannot be reached: is the host name right?"),
        ("foo://u:hunter2@127.0.0.1/a", UnsupportedError, "protocol"),
        ("rtmps://u:hunter2@127.0.0.1:1/a", NvrError, ""),
        ("ftp://u:hunter2@127.0.0.1:1/a", NvrError, ""),
        ("/no/such/hunter.mp4", ConfigurationError, "does not exist"),
    ],
)
def test_each_failure_is_a_sentence_without_the_password(uri: str, error: type[NvrError], sentence: str) -> None:
    with pytest.raises(error) as caught:
        open_source(uri, OPTIONS)
    assert sentence in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_garbage_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "garbage.mp4"
    path.write_bytes(bytes(range(256)) * 64)
    with pytest.raises(StreamError, match="sends what is no video"):
        open_source(str(path), OPTIONS)


def test_a_server_that_never_answers_is_given_up() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        with pytest.raises(StreamError):
            open_source(f"rtsp://127.0.0.1:{mute.getsockname()[1]}/1", OPTIONS)
