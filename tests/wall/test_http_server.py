import asyncio
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import cv2
import httpx
import numpy as np
import pytest

from nvr.core.clock import SystemClock
from nvr.core.errors import ConfigurationError, TransientError
from nvr.media import StreamState
from nvr.media.pixels import Picture
from nvr.wall import VideoWall, VideoWallConfig
from nvr.wall.http_app import is_loopback
from nvr.wall.http_server import WallServer, page_url
from nvr.wall.video_wall import WallState
from tests.telemetry.sample import samples_of, value_of
from tests.waiting import wait_until
from tests.wall.conftest import MakeWall
from tests.wall.fakes import FakeCamera, PlainFrame, unused_port

TIMEOUT_S = 40.0
Served = tuple[WallServer, VideoWall, list[FakeCamera]]


@pytest.fixture
def served(make_wall: MakeWall) -> Iterator[Served]:
    wall, sources = make_wall(3, stale_after_seconds=600, tile_width=320, tile_height=180)
    for source in sources[:2]:
        source.show(luma=100)
    sources[2].last_error = "<script>alert(1)</script> is no camera"
    wall.start()
    server = WallServer(wall)
    server.start()
    yield server, wall, sources
    server.stop()


@pytest.fixture
def client(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served[0].url, timeout=TIMEOUT_S, trust_env=False) as client:
        yield client


def decoded(jpeg: bytes) -> Picture:
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(picture, np.uint8)


class MjpegReader:
    """Takes a multipart stream apart as a browser does. Keep it: httpx hangs up when its iterator is collected."""

    def __init__(self, response: httpx.Response) -> None:
        assert response.headers["content-type"].startswith("multipart/x-mixed-replace")
        self._boundary = b"--" + response.headers["content-type"].partition("boundary=")[2].encode()
        self._chunks = response.iter_raw()
        self._buffer = b""

    def next_part(self) -> bytes:
        """Return the next JPEG; StopIteration at the end of the stream."""
        while (head := re.search(rb"Content-Length: (\d+)\r\n\r\n", self._buffer)) is None or len(
            self._buffer
        ) < head.end() + int(head[1]):
            self._buffer += next(self._chunks)
        assert self._buffer.lstrip().startswith(self._boundary)
        jpeg = self._buffer[head.end() : head.end() + int(head[1])]
        self._buffer = self._buffer[head.end() + int(head[1]) :]
        return jpeg

    def remaining_parts(self) -> Iterator[bytes]:
        """Yield the JPEGs up to the end of the stream."""
        while True:
            try:
                yield self.next_part()
            except StopIteration:
                return


def keep_changing(sources: list[FakeCamera], ended: threading.Event) -> None:
    luma = 30
    while not ended.wait(0.02):
        luma = 30 + (luma + 7) % 190
        sources[0].show(luma=luma)


@pytest.fixture
def lively(served: Served) -> Iterator[None]:
    """The first camera shows a new picture again and again."""
    ended = threading.Event()
    thread = threading.Thread(target=keep_changing, args=(served[2], ended), name="lively-camera")
    thread.start()
    yield
    ended.set()
    thread.join(30)


def test_the_page_lists_every_camera_with_its_state_and_links_each_tile(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert re.findall(r'data-state="(\w+)"', page.text) == ["live", "live", "connecting"]
    assert re.findall(r'href="/tile/(\d)" aria-label="Enlarge Camera \d"', page.text) == ["0", "1", "2"]
    assert '<img src="/wall.mjpeg?id=' in page.text
    assert 'alt="Video wall of 3 cameras"' in page.text


def test_what_a_camera_says_cannot_become_markup(client: httpx.Client) -> None:
    page = client.get("/").text
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page


def test_the_page_finds_its_style_and_script_and_nothing_else_is_served(client: httpx.Client) -> None:
    page = client.get("/")
    for path in re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text):
        assert client.get(path).status_code == 200
    assert client.get("/static/../http_app.py").status_code == 404
    assert client.get("/static/page.py").status_code == 404
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


