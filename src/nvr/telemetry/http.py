"""The endpoint for Prometheus and for whoever asks whether the process lives: /metrics, /healthz, /readyz.

A scraper gets one answer per connection. Whoever asks for nothing, slowly or endlessly, is cut off: by a deadline, and
earlier where others want in.
"""

import gzip
import ipaddress
import logging
import socket
import socketserver
import threading
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.client import HTTPMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol

from prometheus_client.exposition import gzip_accepted

from nvr.config.operations import MetricsConfig
from nvr.core.clock import Clock, SystemClock
from nvr.core.errors import ConfigurationError
from nvr.core.throttle import ThrottledLog
from nvr.telemetry.prometheus import Page

logger = logging.getLogger(__name__)

MAX_CONNECTIONS = 16
"""One more cuts off the oldest."""

REQUEST_TIMEOUT_S = 5.0
"""All that a connection may take, whatever it sends."""

_LOOK_S = 0.25
_TEXT = "text/plain; charset=utf-8"


class Renders(Protocol):
    """What metrics come from: `nvr.telemetry.prometheus.Exporter` is one."""

    def render(self, accept: str = "") -> Page:
        """Return all metrics in the format that an Accept header wants."""
        ...


WhyNotReady = Callable[[], str | None]
"""Says in a few words why the process cannot do its work yet; None where it can. Must not wait."""


class MetricsServer:
    """Serves the endpoint from a thread of its own; `start` binds the port, so that a taken one is told at once."""

    def __init__(
        self,
        config: MetricsConfig,
        exporter: Renders,
        *,
        why_not_ready: WhyNotReady = lambda: None,
        request_timeout_s: float = REQUEST_TIMEOUT_S,
        clock: Clock | None = None,
    ) -> None:
        """Prepare the server.

        Args:
            config: Where to listen; its `http_port` is given, 0 takes any free one.
            exporter: Asked for each page, in the request's thread.
            why_not_ready: Asked for /readyz.
            request_timeout_s: A connection is cut off after so long.
            clock: For deadlines and reports.
        """
        self._config = config
        self._exporter = exporter
        self._why_not_ready = why_not_ready
        self._request_timeout_s = request_timeout_s
        self._clock = clock or SystemClock()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port it listens on, once it has been started."""
        return (self._config.http_port or 0) if self._server is None else self._server.port

    @property
    def url(self) -> str:
        """Where the metrics are, once it has been started."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._config.http_host, self._config.http_host)  # noqa: S104
        return f"http://[{host}]:{self.port}/metrics" if ":" in host else f"http://{host}:{self.port}/metrics"

    def start(self) -> None:
        """Bind the port and serve in the background.

        Raises:
            ConfigurationError: The address is unknown or not of this machine, the port taken or not allowed.
        """
        config = self._config
        server = _open(config.http_host, config.http_port or 0, self._answer, self._request_timeout_s, self._clock)
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(_LOOK_S,), name="metrics-http", daemon=True)
        self._thread.start()
        logger.info("metrics at %s", self.url)

    def stop(self, timeout_s: float = 1.0) -> bool:
        """Close the port, cut off who is connected, end the thread; False where it still works after `timeout_s`."""
        if self._server is None or self._thread is None:
            return True
        ender = threading.Thread(target=self._server.shutdown, name="metrics-http-stop", daemon=True)
        ender.start()
        self._thread.join(timeout_s)
        self._server.server_close()
        self._server.cut_off_all()
        return not self._thread.is_alive()

    def _answer(self, path: str, accept: str) -> tuple[HTTPStatus, Page]:
        if path == "/metrics":
            return HTTPStatus.OK, self._exporter.render(accept)
        if path == "/healthz":
            return HTTPStatus.OK, Page(b"ok\n", _TEXT)
        if path == "/readyz":
            reason = self._why_not_ready()
            if reason is None:
                return HTTPStatus.OK, Page(b"ok\n", _TEXT)
            return HTTPStatus.SERVICE_UNAVAILABLE, Page(f"{reason}\n".encode(), _TEXT)
        return HTTPStatus.NOT_FOUND, Page(b"there are /metrics, /healthz and /readyz\n", _TEXT)


_Answer = Callable[[str, str], tuple[HTTPStatus, Page]]


