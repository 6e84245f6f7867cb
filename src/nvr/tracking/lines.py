"""Who crosses a line, and which way: once per crossing, however much the box trembles."""

from dataclasses import dataclass
from typing import Literal

from nvr.config.zones import LineConfig
from nvr.tracking.geometry import Point, crossing, side
from nvr.tracking.zones import DWELL_S

Direction = Literal["in", "out"]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a camera whose picture has a known shape."""

    name: str
    start: Point
    """In heights of the picture."""
    end: Point
    classes: frozenset[str]
    """Empty: all."""

    @classmethod
    def from_config(cls, config: LineConfig, aspect: float) -> "Line":
        """Return the line in a picture `aspect` times as wide as high."""
        ends = ((config.start[0] * aspect, config.start[1]), (config.end[0] * aspect, config.end[1]))
        return cls(config.name, *ends, frozenset(config.classes))

    def counts(self, class_name: str) -> bool:
        """Tell whether objects of this class count on it."""
        return not self.classes or class_name in self.classes


@dataclass(frozen=True, slots=True)
class Crossing:
    """An object went over a line."""

    direction: Direction
    crossed_s: float
    """When the first frame beyond the line was captured, in seconds."""


@dataclass(slots=True)
class LineWatch:
    """One object and one line.

    The foot point's steps over the line are summed with their signs. The sum counts once the foot point is a margin
    off the line, or has been on its side for `DWELL_S`: then who trembled over the line and stayed has crossed it
    once, and who trembled and went back has not.
    """

    _last: Point | None = None
    _last_side: float = 0.0
    _net: int = 0
    _last_step_s: float = 0.0

    def update(self, line: Line, foot: Point, margin: float, now_s: float) -> Crossing | None:
        """Take the next foot point, in heights of the picture, and return a crossing that is now sure.

        Args:
            line: Always the same line.
            foot: In heights of the picture.
            margin: How far off the line is off the line, in heights of the picture.
            now_s: When the frame was captured, in seconds.
        """
        foot_side = side(line.start, line.end, foot)
        if self._last is not None and (self._last_side >= 0) != (foot_side >= 0):
            step = crossing(line.start, line.end, self._last, foot)
            if step:
                self._net += step
                self._last_step_s = now_s
        self._last, self._last_side = foot, foot_side
        if self._net == 0:
            return None
        needed = margin / 4 if now_s - self._last_step_s >= DWELL_S else margin
        if abs(foot_side) < needed:
            return None
        net, self._net = self._net, 0
        return Crossing("in" if net > 0 else "out", self._last_step_s)
