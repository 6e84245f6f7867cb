"""Weigh a camera's packets while nothing is decoded: does their size say that something moves?

A camera with a variable bit rate sends next to nothing while nothing moves, and motion stands out. Under rate control
quiet is as large as motion: there the sensor's noise is what is coded. So the watch learns what quiet weighs, how much
that varies, and whether an object worth noticing would show at all (`is_usable`).
"""

from collections import deque
from statistics import median

from nvr.media.packet import MediaPacket
from nvr.media.parameters import StreamParameters

WINDOW_S = 0.3
"""Sizes are averaged over so long: a single large packet is noise, motion lasts."""

BLOCK_S = 5.0
"""One figure each for usual and largest weight is learnt per so much quiet."""

MIN_BLOCKS, MAX_BLOCKS = 6, 60
"""Known after half a minute of quiet; what is older than 5 min of it is forgotten."""

BASE_BLOCKS = 6
"""The usual weight is that of the last half minute: noise grows as the sun goes down."""

SPREAD_FACTOR = 6.0
"""Times the spread of the blocks' largest weights above their median is no longer quiet."""

MIN_MARGIN_BYTES = 30.0
MIN_MARGIN_SHARE = 0.1
"""And at least so much more than that, absolutely and of the usual weight."""

USABLE_BITS_PER_PIXEL = 0.01
"""The margin above the usual weight must be smaller than what a person or car adds. Chosen with a prototype of
this rule on real videos: with at most this, 19 of 19 onsets were noticed within a second; with half as much again, one
of nine."""

USABLE_BASE_BITS_PER_PIXEL = 0.012
"""And quiet itself must weigh little: where it weighs more, noise is what is coded, and what an object adds drowns."""

SKIPPED_AFTER_KEY = 2
"""Packets behind a key frame mend what it left coarse, and are larger."""

FALSE_ALARM_FACTOR = 1.3
LARGEST_FACTOR = 4.0
FORGIVING = 0.99
"""A margin that woke for nothing grows, and shrinks again with each quiet block."""


class PacketWatch:
    """One camera's packets in order; used by one thread. What was learnt outlives a reconnect, not a new encoder."""

    def __init__(self) -> None:
        """Begin knowing nothing of the camera."""
        self._parameters: StreamParameters | None = None
        self._session = -1
        self._sequence = -1
        self._factor = 1.0
        self._forget()

    @property
    def is_usable(self) -> bool:
        """Whether the weight of this camera's packets tells motion."""
        pixels = 0 if self._parameters is None else self._parameters.width_px * self._parameters.height_px
        return (
            self._margin_bytes is not None
            and 8 * self._margin_bytes <= USABLE_BITS_PER_PIXEL * pixels
            and 8 * self._base_bytes <= USABLE_BASE_BITS_PER_PIXEL * pixels
        )

    def note(self, packet: MediaPacket, *, is_quiet: bool) -> bool:
        """Take a packet; True where it says that something began to move.

        Args:
            packet: Of the video, in order. One that was taken before, as in a replay, changes nothing.
            is_quiet: Whether nothing is known to move: what is quiet is learnt from such packets only.
        """
        if packet.sequence <= self._sequence:
            return False
        self._sequence = packet.sequence
        if packet.parameters is not self._parameters and packet.parameters != self._parameters:
            self._forget()
        self._parameters = packet.parameters
        if packet.session != self._session:
            self._session = packet.session
            self._begin_block()
        if packet.is_keyframe:
            self._since_key = 0
            return False
        self._since_key += 1
        if self._since_key <= SKIPPED_AFTER_KEY:
            return False
        return self._weigh(packet.size_bytes, packet.media_s, is_quiet=is_quiet)

    def interrupt(self) -> None:
        """Do not learn from the last packets: they led to something."""
        self._begin_block()

    def note_false_alarm(self) -> None:
        """Take note that nothing moved where the packets said so."""
        self._factor = min(self._factor * FALSE_ALARM_FACTOR, LARGEST_FACTOR)

    def _forget(self) -> None:
        self._usual: deque[float] = deque(maxlen=BASE_BLOCKS)
        self._largest: deque[float] = deque(maxlen=MAX_BLOCKS)
        self._base_bytes = 0.0
        self._margin_bytes: float | None = None
        self._factor = 1.0
        self._since_key = 0
        self._begin_block()

    def _begin_block(self) -> None:
        self._window: deque[tuple[float, int]] = deque()
        self._window_bytes = 0
        self._block_from_s: float | None = None
        self._block: list[int] = []
        self._block_largest = 0.0

    def _weigh(self, size_bytes: int, media_s: float, *, is_quiet: bool) -> bool:
        window = self._window
        window.append((media_s, size_bytes))
        self._window_bytes += size_bytes
        while window[0][0] <= media_s - WINDOW_S:
            self._window_bytes -= window.popleft()[1]
        mean_bytes = self._window_bytes / len(window)
        is_full = len(window) > 1 and media_s - window[0][0] >= WINDOW_S / 2
        if is_quiet and is_full:
            self._learn(size_bytes, mean_bytes, media_s)
        elif not is_quiet:
            self._block_from_s, self._block = None, []
        margin_bytes = self._margin_bytes
        if margin_bytes is None or not is_full:
            return False
        return self.is_usable and mean_bytes - self._base_bytes > margin_bytes * self._factor

    def _learn(self, size_bytes: int, mean_bytes: float, media_s: float) -> None:
        if self._block_from_s is None:
            self._block_from_s, self._block_largest = media_s, mean_bytes
        self._block.append(size_bytes)
        self._block_largest = max(self._block_largest, mean_bytes)
        if media_s - self._block_from_s < BLOCK_S:
            return
        self._usual.append(median(self._block))
        self._largest.append(self._block_largest)
        self._block_from_s, self._block = None, []
        self._factor = max(1.0, self._factor * FORGIVING)
        if len(self._largest) < MIN_BLOCKS:
            return
        self._base_bytes = median(self._usual)
        middle = median(self._largest)
        spread = median(abs(largest - middle) for largest in self._largest)
        rise = max(SPREAD_FACTOR * spread, MIN_MARGIN_BYTES + MIN_MARGIN_SHARE * self._base_bytes)
        self._margin_bytes = max(0.0, middle - self._base_bytes) + rise
