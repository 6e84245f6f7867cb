"""Time stamps of packets as they should be: always there, dts rising, pts never before dts.

What arrives: no stamps at all on the first packet of an RTSP session, only a pts or only a dts, none in bare H.264,
stamps that stand still or go back, that jump when a camera restarts, that wrap, or that are plain nonsense. Stamps that
are in order pass unchanged.
"""

import heapq
from dataclasses import dataclass
from fractions import Fraction

MAX_AHEAD_S = 10.0
"""Stamps further ahead of the time that passed belong to another timeline."""

MIN_BACK_S = 0.5
"""Stamps that go back by less may be out of order; by more, and more than a codec reorders,
they belong to another timeline."""

MAX_BEHIND = 16
"""Packets in a row that may be squeezed in behind one that came too early; then the stamps are moved on for good. No
codec reorders over more than 16 pictures."""

TRUSTED_AGAIN_AFTER = 64
"""Packets in order until a dts that went back is believed again. Where dts know nothing of the B-frames, they go back
with each group of them."""

WRAPS = (1 << 33, 1 << 32)
"""MPEG-TS counts in 33 bits, RTP in 32."""

MAX_STAMP_S = 1e10
"""317 years, either way: nonsense beyond, and too large for microseconds in a float."""

MAX_STAMP = 1 << 62
"""In units: leaves room below 2^63 for what is added here."""

MAX_DURATION_S = 3600.0
"""A longer one is nonsense; the slowest time-lapse takes a picture now and then."""

NOMINAL_STEP_S = Fraction(1, 25)
"""From packet to packet, while nothing tells it."""


@dataclass(frozen=True, slots=True)
class FixedTimes:
    """Stamps of one packet, in units of its time base."""

    pts: int
    dts: int
    """Greater than that of the packet before, unless `is_break`; never greater than `pts`."""
    duration: int
    """The usual distance where the packet tells none; 0 while that is not known either."""
    is_break: bool
    """A new timeline begins: these stamps have nothing to do with those before."""


class _Units:
    """The bounds in units of a time base; fractions are too slow to be asked for each packet."""

    def __init__(self, time_base: Fraction) -> None:
        if time_base <= 0:
            raise ValueError(f"expected a positive time base, got {time_base}")
        self.time_base = time_base
        self.per_s = float(1 / time_base)
        self.ahead = self._units(MAX_AHEAD_S)
        self.back = self._units(MIN_BACK_S)
        self.nominal_step = self._units(NOMINAL_STEP_S)
        self.max_duration = self._units(MAX_DURATION_S)
        self.max_stamp = min(MAX_STAMP, self._units(MAX_STAMP_S))

    def _units(self, seconds: float | Fraction) -> int:
        return max(1, round(seconds / self.time_base))


@dataclass(frozen=True, slots=True)
class _Bridge:
    """What the stamps followed before they jumped."""

    shift: int
    raw: int
    packets: int


