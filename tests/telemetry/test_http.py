"""The endpoint over real sockets: what it answers, and that whoever misbehaves harms nobody."""

import gzip
import http.client
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from nvr.config.operations import MetricsConfig
from nvr.core.clock import ManualClock
from nvr.core.errors import ConfigurationError, StorageError
from nvr.telemetry.http import MAX_CONNECTIONS, MetricsServer
from nvr.telemetry.points import processor_points
from nvr.telemetry.prometheus import Exporter, Page
from tests.telemetry.sample import instance, samples_of, value_of
from tests.waiting import wait_until

TIMEOUT_S = 30.0
ANY_PORT = MetricsConfig(http_port=0)

Make = Callable[..., MetricsServer]


def exporter() -> Exporter:
    return Exporter(lambda: processor_points(instance()), instance_id=lambda: "p")


@pytest.fixture
def make() -> Iterator[Make]:
    servers: list[MetricsServer] = []

    def start(config: MetricsConfig = ANY_PORT, **options: object) -> MetricsServer:
        server = MetricsServer(config, options.pop("exporter", exporter()), **options)  # type: ignore[arg-type]  # of tests
        server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        assert server.stop(10)


def ask(server: MetricsServer, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_S)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response.status, response.read(), {key.lower(): value for key, value in response.getheaders()}
    finally:
        connection.close()


def raw(server: MetricsServer, sent: bytes) -> bytes:
    """Send bytes as they are, and return all that comes back until the server hangs up."""
    with socket.create_connection(("127.0.0.1", server.port), TIMEOUT_S) as connection:
        connection.sendall(sent)
        received = b""
        try:
            while more := connection.recv(65_536):
                received += more
        except ConnectionResetError:
            pass
        return received


def test_metrics_are_had_at_their_path(make: Make) -> None:
    status, content, headers = ask(make(), "/metrics")
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    assert value_of(samples_of(content), "nvr_camera_up", camera="Front door") == 1


def test_a_query_makes_no_difference_and_the_head_has_no_content(make: Make) -> None:
    server = make()
    assert ask(server, "/metrics?name[]=nvr_camera_up")[0] == 200
    status, content, headers = ask(server, "/metrics", "HEAD")
    assert (status, content) == (200, b"")
    assert int(headers["content-length"]) > 1000


def test_a_scraper_that_takes_gzip_gets_it(make: Make) -> None:
    status, content, headers = ask(make(), "/metrics", Accept_Encoding="gzip")
    assert (status, headers["content-encoding"]) == (200, "gzip")
    assert b"nvr_camera_up" in gzip.decompress(content)


def test_the_process_lives_and_is_ready_once_nothing_is_missing(make: Make) -> None:
    reasons: list[str | None] = ["the broker is not connected", None]
    server = make(why_not_ready=lambda: reasons.pop(0))
    assert ask(server, "/healthz")[:2] == (200, b"ok\n")
    assert ask(server, "/readyz")[:2] == (503, b"the broker is not connected\n")
    assert ask(server, "/readyz")[:2] == (200, b"ok\n")


@pytest.mark.parametrize("path", ["/", "/metrics/", "/../metrics", "/metrics%00", "/favicon.ico"])
def test_there_is_nothing_else(make: Make, path: str) -> None:
    assert ask(make(), path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_can_be_done_there(make: Make, method: str) -> None:
    assert ask(make(), "/metrics", method)[0] == 501


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400 "),
        (b"GET /metrics HTTP/9.9\r\n\r\n", b"505 "),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", b"414 "),
        (b"GET /metrics HTTP/1.1\r\n" + b"X-A: b\r\n" * 200 + b"\r\n", b"431 "),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", b"431 "),
        (b"GET <script>alert(1)</script> x y HTTP/1.1\r\n\r\n", b"400 "),
    ],
    ids=["tls", "version", "long path", "many headers", "long header", "four words"],
)
def test_nonsense_is_refused_and_not_repeated(make: Make, sent: bytes, expected: bytes) -> None:
    server = make()
    answer = raw(server, sent)
    assert answer == b"" or expected in answer, "the kernel may drop the answer where more was sent than was read"
    assert b"script" not in answer
    assert ask(server, "/healthz")[0] == 200


