"""The newest packets of a camera, for everyone who reads them: decoder, recorder, live viewers.

One bounded log and a cursor per reader, in place of a queue per reader: packets are held once, a new reader starts at
the last key frame, pre-roll is a cursor set back, and nobody who reads slowly can hold up the camera or another reader.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import islice

from nvr.media.packet import MediaPacket

DEFAULT_SECONDS = 15.0
DEFAULT_BYTES = 64 << 20

IDLE_PATIENCE_S = 0.2
"""How long packets may wait for each other while nobody reads them at once."""


class PacketRing:
    """Keeps the last GOPs of one camera, bounded in seconds and bytes. One thread appends, any thread reads.

    Whole GOPs go at the front. Only a GOP that alone exceeds the bytes loses its own oldest packets: readers that were
    there then skip to the next key frame.
    """

    def __init__(self, *, max_seconds: float = DEFAULT_SECONDS, max_bytes: int = DEFAULT_BYTES) -> None:
        """Prepare an empty ring; the bounds hold for what lies before the newest GOP and, in bytes, for all."""
        if max_seconds < 0 or max_bytes <= 0:
            raise ValueError(f"expected max_seconds >= 0 and max_bytes > 0, got {max_seconds} and {max_bytes}")
        self._max_seconds = max_seconds
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._packets: deque[MediaPacket] = deque()
        self._gops: deque[int] = deque()
        self._size_bytes = 0
        self._readers: tuple[RingReader, ...] = ()
        self._room = threading.Condition(self._lock)
        self._is_closed = False

    @property
    def size_bytes(self) -> int:
        """Bytes of coded media that are held."""
        return self._size_bytes

    @property
    def is_closed(self) -> bool:
        """Whether nothing more will come."""
        return self._is_closed

    @property
    def end(self) -> int:
        """Sequence of the packet that comes next."""
        with self._lock:
            return self._end

    @property
    def newest_gop_start(self) -> int | None:
        """Sequence of the newest key frame; None where none is held."""
        with self._lock:
            return self._gops[-1] if self._gops else None

    def __len__(self) -> int:
        return len(self._packets)

    def append(self, packet: MediaPacket) -> None:
        """Add the next packet and wake the readers that want it; never waits. Sequences follow without a gap."""
        self.extend((packet,))

    def extend(self, packets: Sequence[MediaPacket]) -> None:
        """Add the next packets, and wake each reader that wants one of them once."""
        with self._lock:
            for packet in packets:
                self._packets.append(packet)
                self._size_bytes += packet.size_bytes
                if packet.starts_gop:
                    self._gops.append(packet.sequence)
                self._evict(packet)
            readers = self._readers
        for reader in readers:
            reader.wake_for(packets)

    def close(self) -> None:
        """Tell the readers that nothing more will come; what is held can still be read."""
        with self._lock:
            self._is_closed = True
            readers = self._readers
            self._room.notify_all()
        for reader in readers:
            reader.wake()

    def patience_s(self) -> float:
        """Return how long the next packet may wait for others to come along, for the most hurried reader."""
        return min((reader.patience_s() for reader in self._readers), default=IDLE_PATIENCE_S)

    def reader(
        self,
        *,
        wakes_on: Callable[[MediaPacket], bool] | None = None,
        patience_s: Callable[[], float] = lambda: 0.0,
    ) -> "RingReader":
        """Return a reader that starts at the key frame of the newest GOP.

        Args:
            wakes_on: Called for each packet in the appending thread, must be quick: whether to end a `read` that
                waits. None wakes for each. What it did not wake for is read all the same.
            patience_s: Called in the appending thread, too: how late packets may come, several at once, which costs
                less than one by one.
        """
        with self._lock:
            start = self._gops[-1] if self._gops else self._end
            reader = RingReader(self, start, wakes_on, patience_s)
            self._readers = (*self._readers, reader)
        return reader

    def wait_for_room(self, timeout_s: float, backlog: int = 0) -> bool:
        """Wait until no reader has more than `backlog` packets to read, for sources that can be made to wait.

        Returns:
            False after `timeout_s`.
        """
        with self._room:
            return self._room.wait_for(
                lambda: self._is_closed or all(reader.position >= self._end - backlog for reader in self._readers),
                timeout_s,
            )

    def gop_start_at(self, captured_at: datetime) -> int | None:
        """Return the sequence of the last key frame at or before a capture time, else of the oldest that is held.

        None where no key frame is held.
        """
        with self._lock:
            starts = [self._packets[sequence - self._begin] for sequence in self._gops]
        if not starts:
            return None
        earlier = [packet.sequence for packet in starts if packet.captured_at <= captured_at]
        return earlier[-1] if earlier else starts[0].sequence

    def gop_start_before(self, sequence: int) -> int | None:
        """Return the sequence of the last key frame before a packet; None where none is held."""
        with self._lock:
            return next((start for start in reversed(self._gops) if start < sequence), None)

    def slice_from(self, position: int, limit: int) -> tuple[int, list[MediaPacket]]:
        """Return how many packets were lost at `position` and the next ones from there, for `RingReader.read`."""
        with self._lock:
            lost = 0
            if position < self._begin:
                # between two key frames nothing can be decoded: go on where a GOP begins
                start = self._gops[0] if self._gops else self._end
                lost, position = start - position, start
            packets = list(islice(self._packets, position - self._begin, position - self._begin + limit))
            return lost, packets

    def note_read(self) -> None:
        """Wake whoever waits for room."""
        with self._room:
            self._room.notify_all()

    def remove(self, reader: "RingReader") -> None:
        """Forget a reader."""
        with self._room:
            self._readers = tuple(other for other in self._readers if other is not reader)
            self._room.notify_all()

    @property
    def _begin(self) -> int:
        return self._packets[0].sequence if self._packets else 0

    @property
    def _end(self) -> int:
        return self._packets[-1].sequence + 1 if self._packets else 0

    def _evict(self, newest: MediaPacket) -> None:
        while len(self._gops) > 1 and self._is_over(newest):
            self._drop_until(self._gops[1])
        while self._size_bytes > self._max_bytes and len(self._packets) > 1:
            self._drop_until(self._begin + 1)

    def _is_over(self, newest: MediaPacket) -> bool:
        # what is kept must reach back max_seconds, so the first GOP may go once the second one does
        second = self._packets[self._gops[1] - self._begin]
        return newest.received_s - second.received_s >= self._max_seconds or self._size_bytes > self._max_bytes

    def _drop_until(self, sequence: int) -> None:
        while self._packets and self._packets[0].sequence < sequence:
            self._size_bytes -= self._packets.popleft().size_bytes
        while self._gops and self._gops[0] < sequence:
            self._gops.popleft()


class RingReader:
    """One reader's place in a ring; used by one thread, except `wake`, which any may call."""

    def __init__(
        self,
        ring: PacketRing,
        position: int,
        wakes_on: Callable[[MediaPacket], bool] | None,
        patience_s: Callable[[], float],
    ) -> None:
        self.patience_s = patience_s
        self._ring = ring
        self._position = position
        self._wakes_on = wakes_on
        self._is_woken = threading.Event()
        self._lost = 0

    @property
    def position(self) -> int:
        """Sequence of the packet that is read next."""
        return self._position

    @property
    def lost(self) -> int:
        """Packets that had left the ring before they were read, or stood between those and the next key frame."""
        return self._lost

    @property
    def is_at_end(self) -> bool:
        """Whether the ring is closed and all of it has been read."""
        return self._ring.is_closed and not self._ring.slice_from(self._position, 1)[1]

    def read(self, timeout_s: float, limit: int = 1 << 30) -> list[MediaPacket]:
        """Return the next packets in order; waits at most `timeout_s` while there is none, and may return none."""
        self._is_woken.clear()
        packets = self._take(limit)
        if not packets and timeout_s > 0 and not self._ring.is_closed:
            self._is_woken.wait(timeout_s)
            packets = self._take(limit)
        return packets

    def seek(self, sequence: int) -> None:
        """Read on from a packet, earlier or later ones alike; what is gone then counts as lost."""
        self._position = sequence

    def wake(self) -> None:
        """End a `read` or `wait` of the reader's thread."""
        self._is_woken.set()

    def wake_for(self, packets: Sequence[MediaPacket]) -> None:
        """Wake if one of these packets is wanted; called by the ring."""
        if self._wakes_on is None or any(map(self._wakes_on, packets)):
            self._is_woken.set()

    def close(self) -> None:
        """Leave the ring."""
        self._ring.remove(self)

    def _take(self, limit: int) -> list[MediaPacket]:
        lost, packets = self._ring.slice_from(self._position, limit)
        self._lost += lost
        self._position += lost
        if packets:
            self._position = packets[-1].sequence + 1
            self._ring.note_read()
        return packets
