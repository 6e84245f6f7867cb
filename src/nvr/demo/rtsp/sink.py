"""The two ways of media to a client: within its RTSP connection, and as datagrams."""

import asyncio
import struct
from collections.abc import Callable, Sequence

from nvr.core.errors import TransientError

_INTERLEAVED = struct.Struct("!BBH")
_MARK = ord("$")
_PAIR_TRIES = 50

Address = tuple[str, int]


class InterleavedSink:
    """Writes into the RTSP connection; what the client does not read piles up in the transport and is counted."""

    def __init__(self, transport: asyncio.WriteTransport, rtp_channel: int, rtcp_channel: int) -> None:
        self._transport = transport
        self._rtp_channel = rtp_channel
        self._rtcp_channel = rtcp_channel

    def send_rtp(self, packets: Sequence[bytes]) -> None:
        """Send the packets of one frame in one write."""
        pieces: list[bytes] = []
        for packet in packets:
            pieces += (_INTERLEAVED.pack(_MARK, self._rtp_channel, len(packet)), packet)
        self._write(b"".join(pieces))

    def send_rtcp(self, packet: bytes) -> None:
        """Send one RTCP packet."""
        self._write(_INTERLEAVED.pack(_MARK, self._rtcp_channel, len(packet)) + packet)

    def backlog_bytes(self) -> int:
        """Return how much waits to be sent."""
        return self._transport.get_write_buffer_size()

    def abort(self) -> None:
        """Cut the connection; what waits is lost."""
        self._transport.abort()

    def _write(self, data: bytes) -> None:
        if data and not self._transport.is_closing():
            self._transport.write(data)


class UdpPorts:
    """The server's RTP and RTCP ports: an even one and the next, shared by all clients."""

    def __init__(self, rtp: asyncio.DatagramTransport, rtcp: asyncio.DatagramTransport, listeners: "Listeners") -> None:
        self.rtp = rtp
        self.rtcp = rtcp
        self.listeners = listeners
        """By a client's RTCP address: called when it sends a receiver report."""

    @property
    def numbers(self) -> tuple[int, int]:
        """Return both port numbers."""
        return self.rtp.get_extra_info("sockname")[1], self.rtcp.get_extra_info("sockname")[1]

    @classmethod
    async def open(cls, host: str) -> "UdpPorts":
        """Bind a free pair; TransientError where none was found."""
        loop = asyncio.get_running_loop()
        listeners: Listeners = {}
        for _ in range(_PAIR_TRIES):
            rtp, _ = await loop.create_datagram_endpoint(lambda: _Inbox({}), local_addr=(host, 0))
            port = rtp.get_extra_info("sockname")[1]
            if port % 2 == 0 and port < 65535:
                try:
                    rtcp, _ = await loop.create_datagram_endpoint(
                        lambda: _Inbox(listeners), local_addr=(host, port + 1)
                    )
                except OSError:
                    rtp.close()
                    continue
                return cls(rtp, rtcp, listeners)
            rtp.close()
        raise TransientError(f"{host}: no free pair of UDP ports after {_PAIR_TRIES} tries")

    def close(self) -> None:
        """Close both ports."""
        self.rtp.close()
        self.rtcp.close()


Listeners = dict[Address, Callable[[], None]]


class _Inbox(asyncio.DatagramProtocol):
    """Takes what clients send: reports show that they live, their content is not used; refusals are no news."""

    def __init__(self, listeners: Listeners) -> None:
        self._listeners = listeners

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        listener = self._listeners.get((str(addr[0]), int(addr[1])))
        if listener is not None and data:
            listener()


class UdpSink:
    """Sends datagrams to one client."""

    def __init__(self, ports: UdpPorts, connection: asyncio.WriteTransport, rtp: Address, rtcp: Address) -> None:
        self._ports = ports
        self._connection = connection
        self._rtp = rtp
        self._rtcp = rtcp

    def send_rtp(self, packets: Sequence[bytes]) -> None:
        """Send the packets of one frame."""
        for packet in packets:
            self._ports.rtp.sendto(packet, self._rtp)

    def send_rtcp(self, packet: bytes) -> None:
        """Send one RTCP packet."""
        self._ports.rtcp.sendto(packet, self._rtcp)

    def backlog_bytes(self) -> int:
        """Return 0: datagrams wait for nobody."""
        return 0

    def abort(self) -> None:
        """Cut the RTSP connection that the session belongs to."""
        self._connection.abort()
