"""Which events were noticed in time? From what truly was in a clip and what was analysed of it; pure."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

LONG_S = 1.0
"""An event of this length or more must never be missed."""
IN_TIME_S = 0.5
"""After so long at the latest an event has its first analysed frame; a replay counts, whenever it comes."""
LARGEST_GAP_S = 0.55
"""Of an event that goes on, frames are analysed no further apart: two of five a second may fall out."""


@dataclass(frozen=True, slots=True)
class Event:
    """A stretch of media time in which something moves that did not before."""

    start_s: float
    """Of the first frame with it."""
    end_s: float
    """Of the last frame with it."""
    what: str
    area_px: int
    """Of its box, the median over its frames."""

    def length_s(self, frame_s: float) -> float:
        """Return how long it is to be seen; `frame_s` is the time of one frame."""
        return self.end_s - self.start_s + frame_s


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one event."""

    event: Event
    is_long: bool
    delay_s: float | None
    """From its start to the first analysed frame of it; None where there is none."""
    gap_s: float
    """The longest time without an analysed frame from then to its end."""

    @property
    def is_noticed(self) -> bool:
        """Whether its frames were analysed in time, and to its end."""
        return self.is_begun and self.gap_s <= LARGEST_GAP_S

    @property
    def is_begun(self) -> bool:
        """Whether its beginning was analysed in time."""
        return self.delay_s is not None and self.delay_s <= IN_TIME_S

    def describe(self) -> str:
        """Say in a line what became of it."""
        event, length_s = self.event, self.event.end_s - self.event.start_s
        if self.delay_s is None:
            return f"{event.what} of {length_s:.2f} s: no frame was analysed"
        return (
            f"{event.what} of {length_s:.2f} s: first frame after {self.delay_s:.2f} s, longest gap {self.gap_s:.2f} s"
        )


def judge_events(events: Sequence[Event], analysed_s: Sequence[float], frame_s: float) -> list[Verdict]:
    """Return what became of each event.

    Args:
        events: Any order.
        analysed_s: Media times of the frames that were analysed, rising.
        frame_s: Time of one frame: half of it is the tolerance of comparisons.
    """
    return [_judge(event, analysed_s, frame_s) for event in events]


def _judge(event: Event, analysed_s: Sequence[float], frame_s: float) -> Verdict:
    tolerance_s = frame_s / 2
    first = bisect_left(analysed_s, event.start_s - tolerance_s)
    end = bisect_left(analysed_s, event.end_s + tolerance_s)
    seen_s = analysed_s[first:end]
    is_long = event.length_s(frame_s) >= LONG_S - tolerance_s
    if not seen_s:
        return Verdict(event, is_long, None, 0.0)
    stops_s = [*seen_s, event.end_s]
    gap_s = max(later_s - earlier_s for earlier_s, later_s in pairwise(stops_s))
    return Verdict(event, is_long, max(0.0, seen_s[0] - event.start_s), gap_s)


def share_begun(verdicts: Sequence[Verdict]) -> float:
    """Return those whose beginning was analysed in time in percent; 100 of none."""
    return 100.0 * sum(verdict.is_begun for verdict in verdicts) / len(verdicts) if verdicts else 100.0


def share_noticed(verdicts: Sequence[Verdict]) -> float:
    """Return the noticed ones in percent; 100 of none."""
    return 100.0 * sum(verdict.is_noticed for verdict in verdicts) / len(verdicts) if verdicts else 100.0
