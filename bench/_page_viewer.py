"""Somebody who watches the wall's page, as fast as it comes or over a line that is too slow for it."""

import http.client
import threading

CHUNK_BYTES = 32_768
SLOW_PAUSE_S = 0.25
"""128 kB/s, where the wall would send some 1 MB/s."""


class PageViewer:
    """Reads the MJPEG stream of a wall, pausing after each chunk, and asks again when it ends."""

    def __init__(self, host: str, port: int, pause_s: float) -> None:
        self._address = (host, port)
        self._pause_s = pause_s
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="page-viewer", daemon=True)
        self.n_bytes = 0
        self.n_connections = 0
        """Requests that were answered with a stream."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._is_stopping.set()
        self._thread.join(5)

    def _run(self) -> None:
        while not self._is_stopping.is_set():
            connection = http.client.HTTPConnection(*self._address, timeout=5)
            try:
                connection.request("GET", "/wall.mjpeg")
                self._read(connection.getresponse())
            except (OSError, http.client.HTTPException):
                self._is_stopping.wait(1)  # the wall is not up yet, or let go of us
            finally:
                connection.close()

    def _read(self, response: http.client.HTTPResponse) -> None:
        if response.status != http.client.OK:
            raise http.client.HTTPException(f"status {response.status}")
        self.n_connections += 1
        while chunk := response.read1(CHUNK_BYTES):
            self.n_bytes += len(chunk)
            if self._is_stopping.wait(self._pause_s):
                return
