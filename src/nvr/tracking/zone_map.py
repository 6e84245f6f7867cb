"""The zones and lines of one camera, laid over pictures of one size."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nvr.config.zones import LineConfig, ZoneConfig
from nvr.core.errors import InvalidInputError
from nvr.tracking.geometry import Point, foot_point
from nvr.tracking.lines import Line
from nvr.tracking.zones import Zone


@dataclass(frozen=True, slots=True)
class ZoneMap:
    """Distances within it are in heights of the picture, so that a circle is a circle."""

    size_px: tuple[int, int]
    zones: tuple[Zone, ...]
    lines: tuple[Line, ...]

    @classmethod
    def of(cls, zones: Sequence[ZoneConfig], lines: Sequence[LineConfig], size_px: tuple[int, int]) -> "ZoneMap":
        """Lay zones and lines over a picture.

        Raises:
            InvalidInputError: A side of the picture is not positive.
        """
        width, height = size_px
        if width <= 0 or height <= 0:
            raise InvalidInputError(f"a picture has a width and a height, got {size_px}")
        return cls(
            size_px,
            tuple(Zone.from_config(zone, width / height) for zone in zones),
            tuple(Line.from_config(line, width / height) for line in lines),
        )

    @property
    def aspect(self) -> float:
        """Width of the picture divided by its height."""
        return self.size_px[0] / self.size_px[1]

    def foot(self, xyxy_px: Iterable[float]) -> Point:
        """Return the foot point of a box in heights of the picture."""
        x, y = foot_point(xyxy_px, self.size_px)
        return x * self.aspect, y

    def zones_at(self, xyxy_px: Iterable[float], class_name: str) -> tuple[str, ...]:
        """Return the names of the zones that one box stands in, without memory of where it was before."""
        foot = self.foot(xyxy_px)
        return tuple(zone.name for zone in self.zones if zone.holds(foot, class_name))