class _Server(ThreadingHTTPServer):
    """Bounded in connections and in the time of each."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(
        self, family: int, address: tuple[str, int], *, host: str, answer: _Answer, timeout_s: float, clock: Clock
    ) -> None:
        self.address_family = family  # of the class in socketserver, and read by its constructor
        self.answer = answer
        self.trouble = ThrottledLog(logger, clock=clock)
        self._host = host
        self._timeout_s = timeout_s
        self._clock = clock
        self._lock = threading.Lock()
        self._since_s: dict[socket.socket, float] = {}
        super().__init__(address, _Handler)

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def server_bind(self) -> None:
        """Bind without asking a name server what this machine is called, as http.server does."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self._host, self.port

    def answers_to(self, host: str) -> bool:
        """Tell whether a request may name such a host.

        Private figures are not for web pages in a visitor's browser, which could point a name of their own to
        127.0.0.1 (DNS rebinding).
        """
        if not ipaddress.ip_address(self.socket.getsockname()[0]).is_loopback:
            return True
        name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
        return name.strip("[]").lower() in {"", "localhost", "127.0.0.1", "::1", self._host.lower()}

    def process_request(self, request: "socket.socket | tuple[bytes, socket.socket]", client_address: object) -> None:
        """Answer in a thread, and make room if it is one too many."""
        assert isinstance(request, socket.socket)  # noqa: S101 - of a TCP server
        with self._lock:
            oldest = next(iter(self._since_s)) if len(self._since_s) >= MAX_CONNECTIONS else None
            if oldest is not None:
                self._forget(oldest)
            self._since_s[request] = self._clock.monotonic()
        threading.Thread(
            target=self.process_request_thread, args=(request, client_address), name="metrics-request", daemon=True
        ).start()

    def shutdown_request(self, request: "socket.socket | tuple[bytes, socket.socket]") -> None:
        """Close a connection that was answered."""
        with self._lock:
            if isinstance(request, socket.socket):
                self._since_s.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Cut off who takes too long; called by the serving thread several times a second."""
        late_s = self._clock.monotonic() - self._timeout_s
        with self._lock:
            for request in [request for request, since_s in self._since_s.items() if since_s <= late_s]:
                self._forget(request)

    def cut_off_all(self) -> None:
        """Cut off who is still connected."""
        with self._lock:
            for request in list(self._since_s):
                self._forget(request)

    def _forget(self, request: socket.socket) -> None:
        self._since_s.pop(request, None)
        with suppress(OSError):  # it is gone already
            request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, _request: object, _client_address: object) -> None:
        """Say nothing: a peer that hangs up or was cut off is no news."""


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    server: _Server
    timeout = REQUEST_TIMEOUT_S

    def setup(self) -> None:
        """Begin; without headers where the first line is nonsense already."""
        super().setup()
        self.headers = HTTPMessage()

    def version_string(self) -> str:
        """Name the server, without the version of Python."""
        return "nvr"

    def do_GET(self) -> None:
        """Answer with a page."""
        self._answer(has_content=True)

    def do_HEAD(self) -> None:
        """Answer with the head of a page."""
        self._answer(has_content=False)

    def _answer(self, *, has_content: bool) -> None:
        if not self.server.answers_to(self.headers.get("Host", "")):
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return
        try:
            status, page = self.server.answer(self.path.partition("?")[0], self.headers.get("Accept", ""))
        except Exception as error:  # noqa: BLE001 - the supervisor of what is gathered: the next scrape may succeed
            self.server.trouble.report(f"metrics cannot be gathered: {error!r}", error)
            status, page = HTTPStatus.INTERNAL_SERVER_ERROR, Page(b"metrics cannot be gathered, see the log\n", _TEXT)
        self._send(status, page, has_content=has_content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse a request, without repeating what it said."""
        del message, explain
        status = HTTPStatus(code)
        self._send(status, Page(f"{status.value} {status.phrase}\n".encode(), _TEXT), has_content=True)

    def _send(self, status: HTTPStatus, page: Page, *, has_content: bool) -> None:
        content = page.content
        self.send_response(status)
        if len(content) > 1000 and gzip_accepted(self.headers.get("Accept-Encoding", "")):
            content = gzip.compress(content, compresslevel=1)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Type", page.content_type)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Connection", "close")
        self.end_headers()
        if has_content:
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server calls it
        """Keep what peers ask for out of the log, but for who debugs."""
        logger.debug("endpoint: %s", format % args)


def _open(host: str, port: int, answer: _Answer, timeout_s: float, clock: Clock) -> _Server:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError as error:
        raise ConfigurationError(f"metrics: cannot listen on {host}: {error.strerror or error}") from error
    except ValueError as error:  # a name that no resolver is asked about, such as a..b
        raise ConfigurationError(f"metrics: {host!r} is neither an address nor a host name") from error
    try:
        return _Server(family, (str(address[0]), port), host=host, answer=answer, timeout_s=timeout_s, clock=clock)
    except OSError as error:
        raise ConfigurationError(
            f"metrics: cannot listen on port {port} of {host} ({error.strerror}): choose another http_port, "
            "0 for any free one"
        ) from error
