"""Real requests to devices that check who asks: what an honest one tells, and what a hostile one can not do."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from nvr.core.errors import CredentialsError, MessageError, NvrError, StreamError, UnsupportedError
from nvr.discovery.onvif import MAX_RESPONSE_BYTES, Contact, OnvifDevice, OnvifOptions, ask_devices
from nvr.discovery.soap import Credentials
from tests.discovery.conftest import StartCamera
from tests.servers.hostile import HostileServer, Peer, accept_and_say_nothing, bytes_for_ever, http_body, response
from tests.servers.onvif_camera import Camera, Stream

SECRET = "p@ss/wörd#1"
VIEWER = Credentials("viewer", SECRET)
STREAMS = (
    Stream("rtsp://127.0.0.1:8554/main", 3840, 2160, "H265", 20),
    Stream("rtsp://127.0.0.1:8554/sub", 640, 360),
    Stream("rtsp://127.0.0.1:8554/tiny", 320, 180),
    Stream("rtsp://127.0.0.1:8554/jpeg", 3840, 2160, "JPEG", 5),
)
PATIENT = OnvifOptions()
HASTY = OnvifOptions(request_timeout_s=0.5, device_timeout_s=1.5)


def ask(address: str, credentials: Credentials | None = VIEWER, options: OnvifOptions = PATIENT) -> OnvifDevice:
    (outcome,) = ask_devices([Contact(address, credentials)], options)
    if isinstance(outcome, NvrError):
        raise outcome
    return outcome


@pytest.mark.parametrize("proof", ["token", "digest"])
@pytest.mark.parametrize("has_media_2", [False, True])
@pytest.mark.parametrize("has_services", [False, True])
def test_a_device_tells_who_it_is_and_where_its_streams_are(
    start_camera: StartCamera, proof: str, has_media_2: bool, has_services: bool
) -> None:
    camera = start_camera(
        Camera(
            STREAMS,
            password=SECRET,
            proof="digest" if proof == "digest" else "token",
            has_media_2=has_media_2,
            has_services=has_services,
        )
    )
    device = ask(camera.address)
    assert (device.host, device.manufacturer, device.model) == ("127.0.0.1", "Acme & Sons", "Dome 4K")
    (channel,) = device.channels
    assert (channel.main.codec, channel.main.width_px, channel.main.fps) == ("hevc", 3840, 20)
    assert channel.main.uri == "rtsp://viewer:p%40ss%2Fw%C3%B6rd%231@127.0.0.1:8554/main"
    assert channel.detect is not None
    assert (channel.detect.width_px, channel.detect.shown_uri) == (640, "rtsp://***@127.0.0.1:8554/sub")
    assert SECRET not in repr(device)
    assert "p%40ss" not in repr(device)


@pytest.mark.parametrize("error_s", [-3 * 365 * 86_400, 7200, 0])
def test_a_clock_that_is_off_keeps_nobody_out(start_camera: StartCamera, error_s: float) -> None:
    camera = start_camera(Camera(STREAMS, password=SECRET, clock_error_s=error_s))
    assert ask(camera.address).clock_error_s == pytest.approx(error_s, abs=30)


def test_a_device_that_asks_nobody_for_a_password_gets_none_to_see(start_camera: StartCamera) -> None:
    camera = start_camera(Camera(STREAMS))
    (channel,) = ask(camera.address, None).channels
    assert channel.main.uri == "rtsp://127.0.0.1:8554/main"


@pytest.mark.parametrize("proof", ["token", "digest"])
def test_a_wrong_password_is_tried_once(start_camera: StartCamera, proof: str) -> None:
    camera = start_camera(Camera(STREAMS, password=SECRET, proof="digest" if proof == "digest" else "token"))
    with pytest.raises(CredentialsError, match=r"^127\.0\.0\.1 refused the user name and password$"):
        ask(camera.address, Credentials("viewer", "wrong"))
    # a digest begins with a request that only asks for the challenge
    assert camera.refusals <= (3 if proof == "digest" else 1)


def test_a_device_that_wants_a_password_says_so_to_who_has_none(start_camera: StartCamera) -> None:
    camera = start_camera(Camera(STREAMS, password=SECRET))
    with pytest.raises(CredentialsError, match="asks for a user name and a password"):
        ask(camera.address, None)


def test_a_recorder_has_a_camera_for_each_of_its_sources(start_camera: StartCamera) -> None:
    streams = [
        Stream(f"rtsp://127.0.0.1/{i}{size}", width, 360, source=f"in-{i}")
        for i in range(3)
        for size, width in (("m", 1920), ("s", 640))
    ]
    channels = ask(start_camera(Camera(streams)).address, None).channels
    assert [(each.source, each.main.uri[-2:], each.detect and each.detect.uri[-2:]) for each in channels] == [
        ("in-0", "0m", "0s"),
        ("in-1", "1m", "1s"),
        ("in-2", "2m", "2s"),
    ]


@contextmanager
def nobody_calls(host: str) -> Iterator[int]:
    """Listen on another address, and fail where somebody connects."""
    with socket.create_server((host, 0)) as listener:
        listener.settimeout(0)
        yield listener.getsockname()[1]
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_credentials_go_to_nobody_but_the_host_that_was_asked(start_camera: StartCamera) -> None:
    with nobody_calls("127.0.0.2") as port:
        stream = Stream(f"rtsp://127.0.0.1:{port}/main")
        device = ask(start_camera(Camera([stream], password=SECRET, reported_host="127.0.0.2")).address)
    assert device.channels[0].main.shown_uri == f"rtsp://***@127.0.0.1:{port}/main"


def test_a_redirect_is_not_followed() -> None:
    with nobody_calls("127.0.0.2") as port:

        def redirect(peer: Peer) -> None:
            peer.read_request()
            peer.send(
                response(
                    "307 Temporary Redirect",
                    {"Location": f"http://127.0.0.2:{port}/", "Connection": "close", "Content-Length": "0"},
                )
            )

        with HostileServer(redirect) as server, pytest.raises(StreamError, match="HTTP 307"):
            ask(f"http://127.0.0.1:{server.port}/")


def test_basic_authentication_gets_no_password() -> None:
    requests: list[str] = []

    def ask_for_basic(peer: Peer) -> None:
        requests.append(peer.read_request())
        peer.send(
            response(
                "401 Unauthorized",
                {"WWW-Authenticate": 'Basic realm="x"', "Connection": "close", "Content-Length": "0"},
            )
        )

    with HostileServer(ask_for_basic) as server, pytest.raises(CredentialsError):
        ask(f"http://127.0.0.1:{server.port}/")
    assert requests
    assert not any("authorization" in request.lower() for request in requests)


BOMB = (
    b'<!DOCTYPE a [<!ENTITY b "hahahaha">'
    + b"".join(b'<!ENTITY c%d "&b;&b;&b;&b;">' % i for i in range(9))
    + b"]><a>&c1;</a>"
)


@pytest.mark.parametrize(
    ("override", "error", "sentence"),
    [
        ({"GetProfiles": BOMB}, MessageError, "document type"),
        ({"GetProfiles": b"<a>" * 5000}, MessageError, "levels"),
        ({"GetProfiles": b" " * (MAX_RESPONSE_BYTES + 1)}, MessageError, f"more than {MAX_RESPONSE_BYTES} bytes"),
        ({"GetProfiles": b"\x1f\x8b garbage"}, MessageError, "no XML"),
        ({"GetProfiles": b"<html/>"}, MessageError, "no answer of ONVIF"),
        ({"GetServices": b"", "GetCapabilities": b""}, MessageError, "no XML"),
        ({"GetStreamUri": b"<Envelope/>"}, UnsupportedError, "tells no address of a stream"),
    ],
)
def test_what_is_no_answer_ends_in_a_sentence(
    start_camera: StartCamera, override: dict[str, bytes], error: type[NvrError], sentence: str
) -> None:
    camera = start_camera(Camera(STREAMS, password=SECRET, overrides=override))
    with pytest.raises(error, match=sentence) as caught:
        ask(camera.address)
    assert str(caught.value).startswith("127.0.0.1 ")
    assert SECRET not in str(caught.value)


def drip(peer: Peer) -> None:
    """Send a byte now and then, for ever."""
    peer.read_request()
    peer.drip(iter(lambda: b"H", b""))


def flood(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
    for piece in bytes_for_ever():
        peer.send(piece)


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (accept_and_say_nothing, StreamError),
        (drip, StreamError),
        (flood, MessageError),
        (http_body(b"<html>a web page</html>"), MessageError),
        (lambda peer: peer.reset(), StreamError),
        (lambda peer: peer.send(b"RTSP/1.0 200 OK\r\n\r\n"), StreamError),
    ],
)
def test_a_server_that_is_no_camera_is_left_in_time(script: Callable[[Peer], None], error: type[NvrError]) -> None:
    with HostileServer(script) as server, pytest.raises(error) as caught:
        ask(f"http://127.0.0.1:{server.port}/", options=HASTY)
    assert str(caught.value).startswith("127.0.0.1 ")


@pytest.mark.parametrize(
    "challenge",
    ['Digest realm="x", nonce="n", algorithm=ROT13', 'Digest realm="x", nonce="n", qop="auth-int"', "Digest"],
)
def test_an_unknown_digest_ends_in_a_sentence(challenge: str) -> None:
    refuse = {"WWW-Authenticate": challenge, "Connection": "close", "Content-Length": "0"}

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(response("401 Unauthorized", refuse))

    with HostileServer(script) as server, pytest.raises((UnsupportedError, StreamError, CredentialsError)):
        ask(f"http://127.0.0.1:{server.port}/")


def test_a_machine_that_is_off_is_told() -> None:
    with pytest.raises(StreamError, match=r"127\.0\.0\.1 cannot be reached at http://127\.0\.0\.1:1/"):
        ask("http://127.0.0.1:1/")


def test_a_slow_device_delays_no_other(start_camera: StartCamera) -> None:
    is_over = threading.Event()

    def wait() -> bytes:
        is_over.wait(30)
        return b""

    slow = start_camera(Camera(STREAMS, overrides={"GetProfiles": wait}))
    quick = [start_camera(Camera(STREAMS)) for _ in range(3)]
    contacts = [Contact(camera.address) for camera in (slow, *quick)]
    outcomes = ask_devices(contacts, OnvifOptions(request_timeout_s=3, device_timeout_s=3))
    is_over.set()
    assert isinstance(outcomes[0], StreamError)
    assert all(isinstance(outcome, OnvifDevice) for outcome in outcomes[1:])


def test_nobody_to_ask_is_no_work() -> None:
    assert ask_devices([]) == ()