def test_prometheus_reads_the_page_as_any_other_target(client: httpx.Client) -> None:
    client.get("/wall.jpg")
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = samples_of(answer.content)
    assert value_of(samples, "nvr_wall_cameras", state="live") == 2
    assert value_of(samples, "nvr_wall_streams") == 0
    assert value_of(samples, "target_info", service_name="nvr") == 1


@pytest.mark.parametrize("path", ["/", "/wall.jpg", "/api/state.json", "/metrics", "/static/wall.js"])
def test_no_other_site_may_embed_what_is_served(client: httpx.Client, path: str) -> None:
    assert client.get(path).headers["cross-origin-resource-policy"] == "same-origin"


def test_one_jpeg_per_request_is_the_picture_of_now(client: httpx.Client, served: Served) -> None:
    _, wall, sources = served
    answer = client.get("/wall.jpg")
    assert answer.headers["content-type"] == "image/jpeg"
    assert decoded(answer.content).shape == wall.compose().shape
    sources[0].show(luma=230)
    assert decoded(client.get("/tile/0.jpg").content)[400, 640].min() > 215
    assert decoded(client.get("/tile/1.jpg").content)[400, 640].max() < 120


def test_a_tile_has_a_page_of_its_own(client: httpx.Client) -> None:
    page = client.get("/tile/1").text
    assert '<img src="/tile/1.mjpeg?id=' in page
    assert 'aria-label="Back to all cameras"' in page