class TimestampRepair:
    """Mends the stamps of one stream of one connection, packet by packet in the order of decoding. Pure."""

    def __init__(self, *, start_pts: int | None = None, reorders: bool = True, is_live: bool = True) -> None:
        """Prepare for the first packet.

        Args:
            start_pts: First pts that the library found (PyAV's `stream.start_time`), where known. A first packet
                without stamps is put one frame before it, or at 0 where that is near: there FFmpeg begins to count
                in an RTSP session.
            reorders: Whether decoding and presentation may differ in order: False for audio, MJPEG and whatever
                else has no B-frames.
            is_live: Whether arrival tells how much time has passed, as it does not for a file.
        """
        self._start_pts = start_pts
        self._max_reorder = MAX_BEHIND if reorders else 0
        self._is_live = is_live
        self._units = _Units(NOMINAL_STEP_S)
        self.restart()

    def restart(self) -> None:
        """Take the next stamps as they come: the timeline of the stream beside this one broke."""
        self._dts: int | None = None  # of the last packet, as it was returned
        self._pts = 0  # likewise
        self._max_pts = 0
        self._raw: int | None = None  # the last stamp as it came, less wraps
        self._raw_at_s = 0.0
        self._good = (0, 0.0)  # the last pts that needed no mending, and its arrival
        self._step = 0
        self._shift = 0  # returned = raw + shift
        self._wrapped = 0
        self._bridge: _Bridge | None = None
        self._behind = 0
        self._distrust = 0
        self._wanted_dts: int | None = None
        self._window: list[int] = []

    def fix(
        self,
        pts: int | None,
        dts: int | None,
        duration: int,
        time_base: Fraction,
        arrival_s: float,
        *,
        is_keyframe: bool = True,
    ) -> FixedTimes:
        """Return the stamps of the next packet.

        Args:
            pts: Presentation time, in units of `time_base`; None where there is none.
            dts: Decoding time; likewise.
            duration: 0 where it is not known.
            time_base: Seconds per unit, positive. Another one than before is a break.
            arrival_s: Monotonic seconds at which the packet was read.
            is_keyframe: Whether a new timeline may begin here. Stamps that jump before are bridged, so that what can
                still be decoded is not cut off. Pass False for audio beside video, and `restart` it when the video
                breaks.

        Raises:
            ValueError: `time_base` is not positive.
        """
        is_break = False
        if time_base is not self._units.time_base and time_base != self._units.time_base:
            is_break = self._dts is not None
            self._units = _Units(time_base)
            self.restart()
        dts = self._sane(dts)
        pts = self._sane(pts)
        pts = dts if pts is None else pts
        duration = duration if 0 < duration <= self._units.max_duration else 0
        step = duration or self._step or self._units.nominal_step
        if self._is_new_timeline(pts, dts, step, arrival_s, is_keyframe=is_keyframe):
            self.restart()
            is_break = True
        if self._dts is None:
            fixed_pts, fixed_dts = self._first(pts, dts, step)
            self._good = (fixed_pts, arrival_s)
        else:
            fixed_pts, fixed_dts = self._next(self._dts, pts, dts, step, arrival_s)
        self._pts, self._dts = fixed_pts, fixed_dts
        self._max_pts = max(self._max_pts, fixed_pts)
        return FixedTimes(fixed_pts, fixed_dts, duration or self._step, is_break)

    def _sane(self, stamp: int | None) -> int | None:
        return None if stamp is None or abs(stamp) > self._units.max_stamp else stamp

    def _max_ahead(self, step: int) -> int:
        return max(self._units.ahead, 3 * step)

    def _max_back(self, step: int) -> int:
        return min(max(self._units.back, (MAX_BEHIND + 1) * step), self._units.ahead)

    def _elapsed(self, arrival_s: float, since_s: float) -> int:
        return round((arrival_s - since_s) * self._units.per_s) if self._is_live and arrival_s > since_s else 0

    def _is_new_timeline(
        self, pts: int | None, dts: int | None, step: int, arrival_s: float, *, is_keyframe: bool
    ) -> bool:
        """Place the stamp on the timeline; tell whether that is a new one from here on."""
        stamp = pts if dts is None else dts
        if stamp is None:
            return False
        jump = self._max_ahead(step)
        last = self._raw
        if last is None and self._dts is not None:  # so far stamps were guessed
            if not 0 < stamp - self._dts <= jump:
                self._shift = self._dts + step - stamp
        elif last is not None:
            raw = _nearest(stamp + self._wrapped, last, jump)
            self._wrapped = raw - stamp
            stamp = raw
            if not -self._max_back(step) <= raw - last <= jump + self._elapsed(arrival_s, self._raw_at_s):
                if is_keyframe:
                    return True
                self._cross(raw, last, step, arrival_s, jump)
            elif self._bridge is not None:
                if is_keyframe:
                    return True
                self._bridge = _Bridge(self._bridge.shift, self._bridge.raw, self._bridge.packets + 1)
        self._raw, self._raw_at_s = stamp, arrival_s
        return False

    def _cross(self, raw: int, last: int, step: int, arrival_s: float, jump: int) -> None:
        bridge = self._bridge
        if bridge is not None and bridge.packets <= MAX_BEHIND and abs(raw - bridge.raw) <= jump:
            self._shift, self._bridge = bridge.shift, None  # a few stamps were nonsense, the timeline is the old one
            return
        if bridge is None or bridge.packets > MAX_BEHIND:
            self._bridge = _Bridge(self._shift, last, 1)
        self._shift = self._good[0] + self._gap(step, arrival_s) - raw

    def _gap(self, step: int, arrival_s: float) -> int:
        return self._elapsed(arrival_s, self._good[1]) or step

    def _first(self, pts: int | None, dts: int | None, step: int) -> tuple[int, int]:
        self._raw = pts if dts is None else dts
        if pts is None:
            start = self._start_pts
            pts = 0 if start is None or 0 <= start <= (MAX_BEHIND + 1) * step else start - step
        return pts, pts if dts is None else min(dts, pts)

    def _next(self, last: int, pts: int | None, dts: int | None, step: int, arrival_s: float) -> tuple[int, int]:
        if pts is None:
            return max(self._max_pts, last) + step, last + step
        offset = self._wrapped + self._shift
        wanted_dts = None if dts is None else dts + offset
        wanted_pts = self._beside(pts + offset, wanted_dts, step)
        fixed_dts = self._next_dts(last, wanted_pts, wanted_dts, step)
        fixed_pts = max(wanted_pts, fixed_dts)
        if fixed_pts == wanted_pts != self._pts:
            self._behind = 0
        elif self._behind < MAX_BEHIND:
            self._behind += 1
            return fixed_pts, fixed_dts
        else:
            fixed_pts = max(self._good[0] + self._gap(step, arrival_s), fixed_dts)
            moved = fixed_pts - wanted_pts
            fixed_dts = fixed_dts if wanted_dts is None else max(fixed_dts, min(wanted_dts + moved, fixed_pts))
            self._shift += moved
            self._distrust, self._wanted_dts = 0, None
        self._good = (fixed_pts, arrival_s)
        return fixed_pts, fixed_dts

    def _beside(self, pts: int, dts: int | None, step: int) -> int:
        if dts is None:
            return pts
        jump = self._max_ahead(step)
        near = _nearest(pts, dts, jump)
        # further from its dts than any reordering: one of both is nonsense, and dts has passed the test for jumps
        return near if abs(near - dts) <= jump else dts

    def _next_dts(self, last: int, pts: int, dts: int | None, step: int) -> int:
        if dts is not None:
            # by a frame or more: B-frames whose dts were taken from their pts
            is_back = self._wanted_dts is not None and self._wanted_dts - dts > step // 2
            self._distrust = TRUSTED_AGAIN_AFTER if is_back else max(0, self._distrust - 1)
        self._wanted_dts = dts
        if dts is not None and not self._distrust:
            fixed = max(last + 1, min(dts, pts))
            self._step = fixed - last
            return fixed
        # as FFmpeg does: the earliest of as many pts as can be out of order is never after one that comes
        heapq.heappush(self._window, pts)
        earliest = heapq.heappop(self._window) if len(self._window) > self._max_reorder else last
        return max(last + 1, earliest)


def _nearest(stamp: int, reference: int, jump: int) -> int:
    """Return the stamp less or plus one wrap if only that brings it near; otherwise as it is."""
    if abs(stamp - reference) <= jump:
        return stamp
    return next(
        (turned for wrap in WRAPS for turned in (stamp + wrap, stamp - wrap) if abs(turned - reference) <= jump), stamp
    )
