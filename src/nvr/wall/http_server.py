"""Serves the wall's page from a thread of its own."""

import asyncio
import logging
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from nvr.core.clock import Clock, SystemClock
from nvr.core.errors import ConfigurationError, TransientError, UnsupportedError
from nvr.wall.video_wall import VideoWall

try:
    import uvicorn

    from nvr.wall.http_app import WallRoutes, build_app, is_loopback
    from nvr.wall.http_guard import ConnectionLimits, GuardedProtocol, guarded
except ModuleNotFoundError as missing:
    raise UnsupportedError(
        f"the wall's page needs {missing.name}, which is not installed: pip install 'nvr-multiplexer[wall]'"
    ) from missing

logger = logging.getLogger(__name__)

STOP_TIMEOUT_S = 1.5
STALL_TIMEOUT_S = 10.0
"""A client that takes no byte for so long is dropped."""
SEND_BUFFER_BYTES = 131_072
"""What a client may leave untaken, twice that on Linux. It would let megabytes pile up: half a minute of old pictures
for a slow client, which would seem to have stalled, as room is told only when a third of them is gone."""
GOODBYE_S = 0.3
"""How long streams may take to end by themselves before they are cut off."""


class WallServer:
    """The page of one wall. `start` binds the port, so that a taken one is told at once."""

    def __init__(
        self,
        wall: VideoWall,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        max_streams: int = 64,
        stall_timeout_s: float = STALL_TIMEOUT_S,
        limits: ConnectionLimits | None = None,
        on_failed: Callable[[], None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Prepare the server.

        Args:
            wall: Started and stopped by its owner.
            host: Address to listen on.
            port: 0 takes any free one.
            max_streams: MJPEG streams at a time; one more is refused with 503.
            stall_timeout_s: A client that takes no byte for so long is dropped.
            limits: Of its connections.
            on_failed: Called in the server's thread if it ends unasked; `error` then says why.
            clock: For the deadline of `stop`.
        """
        self._wall = wall
        self._stall_timeout_s = stall_timeout_s
        self._host = host
        self._port = port
        self._max_streams = max_streams
        self._limits = limits or ConnectionLimits()
        self._on_failed = on_failed
        self._clock = clock or SystemClock()
        self._address = ""
        self._error: TransientError | None = None
        self._is_serving = threading.Event()
        self._is_stop_asked = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_asked: asyncio.Event | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port it listens on, once it has been started."""
        return self._port

    @property
    def url(self) -> str:
        """Where to look, once it has been started."""
        return page_url(self._host, self._address, self._port)

    @property
    def is_private(self) -> bool:
        """Whether it is reached from this machine only, once it has been started."""
        return bool(self._address) and is_loopback(self._address)

    @property
    def error(self) -> TransientError | None:
        """Why it ended, if it did so unasked."""
        return self._error

    def start(self) -> None:
        """Bind the port and serve in the background.

        Raises:
            ConfigurationError: The address is unknown or the port taken.
        """
        listener = bind(self._host, self._port)
        _bound_what_waits(listener, self._stall_timeout_s)
        self._address, self._port = listener.getsockname()[:2]
        self._thread = threading.Thread(target=self._run, args=(listener,), name="wall-http", daemon=True)
        self._thread.start()

    def request_stop(self) -> None:
        """Ask it to end all streams and its thread, without waiting."""
        self._is_stop_asked.set()
        if self._is_serving.is_set() and self._loop is not None and self._stop_asked is not None:
            with suppress(RuntimeError):  # the loop has ended already
                self._loop.call_soon_threadsafe(self._stop_asked.set)

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """End all streams and the thread, within `timeout_s` in all."""
        if self._thread is None:
            return
        deadline_s = self._clock.monotonic() + timeout_s
        self.request_stop()
        self._thread.join(max(0.0, deadline_s - self._clock.monotonic()))

    def _run(self, listener: socket.socket) -> None:
        try:
            with listener, ThreadPoolExecutor(1, thread_name_prefix="wall-jpeg") as encoder:
                asyncio.run(self._serve(listener, encoder))
        except (Exception, SystemExit) as error:  # the thread's supervisor: an end that nobody asked for is noticed
            logger.exception("the wall's page has failed")
            self._error = TransientError(f"the wall's page {self.url} has failed: {error.__cause__ or error!r}")
            if self._on_failed is not None:
                self._on_failed()

    async def _serve(self, listener: socket.socket, encoder: ThreadPoolExecutor) -> None:
        self._loop, self._stop_asked = asyncio.get_running_loop(), asyncio.Event()
        self._is_serving.set()
        if self._is_stop_asked.is_set():  # asked before there was a loop to tell
            return
        routes = WallRoutes(self._wall, encoder, max_streams=self._max_streams)
        server = uvicorn.Server(
            uvicorn.Config(
                build_app(routes, self._host, is_private=self.is_private),
                http=guarded(self._limits),
                log_config=None,
                log_level=logging.WARNING,
                access_log=False,
                lifespan="off",
                ws="none",
                timeout_graceful_shutdown=1,
                server_header=False,
            )
        )
        serving = asyncio.create_task(server.serve(sockets=[listener]), name="wall-http")
        asked = asyncio.create_task(self._stop_asked.wait(), name="wall-http-stop")
        await asyncio.wait({serving, asked}, return_when=asyncio.FIRST_COMPLETED)
        await routes.close()
        if not asked.done():
            asked.cancel()
            await _hang_up(server)
            raise RuntimeError("it ended unasked") from (None if serving.cancelled() else serving.exception())
        await _wait_for_goodbyes(routes)
        server.should_exit = server.force_exit = True
        await serving


async def _hang_up(server: uvicorn.Server) -> None:
    for connection in list(server.server_state.connections):
        if isinstance(connection, GuardedProtocol):
            connection.cut_off()
    await asyncio.sleep(0)  # the loop closes the sockets in its next round


async def _wait_for_goodbyes(routes: WallRoutes) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(GOODBYE_S):
            while routes.n_streams:  # noqa: ASYNC110 - every stream ends by itself, an event per stream would tell no more
                await asyncio.sleep(0.02)


def _bound_what_waits(listener: socket.socket, stall_timeout_s: float) -> None:
    """Set on the listener what every connection inherits."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    # the kernel ends a stalled connection itself; to close it would wait for the client to take what was sent
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(stall_timeout_s * 1000))


def page_url(host: str, address: str, port: int) -> str:
    """Return where to look on a page that was told to listen on `host` and is bound to `address`."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, host)  # noqa: S104 - not a bind
    return f"http://[{shown}]:{port}/" if ":" in shown else f"http://{shown}:{port}/"


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises:
        ConfigurationError: The address is unknown or not of this machine, the port taken or not allowed.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {host}: {error.strerror or error}") from error
    except ValueError as error:  # a name that no resolver is asked about, such as a..b
        raise ConfigurationError(f"cannot listen on {host!r}: it is neither an address nor a host name") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"cannot listen on port {port} of {host} ({error.strerror}): choose another port, or 0 for any free one"
        ) from error
    return listener
