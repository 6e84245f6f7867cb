"""Stretches of time that are to be recorded because something was detected in them; pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

MAX_WINDOWS = 64
"""So many are remembered; of a busier camera the oldest are forgotten."""


@dataclass(slots=True)
class EventWindow:
    """From the pre-roll before the first detection to the post-roll after the last."""

    start: datetime
    end: datetime
    is_taken: bool = False
    """Whether recording has turned to it; a window that grows at its end is no longer taken."""


class EventWindows:
    """The windows of one camera, in its capture time, merged where they touch."""

    def __init__(self, pre_roll_s: float, post_roll_s: float) -> None:
        self._windows: list[EventWindow] = []
        self.retune(pre_roll_s, post_roll_s)

    def retune(self, pre_roll_s: float, post_roll_s: float) -> None:
        """Reach as far around the detections to come."""
        self._pre_roll = timedelta(seconds=pre_roll_s)
        self._post_roll = timedelta(seconds=post_roll_s)

    def note(self, captured_at: datetime) -> EventWindow:
        """Add a detection and return the window that it is in now; notes may come late and out of order."""
        window = EventWindow(captured_at - self._pre_roll, captured_at + self._post_roll)
        touching = [other for other in self._windows if other.start <= window.end and window.start <= other.end]
        if touching:
            taken_until = max((other.end for other in touching if other.is_taken), default=None)
            end = max(window.end, *(other.end for other in touching))
            start = min(window.start, *(other.start for other in touching))
            window = EventWindow(start, end, is_taken=taken_until == end)
        others = [other for other in self._windows if other not in touching]
        self._windows = sorted([*others, window], key=lambda other: other.start)[-MAX_WINDOWS:]
        return window

    def take_at(self, captured_at: datetime) -> bool:
        """Tell whether a time lies in a window, which is then taken."""
        holding = [window for window in self._windows if window.start <= captured_at <= window.end]
        for window in holding:
            window.is_taken = True
        return bool(holding)

    def oldest_pending(self) -> EventWindow | None:
        """Return the oldest window that was not taken."""
        return next((window for window in self._windows if not window.is_taken), None)

    def overlap(self, start: datetime, end: datetime) -> bool:
        """Tell whether a stretch of time has some of a window in it."""
        return any(window.start <= end and start <= window.end for window in self._windows)

    def take_all(self) -> None:
        """Leave none pending."""
        for window in self._windows:
            window.is_taken = True
