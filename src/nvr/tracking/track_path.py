"""The way of a track in a bounded number of points."""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

MAX_POINTS = 32
_LEAST_STEP = 0.01
"""As a share of the picture; a detector trembles by less."""


class Waypoint(NamedTuple):
    """Where the foot point was."""

    time_s: float
    x: float
    """As a share of the picture, like `y`."""
    y: float


@dataclass(slots=True)
class TrackPath:
    """First, last and the most telling points of a way.

    When it is full, the inner point goes that spans the smallest triangle with its neighbours; which one that is does
    not depend on the picture's shape.

    Source: Visvalingam and Whyatt, Line generalisation by repeated elimination of points, 1993.
    """

    _points: list[Waypoint] = field(default_factory=list)
    _areas: list[float] = field(default_factory=list)
    """Of the triangle of each point with its neighbours; without bound for both ends."""
    _is_tip_loose: bool = False
    """Whether the last point is too near to the one before to stay when another comes."""

    def add(self, time_s: float, x: float, y: float) -> None:
        """Take the next foot point, as shares of the picture; a ten-thousandth is finer than any detector."""
        point = Waypoint(time_s, round(x, 4), round(y, 4))
        if self._is_tip_loose:
            self._points.pop()
            self._areas.pop()
        self._is_tip_loose = bool(self._points) and math.dist(self._points[-1][1:], point[1:]) < _LEAST_STEP
        self._points.append(point)
        self._areas.append(math.inf)
        self._measure(len(self._points) - 2)
        if len(self._points) > MAX_POINTS:
            least = self._areas.index(min(self._areas))
            del self._points[least], self._areas[least]
            self._measure(least - 1)
            self._measure(least)

    @property
    def points(self) -> tuple[Waypoint, ...]:
        """At most `MAX_POINTS`, oldest first."""
        return tuple(self._points)

    def _measure(self, i: int) -> None:
        if 0 < i < len(self._points) - 1:
            (_, ax, ay), (_, bx, by), (_, cx, cy) = self._points[i - 1 : i + 2]
            self._areas[i] = abs((bx - ax) * (cy - ay) - (cx - ax) * (by - ay))
