"""The two ways of media to a client: within its RTSP connection, and as datagrams."""

import asyncio
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from nvr.core.errors import TransientError

_INTERLEAVED = struct.Struct("!BBH")
_MARK = ord("$")
_PAIR_TRIES = 50

Address = tuple[str, int]
Listeners = dict[Address, Callable[[], None]]

MAX_DATAGRAM_BACKLOG_BYTES = 1 << 20
"""What may wait in this process while the kernel takes no datagrams, of all clients together; more is lost."""


@dataclass(frozen=True, slots=True)
class AddressPair:
    """Where a client over UDP takes its media and its reports."""

    rtp: Address
    rtcp: Address

    @property
    def both(self) -> frozenset[Address]:
        """Return the two as a set."""
        return frozenset((self.rtp, self.rtcp))


class DatagramPort(Protocol):
    """What is used of asyncio's datagram transport; typeshed does not tell that it counts what waits."""

    def sendto(self, data: bytes, addr: Address) -> None:
        """Send, or keep while the kernel takes none."""
        ...

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait."""
        ...

    def get_extra_info(self, name: str) -> Any:  # noqa: ANN401 - as asyncio has it
        """Return what asyncio knows of the socket."""
        ...

    def close(self) -> None:
        """Close the port."""
        ...


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

    def __init__(self, rtp: DatagramPort, rtcp: DatagramPort, listeners: Listeners) -> None:
        """Take two open ports and the dictionary from which the one for RTCP learns whom to tell of a report."""
        self.rtp = rtp
        self.rtcp = rtcp
        self._listeners = listeners
        self._taken: set[Address] = set()

    @property
    def numbers(self) -> tuple[int, int]:
        """Return both port numbers."""
        return self.rtp.get_extra_info("sockname")[1], self.rtcp.get_extra_info("sockname")[1]

    def is_free(self, pair: AddressPair, own: AddressPair | None) -> bool:
        """Tell whether no session but the one that has `own` sends to either address."""
        return self._taken.isdisjoint(pair.both if own is None else pair.both - own.both)

    def take(self, pair: AddressPair, on_report: Callable[[], None]) -> None:
        """Keep a free pair for a session; `on_report` is called when its client sends a receiver report."""
        self._taken |= pair.both
        self._listeners[pair.rtcp] = on_report

    def give_back(self, pair: AddressPair) -> None:
        """Let others have what `take` took."""
        self._taken -= pair.both
        del self._listeners[pair.rtcp]

    @classmethod
    async def open(cls, host: str) -> "UdpPorts":
        """Bind a free pair; TransientError where none was found."""
        listeners: Listeners = {}
        for _ in range(_PAIR_TRIES):
            rtp = await _bind({}, host, 0)
            port = rtp.get_extra_info("sockname")[1]
            if port % 2 == 0 and port < 65535:
                try:
                    rtcp = await _bind(listeners, host, port + 1)
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


class _Inbox(asyncio.DatagramProtocol):
    """Takes what clients send: reports show that they live, their content is not used; refusals are no news."""

    def __init__(self, listeners: Listeners) -> None:
        self._listeners = listeners

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        listener = self._listeners.get((str(addr[0]), int(addr[1])))
        if listener is not None and data:
            listener()


async def _bind(listeners: Listeners, host: str, port: int) -> DatagramPort:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Inbox(listeners), local_addr=(host, port))
    return cast("DatagramPort", transport)  # asyncio's own have it, as the transports of streams


class UdpSink:
    """Sends datagrams to one client."""

    def __init__(self, ports: UdpPorts, connection: asyncio.WriteTransport, pair: AddressPair) -> None:
        self._ports = ports
        self._connection = connection
        self._pair = pair

    def send_rtp(self, packets: Sequence[bytes]) -> None:
        """Send the packets of one frame; they are lost while too much waits, as on a network."""
        for packet in packets:
            _send(self._ports.rtp, packet, self._pair.rtp)

    def send_rtcp(self, packet: bytes) -> None:
        """Send one RTCP packet; it is lost while too much waits."""
        _send(self._ports.rtcp, packet, self._pair.rtcp)

    def backlog_bytes(self) -> int:
        """Return 0: what waits is that of all clients, and no fault of this one."""
        return 0

    def abort(self) -> None:
        """Cut the RTSP connection that the session belongs to."""
        self._connection.abort()


def _send(port: DatagramPort, packet: bytes, address: Address) -> None:
    if port.get_write_buffer_size() <= MAX_DATAGRAM_BACKLOG_BYTES:
        port.sendto(packet, address)
