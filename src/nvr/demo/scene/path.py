"""Where things go: ways that come back to their start when the loop does, so that its seam cannot be seen."""

import math
from dataclasses import dataclass

_FAR_OUT = 3.0


@dataclass(frozen=True, slots=True)
class Position:
    """Where something is at one moment."""

    x: float
    """Fraction of the picture's width; outside 0..1 is out of the picture."""
    heading: int
    """+1 to the right, -1 to the left."""
    travelled: float
    """Way since the loop began, in picture widths."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """Enters at one side and leaves at the other, `rounds` times in a loop; the seam is out of sight."""

    heading: int
    rounds: int
    offset: float
    """Fraction of a round by which it is ahead."""
    margin: float
    """How far out of the picture it turns up, in picture widths: at least half its own width."""

    def at(self, progress: float) -> Position:
        """Return the position at a fraction 0..1 of the loop."""
        span = 1 + 2 * self.margin
        way = (progress * self.rounds + self.offset) % 1.0 * span
        x = way - self.margin
        return Position(x if self.heading > 0 else 1 - x, self.heading, way)


@dataclass(frozen=True, slots=True)
class Pacing:
    """Walks to and fro at an even pace with soft turns, `rounds` times in a loop; never leaves the picture."""

    left: float
    right: float
    rounds: int
    offset: float

    def at(self, progress: float) -> Position:
        """Return the position at a fraction 0..1 of the loop."""
        angle = 2 * math.pi * ((progress * self.rounds + self.offset) % 1.0)
        middle, reach = (self.left + self.right) / 2, (self.right - self.left) / 2
        x = middle - reach * math.cos(angle)
        there = angle <= math.pi
        travelled = reach * (1 - math.cos(angle)) if there else reach * (3 + math.cos(angle))
        return Position(x, 1 if there else -1, travelled)

    @property
    def round_length(self) -> float:
        """Return the way of one round in picture widths."""
        return 2 * (self.right - self.left)


@dataclass(frozen=True, slots=True)
class Visit:
    """Comes in once in a loop and leaves by the other side, or turns back; else it is out of the picture."""

    heading: int
    """With which it comes in: +1 from the left."""
    start: float
    """Fraction of the loop at which its edge reaches the picture."""
    end: float
    """Fraction of the loop at which it is gone."""
    margin: float
    """Half its own width, in picture widths."""
    depth: float | None
    """How far into the picture it comes before it turns back, in picture widths; None = it crosses."""

    def at(self, progress: float) -> Position:
        """Return the position at a fraction 0..1 of the loop."""
        done = (progress - self.start) / (self.end - self.start)
        heading = self.heading
        if not 0 <= done <= 1:
            way = -_FAR_OUT
        elif self.depth is None:
            way = done * (1 + 2 * self.margin)
        else:
            way = self.depth * math.sin(math.pi * done)
            heading = heading if done < 0.5 else -heading
        x = way - self.margin
        return Position(x if self.heading > 0 else 1 - x, heading, way)


Path = Crossing | Pacing | Visit
