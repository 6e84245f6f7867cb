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
    """Which frame of the loop it is."""
    is_keyframe: bool
    media_s: float
    """When it is captured: seconds since the start of the stream."""
    sequence: int
    """RTP sequence number of its first packet, not yet cut to 16 bits."""
    rtp_timestamp: int
    """Not yet cut to 32 bits."""
    payloads: tuple[bytes, ...]


class Timeline:
    """An encoded loop laid out without end.

    Sequence numbers count every frame, sent or not: what a frozen camera did not send is missing to its clients, as
    after a break of the network.
    """

    def __init__(self, loop: EncodedLoop, first_sequence: int = 0, first_timestamp: int = 0) -> None:
        self._units: tuple[AccessUnit, ...] = loop.units
        self._duration_90k = loop.duration_90k
        self._payloads = tuple(packetize_unit(loop, unit) for unit in loop.units)
        self._packets_before = (0, *accumulate(len(payloads) for payloads in self._payloads))
        self._times_90k = [unit.pts_90k for unit in loop.units]
        self._first_sequence = first_sequence
        self._first_timestamp = first_timestamp

    def at(self, position: int) -> Moment:
        """Return the frame at a position from 0."""
        rounds, index = divmod(position, len(self._units))
        unit = self._units[index]
        media_90k = rounds * self._duration_90k + unit.pts_90k
        return Moment(
            position=position,
            unit_index=index,
            is_keyframe=unit.is_keyframe,
            media_s=media_90k / RTP_CLOCK_HZ,
            sequence=self._first_sequence + rounds * self._packets_before[-1] + self._packets_before[index],
            rtp_timestamp=self._first_timestamp + media_90k,
            payloads=self._payloads[index],
        )

    def position_at(self, media_s: float) -> int:
        """Return the position of the frame that is shown at a time from 0."""
        rounds, rest_90k = divmod(int(media_s * RTP_CLOCK_HZ), self._duration_90k)
        return rounds * len(self._units) + bisect_right(self._times_90k, rest_90k) - 1

    def next_keyframe(self, position: int) -> Moment:
        """Return the first key frame at or after a position."""
        while not self._units[position % len(self._units)].is_keyframe:
            position += 1
        return self.at(position)
