"""The listening side: accepts connections up to a limit, can go away and come back on its port."""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from nvr.core.clock import Clock
from nvr.demo.rtsp.camera import Camera
from nvr.demo.rtsp.connection import Connection, Limits, Site
from nvr.demo.rtsp.digest import Credentials, DigestAlgorithm
from nvr.demo.rtsp.message import Response
from nvr.demo.rtsp.sink import UdpPorts

logger = logging.getLogger(__name__)


def stream_path(index: int) -> str:
    """Return the path of a camera."""
    return f"/live/{index}.stream"


class RtspServer:
    """Serves cameras on one port; all methods belong to one event loop."""

    def __init__(
        self,
        cameras: Sequence[Camera],
        clock: Clock,
        credentials: Credentials | None = None,
        algorithm: DigestAlgorithm = "MD5",
        limits: Limits | None = None,
    ) -> None:
        self._cameras: Mapping[str, Camera] = {stream_path(camera.index): camera for camera in cameras}
        self._clock = clock
        self._credentials = credentials
        self._algorithm = algorithm
        self._limits = limits or Limits()
        self._site: Site | None = None
        self._listener: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], Connection] = {}
        self._host = ""
        self.port = 0
        """The port it listens on, once opened."""

    @property
    def is_listening(self) -> bool:
        """Whether clients can connect."""
        return self._listener is not None

    async def open(self, host: str, port: int) -> None:
        """Listen; port 0 takes a free one. OSError where the address cannot be had."""
        self._host, self.port = host, port
        await self.resume()
        try:
            udp = await UdpPorts.open(host)
        except BaseException:
            self.pause()
            raise
        self._site = Site(self._cameras, self._credentials, self._algorithm, udp, self._limits, self._clock)

    def pause(self) -> None:
        """Close the port and cut all connections."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for connection in tuple(self._connections.values()):
            connection.abort()

    async def resume(self) -> None:
        """Listen again on the same port after `pause`."""
        if self._listener is None:
            self._listener = await asyncio.start_server(self._accept, self._host, self.port)
            self.port = self._listener.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Close the port and end all connections."""
        self.pause()
        tasks = tuple(self._connections)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._site is not None:
            self._site.udp.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._site is None or len(self._connections) >= self._limits.max_connections:
            writer.write(Response(503).to_bytes(None))
            writer.close()
            return
        connection = Connection(self._site, reader, writer)
        task = asyncio.get_running_loop().create_task(connection.run(), name="rtsp-connection")
        self._connections[task] = connection
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._connections.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a connection ended by a fault of the server", exc_info=error)
