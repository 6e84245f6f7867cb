"""Reads of a packet ring what a plan wants, and nothing while it wants nothing: pre-roll is a cursor set back."""

import math
from collections.abc import Callable

from nvr.media.packet import MediaPacket
from nvr.media.packet_ring import PacketRing
from nvr.media.parameters import StreamParameters
from nvr.recording.plan import RecordingPlan, Step

BATCH_PACKETS = 256
"""Read at once; between two batches the owner may look at other things."""


class PlannedReader:
    """The place of a recording in its camera's ring; used by one thread.

    It looks into the ring when it is told to, and is none of the ring's readers: packets need not wake it, and a
    file that is read as fast as its readers can need not wait for it.
    """

    def __init__(self, ring: PacketRing, plan: RecordingPlan) -> None:
        """Prepare; what is to be recorded now already begins with the newest GOP of this moment."""
        self._ring = ring
        self._plan = plan
        newest = ring.newest_gop_start
        self._position = ring.end if newest is None else newest
        self._lost = 0
        self._is_idle = not plan.wants_packets(math.inf)
        self._audio: StreamParameters | None = None

    @property
    def lost(self) -> int:
        """Packets that were wanted and had left the ring before they were read."""
        return self._lost

    @property
    def audio(self) -> StreamParameters | None:
        """Of the newest sound that was read, which may lie behind the packet that is handled; None without sound."""
        return self._audio

    def read(self, now_s: float, handle: Callable[[MediaPacket, Step], None]) -> bool:
        """Hand the next packets that matter to `handle`, at most a batch; True while there may be more.

        Where `handle` raises, its packet is passed by and the following ones are read the next time.
        """
        if not self._is_wanting(now_s):
            return False
        lost, packets = self._ring.slice_from(self._position, BATCH_PACKETS)
        self._lost += lost
        self._position += lost
        self._note_audio(packets)
        decide = self._plan.decide
        try:
            for packet in packets:
                step = decide(packet)
                if step.writes or step.ends is not None:
                    handle(packet, step)
                if not step.writes and not self._plan.wants_packets(now_s):
                    return True
        finally:
            if packets:
                self._position = self._plan.next_sequence
        return len(packets) == BATCH_PACKETS

    def _note_audio(self, packets: list[MediaPacket]) -> None:
        newest = next((packet for packet in reversed(packets) if packet.kind == "audio"), None)
        if newest is not None:
            self._audio = newest.parameters

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
        self._position = self._plan.next_sequence if sequence is None else max(sequence, self._plan.next_sequence)
