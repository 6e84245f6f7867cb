"""The routes of the wall's page."""

import ipaddress
import re
import secrets
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Executor
from contextlib import aclosing
from importlib import resources

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from nvr.wall.jpeg_hub import JpegHub
from nvr.wall.metrics import wall_exporter
from nvr.wall.page import state_json, tile_page, wall_page
from nvr.wall.video_wall import VideoWall

MAX_PAGE_FPS = 15.0
BOUNDARY = "nvr-frame"
STREAM_TYPE = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
_STREAM_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
_STATIC = {"wall.css": "text/css; charset=utf-8", "wall.js": "text/javascript; charset=utf-8"}
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self' 'unsafe-inline'; "
    "script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class MjpegResponse(StreamingResponse):
    """JPEGs as multipart/x-mixed-replace; each is sent when the client has taken those before it."""

    def __init__(self, jpegs: AsyncGenerator[bytes, None], on_end: Callable[[], None]) -> None:
        """Answer with `jpegs`; `on_end` is called once, however the answer ends."""
        super().__init__(jpegs, headers=_HEADERS, media_type=STREAM_TYPE)
        self._jpegs = jpegs
        self._on_end = on_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._on_end()

    async def stream_response(self, send: Send) -> None:
        """Send the parts one by one and let go of the stream however that ends."""
        async with aclosing(self._jpegs) as jpegs:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async for jpeg in jpegs:
                await send({"type": "http.response.body", "body": mjpeg_part(jpeg), "more_body": True})
        await send({"type": "http.response.body", "body": b"--%b--\r\n" % BOUNDARY.encode(), "more_body": False})


def mjpeg_part(jpeg: bytes) -> bytes:
    """Return one part of the stream, its boundary first."""
    head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
    return head.encode() + jpeg + b"\r\n"


class WallRoutes:
    """Answers requests about one wall; lives in one event loop."""

    def __init__(self, wall: VideoWall, encoder: Executor, *, max_streams: int) -> None:
        self._wall = wall
        self._encoder = encoder
        self._max_streams = max_streams
        self._interval_s = 1 / min(wall.config.display_fps, MAX_PAGE_FPS)
        self._hubs: dict[int | None, JpegHub] = {}
        self._old_hubs: list[JpegHub] = []
        self._streams: list[str] = []
        self._exporter = wall_exporter(wall, lambda: self.n_streams)

    def routes(self) -> list[Route]:
        """Return what is answered."""
        return [
            Route("/", self._index),
            Route("/wall.mjpeg", self._stream),
            Route("/wall.jpg", self._snapshot),
            Route("/tile/{source_id:int}", self._tile),
            Route("/tile/{source_id:int}.mjpeg", self._stream),
            Route("/tile/{source_id:int}.jpg", self._snapshot),
            Route("/api/state.json", self._state),
            Route("/metrics", self._metrics),
            Route("/static/{name}", self._static),
        ]

    @property
    def n_streams(self) -> int:
        """How many streams are being answered."""
        return len(self._streams)

    async def close(self) -> None:
        """End all streams."""
        for hub in (*self._hubs.values(), *self._old_hubs):
            await hub.close()

    def hub(self, source_id: int | None) -> JpegHub:
        """Return the stream of the grid or of one camera, which must exist."""
        view, known = self._wall.view(source_id), self._hubs.get(source_id)
        if known is None or known.view is not view:  # another camera may have got the number of one that is gone
            self._old_hubs = [hub for hub in (*self._old_hubs, known) if hub is not None and hub.n_clients]
            self._hubs[source_id] = JpegHub(view, self._encoder, min_interval_s=self._interval_s)
        return self._hubs[source_id]

    async def _index(self, _request: Request) -> Response:
        page = wall_page(self._wall.state(), self._wall.view().layout, secrets.token_hex(8))
        return HTMLResponse(page, headers=_HEADERS)

    async def _tile(self, request: Request) -> Response:
        source_id = self._camera_of(request)
        state = self._wall.state()
        camera = next(camera for camera in state.cameras if camera.source_id == source_id)
        page = tile_page(state, self._wall.view(source_id).layout, camera, secrets.token_hex(8))
        return HTMLResponse(page, headers=_HEADERS)

    async def _stream(self, request: Request) -> Response:
        hub = self.hub(self._camera_of(request))
        if request.method == "HEAD":
            return _head_of_stream()
        # no await between the look at the count and the reservation: requests that arrive together count each other
        if self.n_streams >= self._max_streams:
            return PlainTextResponse(f"{self._max_streams} streams are being watched already\n", 503, headers=_HEADERS)
        given = request.query_params.get("id", "")
        stream_id = given if _STREAM_ID.fullmatch(given) else ""
        self._streams.append(stream_id)
        return MjpegResponse(hub.pictures(), lambda: self._streams.remove(stream_id))

    async def _snapshot(self, request: Request) -> Response:
        jpeg = await self.hub(self._camera_of(request)).snapshot()
        return Response(jpeg, headers=_HEADERS, media_type="image/jpeg")

    async def _state(self, _request: Request) -> Response:
        streams = [stream_id for stream_id in self._streams if stream_id]
        return JSONResponse(state_json(self._wall.state(), streams), headers=_HEADERS)

    async def _metrics(self, request: Request) -> Response:
        page = self._exporter.render(request.headers.get("accept", ""))
        return Response(page.content, headers=_HEADERS | {"Content-Type": page.content_type})

    async def _static(self, request: Request) -> Response:
        name = str(request.path_params["name"])
        if name not in _STATIC:
            raise HTTPException(404)
        content = resources.files("nvr.wall").joinpath("static", name).read_bytes()
        return Response(content, headers=_HEADERS | {"Content-Type": _STATIC[name]})

    def _camera_of(self, request: Request) -> int | None:
        value = request.path_params.get("source_id")
        if value is None:
            return None
        source_id = int(value)
        if source_id not in self._wall.source_ids:
            raise HTTPException(404, f"the wall has no camera {source_id}")
        return source_id


def _head_of_stream() -> Response:
    head = Response(headers=_HEADERS, media_type=STREAM_TYPE)
    del head.headers["content-length"]
    return head


def build_app(routes: WallRoutes, host: str, *, is_private: bool) -> Starlette:
    """Return the application; one that is reached from this machine only also answers to its names only.

    Otherwise any web page could, by a name of its own that it points to 127.0.0.1, read the pictures from the
    visitor's browser (DNS rebinding).

    Args:
        routes: What it answers.
        host: The name under which it was told to listen, one more that it answers to.
        is_private: Whether it listens on an address of this machine only.
    """
    middleware = []
    if is_private:
        names = ["localhost", "127.0.0.1", "::1", "[::1]", host]
        middleware.append(Middleware(TrustedHostMiddleware, allowed_hosts=names, www_redirect=False))
    return Starlette(routes=routes.routes(), middleware=middleware)


def is_loopback(address: str) -> bool:
    """Say whether a bound address, such as `getsockname` tells it, is reached from this machine only."""
    ip = ipaddress.ip_address(address)
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip).is_loopback
