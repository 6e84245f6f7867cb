import asyncio
from dataclasses import dataclass, field

from nvr.demo.rtsp.sink import MAX_DATAGRAM_BACKLOG_BYTES, Address, AddressPair, UdpPorts, UdpSink

PAIR = AddressPair(("127.0.0.1", 5000), ("127.0.0.1", 5001))
OTHER = AddressPair(("127.0.0.1", 5002), ("127.0.0.1", 5001))


@dataclass
class StuckPort:
    """A datagram port whose kernel takes nothing: all that is sent waits."""

    waiting: list[tuple[bytes, Address]] = field(default_factory=list)

    def sendto(self, data: bytes, addr: Address) -> None:
        self.waiting.append((data, addr))

    def get_write_buffer_size(self) -> int:
        return sum(len(data) for data, _ in self.waiting)

    def get_extra_info(self, name: str) -> object:
        return {"sockname": ("127.0.0.1", 6000)}.get(name)

    def close(self) -> None:
        self.waiting.clear()


def test_datagrams_that_the_kernel_does_not_take_pile_up_to_a_limit() -> None:
    rtp, rtcp = StuckPort(), StuckPort()
    sink = UdpSink(UdpPorts(rtp, rtcp, {}), asyncio.WriteTransport(), PAIR)
    for _ in range(2000):
        sink.send_rtp([bytes(1400), bytes(1400)])
        sink.send_rtcp(bytes(1400))
    for port, address in ((rtp, PAIR.rtp), (rtcp, PAIR.rtcp)):
        assert port.waiting[0] == (bytes(1400), address)
        assert MAX_DATAGRAM_BACKLOG_BYTES < port.get_write_buffer_size() <= MAX_DATAGRAM_BACKLOG_BYTES + 1400
    rtp.waiting.clear()
    sink.send_rtp([b"again"])
    assert rtp.waiting == [(b"again", PAIR.rtp)]


def test_a_pair_that_shares_one_port_with_another_is_not_free() -> None:
    ports = UdpPorts(StuckPort(), StuckPort(), {})
    ports.take(PAIR, lambda: None)
    assert not ports.is_free(OTHER, None)
    assert ports.is_free(OTHER, PAIR)
    ports.give_back(PAIR)
    assert ports.is_free(OTHER, None)


def test_asyncio_tells_how_many_bytes_wait_in_a_datagram_port() -> None:
    async def waiting_bytes() -> int:
        ports = await UdpPorts.open("127.0.0.1")
        try:
            ports.rtp.sendto(b"into the void", ("127.0.0.1", ports.numbers[1]))
            return ports.rtp.get_write_buffer_size()
        finally:
            ports.close()

    assert asyncio.run(waiting_bytes()) == 0
