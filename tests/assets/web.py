"""A real HTTP server on a free port that serves one file and misbehaves as told."""

import contextlib
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_BLOCK_BYTES = 1 << 16


@dataclass
class Site:
    """What the server does; every request looks here anew, so a test may change it in between."""

    data: bytes
    cut_after: list[int] = field(default_factory=list)
    """Bytes after which the connection ends, one per request; a request that finds none left is served whole."""
    has_ranges: bool = True
    etag: str | None = '"v1"'
    statuses: list[int] = field(default_factory=list)
    """Statuses to answer with before serving at all."""
    redirect: str | None = None
    is_endless: bool = False
    has_length: bool = True
    pause_s: float = 0.0
    """Between two blocks."""
    requests: list[dict[str, str]] = field(default_factory=list)
    """The headers of each request, names in lower case."""
    stall: threading.Event = field(default_factory=threading.Event)
    """Set at the end of the test; a server that is to hang waits for it."""
    stalls_after: int | None = None
    block_bytes: int = _BLOCK_BYTES
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        site: Site = self.server.site  # type: ignore[attr-defined] # set by `serve`
        site.requests.append({name.lower(): value for name, value in self.headers.items()})
        if site.statuses:
            self._status(site.statuses.pop(0))
        elif site.redirect is not None:
            self.send_response(302)
            self.send_header("Location", site.redirect)
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self._serve(site)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        pass

    def _status(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _serve(self, site: Site) -> None:
        begin = 0
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        is_same = self.headers.get("If-Range") in {None, site.etag}
        if wanted and site.has_ranges and is_same:
            begin = int(wanted[1])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {begin}-{len(site.data) - 1}/{len(site.data)}")
        else:
            self.send_response(200)
        if site.etag:
            self.send_header("ETag", site.etag)
        if site.has_length and not site.is_endless:
            self.send_header("Content-Length", str(len(site.data) - begin))
        self.send_header("Connection", "close")
        self.close_connection = True
        self.end_headers()
        self._body(site, begin)

    def _body(self, site: Site, begin: int) -> None:
        end = site.cut_after.pop(0) if site.cut_after else len(site.data)
        if site.is_endless:
            while not site.stall.is_set():
                self.wfile.write(bytes(_BLOCK_BYTES))
        for start in range(begin, end, site.block_bytes):
            if site.stalls_after is not None and start >= site.stalls_after:
                site.stall.wait(60)
                return
            self.wfile.write(site.data[start : min(start + site.block_bytes, end)])
            self.wfile.flush()
            if site.pause_s:
                time.sleep(site.pause_s)


@contextlib.contextmanager
def serve(data: bytes) -> Iterator[Site]:
    """Serve `data` on the loopback interface until the block ends."""
    site = Site(data)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.site = site  # type: ignore[attr-defined] # read by _Handler
    site.url = f"http://127.0.0.1:{server.server_address[1]}/file.onnx"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="test-web")
    thread.start()
    try:
        yield site
    finally:
        site.stall.set()
        server.shutdown()
        server.server_close()
        thread.join()
