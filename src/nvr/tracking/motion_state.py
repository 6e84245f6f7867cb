"""Whether a track moves or stays, and how fast it is, from where its box was in the last seconds."""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Literal, NamedTuple

State = Literal["moving", "stationary"]

WINDOW_S = 3.0
"""Who has kept the place for so long is stationary."""
RECENT_S = 1.0
"""Speed is measured over this time, and who is elsewhere within it moves again."""
_STILL_SPREAD = 0.1
_MOVING_SHIFT = 0.25
"""Both in sizes of the box."""
_MAX_PLACES = 128


class Place(NamedTuple):
    """Where the centre of a box was."""

    time_s: float
    x: float
    y: float


@dataclass(slots=True)
class MotionState:
    """State and speed of one track, with a hysteresis between moving and stationary.

    It comes to rest when the median distance from its median place over `WINDOW_S` is small against its box, and
    moves again when its median place of the last second is off by more. One wild box among many changes no median.
    """

    state: State = "moving"
    _places: "deque[Place]" = field(default_factory=lambda: deque(maxlen=_MAX_PLACES))

    def update(self, now_s: float, x: float, y: float, size: float) -> bool:
        """Take where the box is and tell whether the state changed.

        Args:
            now_s: When the frame was captured; what is not later than the last is left out.
            x: Centre of the box, in any unit.
            y: The same.
            size: Root of the box's area, in the same unit.
        """
        if self._places and now_s <= self._places[-1].time_s:
            return False
        self._places.append(Place(now_s, x, y))
        while len(self._places) > 2 and self._places[1].time_s <= now_s - WINDOW_S:
            self._places.popleft()
        was = self.state
        middle_x, middle_y = _middle(self._places)
        if self.state == "moving":
            spread = median(math.hypot(place.x - middle_x, place.y - middle_y) for place in self._places)
            if now_s - self._places[0].time_s >= WINDOW_S and spread < _STILL_SPREAD * size:
                self.state = "stationary"
        else:
            recent_x, recent_y = _middle(place for place in self._places if place.time_s > now_s - RECENT_S)
            if math.hypot(recent_x - middle_x, recent_y - middle_y) > _MOVING_SHIFT * size:
                self.state = "moving"
        return self.state != was

    @property
    def speed(self) -> float | None:
        """Units per second over the last second, as the crow flies; none after a single look."""
        if len(self._places) < 2:
            return None
        last = self._places[-1]
        first = next(
            before for before, after in pairwise(self._places) if after.time_s > last.time_s - RECENT_S or after is last
        )
        return math.hypot(last.x - first.x, last.y - first.y) / (last.time_s - first.time_s)


def _middle(places: Iterable[Place]) -> tuple[float, float]:
    listed = list(places)
    return median(place.x for place in listed), median(place.y for place in listed)
