"""In which zones an object is, without flicker at their borders."""

from dataclasses import dataclass, field

from nvr.config.zones import ZoneConfig
from nvr.tracking.geometry import Point, contains, outline_distance

DWELL_S = 1.0
"""Who stays beyond a border for so long has crossed it, however close to it."""


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone of a camera whose picture has a known shape."""

    name: str
    polygon: tuple[Point, ...]
    """In heights of the picture, from the left and top edge."""
    classes: frozenset[str]
    """Empty: all."""

    @classmethod
    def from_config(cls, config: ZoneConfig, aspect: float) -> "Zone":
        """Return the zone in a picture `aspect` times as wide as high."""
        return cls(config.name, tuple((x * aspect, y) for x, y in config.polygon), frozenset(config.classes))

    def holds(self, foot: Point, class_name: str) -> bool:
        """Tell whether an object with this foot point, in heights of the picture, stands in it."""
        return (not self.classes or class_name in self.classes) and contains(self.polygon, foot)


@dataclass(slots=True)
class Membership:
    """Whether one object is in one zone.

    A change counts once the foot point is a margin beyond the border, or has been beyond it for `DWELL_S`; it is
    dated back to when the foot point went over.
    """

    is_inside: bool = False
    changed_s: float = 0.0
    """When the last change took place."""
    _is_fresh: bool = True
    _beyond_since_s: float | None = field(default=None)

    def update(self, zone: Zone, foot: Point, class_name: str, margin: float, now_s: float) -> bool:
        """Take the next foot point and tell whether the object came in or left.

        Args:
            zone: Always the same zone.
            foot: In heights of the picture.
            class_name: What the object is now thought to be.
            margin: How far beyond the border counts at once, in heights of the picture.
            now_s: When the frame was captured, in seconds.
        """
        is_beyond = zone.holds(foot, class_name) != self.is_inside
        if not is_beyond:
            self._beyond_since_s = None
        elif self._beyond_since_s is None:
            self._beyond_since_s = now_s
        is_first, self._is_fresh = self._is_fresh, False
        if self._beyond_since_s is None:
            return False
        if not is_first and now_s - self._beyond_since_s < DWELL_S and outline_distance(zone.polygon, foot) < margin:
            return False
        self.is_inside, self.changed_s, self._beyond_since_s = not self.is_inside, self._beyond_since_s, None
        return True
