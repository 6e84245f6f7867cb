"""Reads of a packet ring what a plan wants, and nothing while it wants nothing: pre-roll is a cursor set back."""

from collections.abc import Callable

from nvr.media.packet import MediaPacket
from nvr.media.packet_ring import PacketRing
from nvr.recording.plan import RecordingPlan, Step

BATCH_PACKETS = 256
"""Read at once; between two batches the owner may look at other things."""


class PlannedReader:
    """The place of a recording in its camera's ring; used by one thread."""

    def __init__(self, ring: PacketRing, plan: RecordingPlan) -> None:
        """Join the ring; the first packets wanted are those of its newest GOP."""
        self._ring = ring
        self._plan = plan
        self._reader = ring.reader(wakes_on=lambda _: False)
        self._is_idle = True

    @property
    def lost(self) -> int:
        """Packets that were wanted and had left the ring before they were read."""
        return self._reader.lost

    @property
    def is_at_end(self) -> bool:
        """Whether the ring is closed and nothing in it is still wanted."""
        return self._reader.is_at_end

    def read(self, now_s: float, handle: Callable[[MediaPacket, Step], None]) -> bool:
        """Hand the next packets that matter to `handle`, at most a batch; True while there may be more.

        Where `handle` raises, its packet is passed by and the following ones are read the next time.
        """
        if not self._is_wanting(now_s):
            return False
        packets = self._reader.read(0, BATCH_PACKETS)
        decide = self._plan.decide
        try:
            for packet in packets:
                step = decide(packet)
                if step.writes:
                    handle(packet, step)
                    continue
                if step.ends is not None:
                    handle(packet, step)
                if not self._plan.wants_packets(now_s):
                    return True
        finally:
            if packets and self._reader.position != self._plan.next_sequence:
                self._reader.seek(self._plan.next_sequence)
        return len(packets) == BATCH_PACKETS

    def close(self) -> None:
        """Leave the ring."""
        self._reader.close()

    def _is_wanting(self, now_s: float) -> bool:
        if self._plan.wants_packets(now_s):
            if self._is_idle:
                self._seek(self._ring.newest_gop_start)
        else:
            self._is_idle = True
            window = self._plan.pending_window()
            start = None if window is None else self._ring.gop_start_at(window.start)
            if window is None or start is None:
                return False
            self._plan.begin_at(start, window)
            self._seek(start)
        self._is_idle = False
        return True

    def _seek(self, sequence: int | None) -> None:
        position = self._plan.next_sequence if sequence is None else max(sequence, self._plan.next_sequence)
        self._reader.seek(position)
