"""Whether a track moves or stays, and how fast it is, from where its box was."""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

State = Literal["moving", "stationary"]

REST_S = 3.0
"""Who has kept the place for so long is stationary."""
_SPEED_S = 1.0
_STAY_RADIUS = 0.15
_LEAVE_RADIUS = 0.3
"""Both in sizes of the box. A detector's box trembles by a twentieth; a person who turns around stays in the larger."""
_DRIFT_S = 10.0
"""The place of a stationary object follows it in so many seconds: a parked car whose shadow moves does not drive."""
_MAX_PLACES = 64


class Place(NamedTuple):
    """Where the centre of a box was."""

    time_s: float
    x: float
    y: float


@dataclass(slots=True)
class MotionState:
    """State and speed of one track, with a hysteresis between moving and stationary.

    The box's centre is taken as the median of the last three, so that one wild box moves nothing. The object rests
    while that stays within a circle around where it came to rest; once stationary, the circle is larger.
    """

    state: State = "moving"
    _places: "deque[Place]" = field(default_factory=lambda: deque(maxlen=_MAX_PLACES))
    """Those of the last second, the one before them, and at least three."""
    _anchor: Place | None = None
    """Since when and where it rests."""

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
        while len(self._places) > 3 and self._places[1].time_s <= now_s - _SPEED_S:
            self._places.popleft()
        place, anchor = self._smoothed(), self._anchor
        radius = size * (_LEAVE_RADIUS if self.state == "stationary" else _STAY_RADIUS)
        was = self.state
        if anchor is None or math.hypot(place.x - anchor.x, place.y - anchor.y) > radius:
            self._anchor, self.state = place, "moving"
        elif now_s - anchor.time_s >= REST_S:
            self.state = "stationary"
            share = min(1.0, (now_s - self._places[-2].time_s) / _DRIFT_S)
            self._anchor = Place(
                anchor.time_s, anchor.x + share * (place.x - anchor.x), anchor.y + share * (place.y - anchor.y)
            )
        return self.state != was

    @property
    def speed(self) -> float | None:
        """Units per second over the last second, as the crow flies; none after a single look."""
        if len(self._places) < 2:
            return None
        last = self._places[-1]
        first = next((place for place in reversed(self._places) if place.time_s <= last.time_s - _SPEED_S), None)
        first = first or self._places[0]
        return math.hypot(last.x - first.x, last.y - first.y) / (last.time_s - first.time_s)

    def _smoothed(self) -> Place:
        last = self._places[-1]
        if len(self._places) < 3:
            return last
        latest = (self._places[-3], self._places[-2], last)
        return Place(last.time_s, sorted(each.x for each in latest)[1], sorted(each.y for each in latest)[1])
