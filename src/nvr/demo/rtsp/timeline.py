"""Which frame a looping camera sends when, and its RTP numbers: pure arithmetic, the same for all clients."""

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

from nvr.demo.rtsp.rtp import packetize_unit
from nvr.media.access_unit import RTP_CLOCK_HZ, AccessUnit, EncodedLoop


@dataclass(frozen=True, slots=True)
class Moment:
    """One frame of the endless stream."""

    position: int
    """Counts all frames since the start, over all rounds."""
    unit_index: int
    """Which frame of the loop it is, in showing order."""
    is_keyframe: bool
    media_s: float
    """When it is captured: seconds since the start of the stream."""
    sent_s: float
    """When it is sent: later than it is captured where there are B-frames."""
    sequence: int
    """RTP sequence number of its first packet, not yet cut to 16 bits."""
    rtp_timestamp: int
    """Not yet cut to 32 bits."""
    payloads: tuple[bytes, ...]


class PacketizedLoop:
    """The RTP payloads of a loop, worked out once for all cameras that show it: they are as large as the loop."""

    def __init__(self, loop: EncodedLoop) -> None:
        self.loop = loop
        self.payloads = tuple(packetize_unit(loop, unit) for unit in loop.units)
        """Of each unit."""
        self.packets_before = (0, *accumulate(len(payloads) for payloads in self.payloads))
        """How many packets precede each unit, and at the end how many there are."""
        self.sent_90k = tuple(unit.sent_90k for unit in loop.units)
        rank = {pts_90k: number for number, pts_90k in enumerate(sorted(unit.pts_90k for unit in loop.units))}
        self.numbers = tuple(rank[unit.pts_90k] for unit in loop.units)
        """Place of each unit in showing order."""


class Timeline:
    """A packetised loop laid out without end.

    Sequence numbers count every frame, sent or not: what a frozen camera did not send is missing to its clients, as
    after a break of the network.
    """

    def __init__(self, packets: PacketizedLoop, first_sequence: int = 0, first_timestamp: int = 0) -> None:
        self._units: tuple[AccessUnit, ...] = packets.loop.units
        self._duration_90k = packets.loop.duration_90k
        self._packets = packets
        self._first_sequence = first_sequence
        self._first_timestamp = first_timestamp

    def at(self, position: int) -> Moment:
        """Return the frame at a position from 0."""
        rounds, index = divmod(position, len(self._units))
        unit = self._units[index]
        media_90k = rounds * self._duration_90k + unit.pts_90k
        packets_before = self._packets.packets_before
        return Moment(
            position=position,
            unit_index=self._packets.numbers[index],
            is_keyframe=unit.is_keyframe,
            media_s=media_90k / RTP_CLOCK_HZ,
            sent_s=(media_90k + unit.delay_90k) / RTP_CLOCK_HZ,
            sequence=self._first_sequence + rounds * packets_before[-1] + packets_before[index],
            rtp_timestamp=self._first_timestamp + media_90k,
            payloads=self._packets.payloads[index],
        )

    def position_at(self, sent_s: float) -> int:
        """Return the position of the frame that was sent last at a time from 0."""
        rounds, rest_90k = divmod(int(sent_s * RTP_CLOCK_HZ), self._duration_90k)
        return max(0, rounds * len(self._units) + bisect_right(self._packets.sent_90k, rest_90k) - 1)

    def next_keyframe(self, position: int) -> Moment:
        """Return the first key frame at or after a position."""
        while not self._units[position % len(self._units)].is_keyframe:
            position += 1
        return self.at(position)