@pytest.mark.parametrize("path", ["/tile/7", "/tile/7.jpg", "/tile/7.mjpeg", "/tile/-1.jpg", "/tile/x.jpg", "/nothing"])
def test_an_unknown_camera_or_path_is_a_404(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_the_state_is_told_as_json(client: httpx.Client) -> None:
    state = client.get("/api/state.json").json()
    assert state["summary"].startswith("2 of 3 cameras live")
    assert state["broker_connected"] is False
    first = state["cameras"][0]
    assert (first["source_id"], first["state"], first["frame_width"], first["uri"]) == (
        0,
        "live",
        320,
        "rtsp://***@camera.example/live",
    )


@pytest.mark.usefixtures("lively")
@pytest.mark.parametrize("path", ["/wall.mjpeg", "/tile/0.mjpeg"])
def test_the_stream_is_made_of_jpegs_that_change(client: httpx.Client, path: str) -> None:
    with client.stream("GET", path) as response:
        reader = MjpegReader(response)
        greys = {int(decoded(reader.next_part())[90, 160, 0]) for _ in range(6)}
    assert len(greys) >= 4


def test_a_slow_client_delays_no_other_and_gets_the_newest_picture_later(
    make_wall: MakeWall, request: pytest.FixtureRequest
) -> None:
    # noise, so that a JPEG is larger than all that the sockets hold and the slow client really holds up its own stream
    wall, sources = make_wall(1, stale_after_seconds=600, tile_width=1920, tile_height=1080, display_fps=60)
    sources[0].frame = NoisyFrame(0, sources[0].clock.monotonic(), luma=20)
    sources[0].state = StreamState.RUNNING
    wall.start()
    server = WallServer(wall)
    request.addfinalizer(server.stop)
    server.start()
    with socket.socket() as slow, httpx.Client(base_url=server.url, timeout=TIMEOUT_S, trust_env=False) as client:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(TIMEOUT_S)
        slow.connect(("127.0.0.1", server.port))
        slow.sendall(b"GET /wall.mjpeg HTTP/1.0\r\nHost: localhost\r\n\r\n")
        received = slow.recv(2000)
        with client.stream("GET", "/wall.mjpeg") as quick:
            reader = MjpegReader(quick)
            greys = [mean_grey(reader.next_part())]
            for step in range(1, 25):
                sources[0].frame = NoisyFrame(step, sources[0].clock.monotonic(), luma=20 + 8 * step)
                # each step is 8 x 255 / 219 = 9 grey levels, for video luma goes from 16 to 235
                while (grey := mean_grey(reader.next_part())) < greys[-1] + 5:
                    pass
                greys.append(grey)
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
        parts: list[float] = []
        while not parts or parts[-1] < greys[-1] - 4:
            chunk = slow.recv(1 << 20)
            assert chunk, f"the stream ended after pictures of {parts}"
            received = take_parts(received + chunk, parts)
        # first what the kernel held for it (about 4 MB), then the newest: not all that was shown in between
        assert parts[0] < greys[1]
        assert len(parts) <= len(greys) - 8


@dataclass(frozen=True, eq=False)
class NoisyFrame(PlainFrame):
    """Noise around a grey level; hardly compresses."""

    width: int = 1920
    height: int = 1080

    def planes(self) -> tuple[Picture, Picture, Picture] | None:
        noise = np.random.default_rng(self.frame_id).integers(0, 40, (self.height, self.width), np.uint8)
        chroma = np.full((self.height // 2, self.width // 2), 128, np.uint8)
        return (noise + np.uint8(self.luma - 20 if self.luma > 20 else 0)).astype(np.uint8), chroma, chroma


def mean_grey(jpeg: bytes) -> float:
    """Return the grey level of the lower half, which no header covers."""
    return float(decoded(jpeg)[540:].mean())


def take_parts(received: bytes, greys: list[float]) -> bytes:
    """Move the whole JPEGs of a stream to the list as their grey levels; return what is left."""
    while (head := re.search(rb"Content-Length: (\d+)\r\n\r\n", received)) is not None:
        end = head.end() + int(head[1])
        if len(received) < end:
            break
        greys.append(mean_grey(received[head.end() : end]))
        received = received[end:]
    return received


def test_nothing_is_encoded_and_the_view_is_not_watched_when_the_last_client_has_left(
    client: httpx.Client, served: Served
) -> None:
    _, wall, sources = served
    with client.stream("GET", "/wall.mjpeg") as response:
        reader = MjpegReader(response)
        assert decoded(reader.next_part()).shape == wall.compose().shape
        assert wall.view().is_watched
    wait_until(lambda: not wall.view().is_watched, "the view is no longer watched")
    sources[0].show(luma=222)
    with client.stream("GET", "/wall.mjpeg") as response:
        # the first picture of the new visit is that of now, not the one at which the last client left
        assert decoded(MjpegReader(response).next_part())[120, 160, 0] > 200


def test_more_streams_than_allowed_are_refused_and_a_place_becomes_free_again(make_wall: MakeWall) -> None:
    wall, sources = make_wall(1)
    sources[0].show()
    wall.start()
    server = WallServer(wall, max_streams=1)
    server.start()
    with httpx.Client(base_url=server.url, timeout=TIMEOUT_S, trust_env=False) as client:
        with client.stream("GET", "/wall.mjpeg") as first:
            reader = MjpegReader(first)
            reader.next_part()
            refused = client.get("/tile/0.mjpeg")
            assert (refused.status_code, refused.text) == (503, "1 streams are being watched already\n")

        def is_admitted() -> bool:
            with client.stream("GET", "/tile/0.mjpeg") as second:
                return second.status_code == 200

        wait_until(is_admitted, "a place becomes free")
    server.stop()


def test_of_many_streams_asked_for_at_once_no_more_than_allowed_are_admitted(make_wall: MakeWall) -> None:
    wall, sources = make_wall(1)
    sources[0].show()
    wall.start()
    server = WallServer(wall, max_streams=4)
    server.start()
    asked = [socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_S) for _ in range(40)]
    for connection in asked:
        connection.sendall(b"GET /wall.mjpeg HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answers = [connection.recv(12) for connection in asked]
    for connection in asked:
        connection.close()
    server.stop()
    assert answers.count(b"HTTP/1.1 200") == 4
    assert answers.count(b"HTTP/1.1 503") == 36


@pytest.mark.parametrize("path", ["/wall.mjpeg", "/tile/0.mjpeg"])
def test_the_head_of_a_stream_is_told_without_starting_one(client: httpx.Client, served: Served, path: str) -> None:
    head = client.head(path)
    assert head.status_code == 200
    assert head.headers["content-type"].startswith("multipart/x-mixed-replace")
    assert "content-length" not in head.headers
    assert client.get("/api/state.json").json()["streams"] == []
    assert not served[1].view().is_watched


def test_the_state_names_the_streams_that_are_being_sent(client: httpx.Client) -> None:
    def streams() -> list[str]:
        return list(client.get("/api/state.json").json()["streams"])

    assert streams() == []
    with client.stream("GET", "/wall.mjpeg?id=first") as wall, client.stream("GET", "/tile/1.mjpeg?id=2-nd_") as tile:
        readers = [MjpegReader(wall), MjpegReader(tile)]
        assert all(reader.next_part() for reader in readers)
        assert streams() == ["first", "2-nd_"]
    wait_until(lambda: streams() == [], "no stream is named any more")


@pytest.mark.parametrize("name", ["", "%3Cscript%3E", "x" * 41, "a%0Ab"])
def test_a_stream_with_a_strange_name_is_sent_but_not_named(client: httpx.Client, name: str) -> None:
    with client.stream("GET", f"/wall.mjpeg?id={name}") as response:
        reader = MjpegReader(response)
        assert decoded(reader.next_part()).size
        assert client.get("/api/state.json").json()["streams"] == []


def test_each_page_asks_for_a_stream_of_its_own(client: httpx.Client) -> None:
    ids = {re.findall(r"mjpeg\?id=(\w+)", client.get("/").text)[0] for _ in range(3)}
    assert len(ids) == 3


@pytest.mark.parametrize("host", ["127.1", "127.0.0.5", "localhost", "2130706433"])
def test_whatever_its_name_an_address_of_this_machine_only_is_private(make_wall: MakeWall, host: str) -> None:
    server = WallServer(make_wall(1)[0], host=host)
    server.start()
    try:
        assert server.is_private
        assert httpx.get(f"http://{host}:{server.port}/", trust_env=False, timeout=TIMEOUT_S).status_code == 200
        rebound = httpx.get(server.url, headers={"Host": "rebound.example"}, trust_env=False, timeout=TIMEOUT_S)
        assert rebound.status_code == 400
    finally:
        server.stop()


@pytest.mark.parametrize("host", ["0.0.0.0", "0"])
def test_a_page_for_the_network_is_not_private(make_wall: MakeWall, host: str) -> None:
    server = WallServer(make_wall(1)[0], host=host)
    server.start()
    try:
        assert not server.is_private
        assert server.url == f"http://127.0.0.1:{server.port}/"
    finally:
        server.stop()


@pytest.mark.parametrize("host", ["a..b", "x" * 64, "nul\x00"])
def test_a_host_that_is_no_name_is_told_in_one_sentence(make_wall: MakeWall, host: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot listen on"):
        WallServer(make_wall(1)[0], host=host).start()


def test_a_server_that_ends_unasked_tells_it(caplog: pytest.LogCaptureFixture) -> None:
    class Deadly(VideoWall):
        def state(self) -> WallState:
            for task in asyncio.all_tasks():
                if task.get_name() == "wall-http":
                    task.cancel()
            return super().state()

    clock = SystemClock()
    config = VideoWallConfig(
        mqtt_host="127.0.0.1", mqtt_port=unused_port(), stream_uris=("rtsp://camera.example/live",)
    )
    wall = Deadly(config, make_source=lambda camera: FakeCamera(camera.source_id, clock), clock=clock)
    failed = threading.Event()
    server = WallServer(wall, on_failed=failed.set)
    server.start()
    with suppress(httpx.HTTPError):  # the answer may or may not get out
        httpx.get(f"{server.url}api/state.json", trust_env=False, timeout=TIMEOUT_S)
    assert failed.wait(TIMEOUT_S)
    assert isinstance(server.error, TransientError)
    assert re.fullmatch(r"the wall's page http://127\.0\.0\.1:\d+/ has failed: .*ended unasked.*", str(server.error))
    assert "the wall's page has failed" in caplog.text
    server.stop()
    wall.stop()


def test_a_server_that_was_stopped_has_no_error(served: Served) -> None:
    served[0].stop()
    served[0].stop()
    assert served[0].error is None


def test_a_page_of_this_machine_only_answers_to_its_own_names_only(client: httpx.Client) -> None:
    assert client.get("/", headers={"Host": "localhost:1"}).status_code == 200
    assert client.get("/", headers={"Host": "[::1]:80"}).status_code == 200
    assert client.get("/", headers={"Host": "rebound.example"}).status_code == 400


def test_stopping_ends_open_streams_cleanly(served: Served) -> None:
    server = served[0]
    with httpx.stream("GET", f"{server.url}wall.mjpeg", timeout=TIMEOUT_S, trust_env=False) as response:
        reader = MjpegReader(response)
        reader.next_part()
        server.stop()
        assert all(part.startswith(b"\xff\xd8") for part in reader.remaining_parts())
    assert not [t for t in threading.enumerate() if t.name.startswith(("wall-http", "wall-jpeg"))]


def test_a_client_that_takes_nothing_does_not_hold_the_stop(served: Served) -> None:
    server, _, sources = served
    ended = threading.Event()
    changing = threading.Thread(target=keep_changing, args=(sources, ended), name="lively-camera")
    changing.start()
    with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_S) as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        stuck.sendall(b"GET /wall.mjpeg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert stuck.recv(100)
        server.stop()
        ended.set()
        changing.join(30)
        wait_until(lambda: "wall-http" not in [t.name for t in threading.enumerate()], "the server's thread ends")


def test_a_client_that_takes_nothing_is_dropped_without_a_word(
    make_wall: MakeWall, caplog: pytest.LogCaptureFixture
) -> None:
    wall, sources = make_wall(1)
    wall.start()
    server = WallServer(wall, stall_timeout_s=1)
    server.start()
    ended = threading.Event()
    changing = threading.Thread(target=keep_changing, args=(sources, ended), name="lively-camera")
    changing.start()
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_S) as stuck:
            stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            stuck.sendall(b"GET /wall.mjpeg HTTP/1.1\r\nHost: localhost\r\n\r\n")
            wait_until(lambda: wall.view().is_watched, "the stream has begun")
            wait_until(lambda: not wall.view().is_watched, "the stream has been ended")
    finally:
        ended.set()
        changing.join(30)
        server.stop()
    assert not [record for record in caplog.records if record.name.startswith("uvicorn")]


def test_a_taken_port_is_told_in_one_sentence(served: Served) -> None:
    with pytest.raises(ConfigurationError, match=rf"cannot listen on port {served[0].port} of 127.0.0.1 \(.*choose"):
        WallServer(served[1], port=served[0].port).start()


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.7"])
def test_an_address_that_is_not_ours_is_refused(served: Served, host: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot listen on"):
        WallServer(served[1], host=host).start()


@pytest.mark.parametrize(
    ("host", "address", "url", "is_private"),
    [
        ("127.0.0.1", "127.0.0.1", "http://127.0.0.1:80/", True),
        ("0.0.0.0", "0.0.0.0", "http://127.0.0.1:80/", False),
        ("::1", "::1", "http://[::1]:80/", True),
        ("::", "::", "http://[::1]:80/", False),
        ("camera-server", "192.0.2.7", "http://camera-server:80/", False),
        ("camera-server", "127.0.1.1", "http://camera-server:80/", True),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1", "http://[::ffff:127.0.0.1]:80/", True),
        ("fe80::1%eth0", "fe80::1%eth0", "http://[fe80::1%eth0]:80/", False),
    ],
)
def test_the_bound_address_decides_what_the_page_is_called(
    host: str, address: str, url: str, *, is_private: bool
) -> None:
    assert (page_url(host, address, 80), is_loopback(address)) == (url, is_private)


@pytest.mark.parametrize(("module", "missing"), [("http_server", "uvicorn"), ("window", "pygame")])
def test_a_missing_extra_is_one_sentence_with_the_remedy(module: str, missing: str) -> None:
    script = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from nvr.core.errors import UnsupportedError\n"
        f"try:\n    import nvr.wall.{module}\n"
        "except UnsupportedError as error:\n    print(error)\n"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert missing in answer.stdout
    assert "pip install 'nvr-multiplexer[wall]'" in answer.stdout