def test_who_sends_bit_by_bit_or_nothing_is_cut_off_in_time(make: Make) -> None:
    clock = ManualClock()
    server = make(request_timeout_s=5.0, clock=clock)
    with (
        socket.create_connection(("127.0.0.1", server.port), TIMEOUT_S) as slow,
        socket.create_connection(("127.0.0.1", server.port), TIMEOUT_S) as mute,
    ):
        slow.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-")
        wait_until(lambda: ask(server, "/healthz")[0] == 200, "others are served meanwhile")
        clock.advance(6.0)
        assert slow.recv(1) == b""
        assert mute.recv(1) == b""


def test_a_crowd_of_idle_connections_keeps_no_scraper_out(make: Make) -> None:
    server = make()
    idle = [socket.create_connection(("127.0.0.1", server.port), TIMEOUT_S) for _ in range(3 * MAX_CONNECTIONS)]
    try:
        assert ask(server, "/metrics")[0] == 200
        assert threading.active_count() <= 3 * MAX_CONNECTIONS
        assert idle[0].recv(1) == b"", "the oldest made room"
    finally:
        for connection in idle:
            connection.close()


class Broken:
    """Fails at first, as where something is missing that comes later."""

    def __init__(self) -> None:
        self.left = 1

    def render(self, accept: str = "") -> Page:
        del accept
        if self.left:
            self.left -= 1
            raise StorageError("rtsp://user:secret@192.0.2.1 is gone")
        return Page(b"a 1\n", "text/plain")


def test_figures_that_cannot_be_had_are_an_error_of_this_scrape_only(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    server = make(exporter=Broken())
    status, content, _ = ask(server, "/metrics")
    assert status == 500
    assert b"secret" not in content
    assert "metrics cannot be gathered" in caplog.text
    assert ask(server, "/metrics")[:2] == (200, b"a 1\n")


def test_a_web_page_cannot_read_private_figures_by_a_name_of_its_own(make: Make) -> None:
    server = make()
    assert ask(server, "/metrics", Host="evil.example")[0] == 421
    assert ask(server, "/metrics", Host=f"evil.example:{server.port}")[0] == 421
    for name in ("localhost", f"localhost:{server.port}", "127.0.0.1:1", "[::1]:80", "LOCALHOST"):
        assert ask(server, "/metrics", Host=name)[0] == 200, name


def test_a_public_endpoint_answers_to_any_name(make: Make) -> None:
    server = make(MetricsConfig(http_host="0.0.0.0", http_port=0))
    assert server.url == f"http://127.0.0.1:{server.port}/metrics"
    assert ask(server, "/metrics", Host="nvr.example")[0] == 200


def test_a_port_that_is_taken_is_told_with_its_number(make: Make) -> None:
    port = make().port
    with pytest.raises(ConfigurationError, match=f"cannot listen on port {port} of 127.0.0.1"):
        make(MetricsConfig(http_port=port))


@pytest.mark.parametrize("host", ["192.0.2.1", "a..b", "no.such.host.invalid"])
def test_an_address_that_is_not_ours_is_told(make: Make, host: str) -> None:
    with pytest.raises(ConfigurationError, match="metrics: "):
        make(MetricsConfig(http_host=host, http_port=0))


def test_the_port_is_free_again_and_no_thread_stays(make: Make) -> None:
    server = make()
    port = server.port
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as idle:
        assert ask(server, "/healthz")[0] == 200
        assert server.stop(10)
        assert idle.recv(1) == b""
    wait_until(
        lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("metrics-")], "all ended"
    )
    assert make(MetricsConfig(http_port=port)).port == port


def test_one_that_never_started_stops_at_once() -> None:
    assert MetricsServer(ANY_PORT, exporter()).stop(0)
