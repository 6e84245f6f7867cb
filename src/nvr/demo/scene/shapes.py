"""Limbs and panels: the few shapes that figures are made of, drawn with their shading and measured exactly."""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]
Point = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""

_SHIFT = 4  # sub-pixel places: without them slow figures tremble


@dataclass(frozen=True, slots=True)
class Capsule:
    """A thick line with round ends: a limb, a head, a wheel."""

    start: Point
    end: Point
    radius: float
    colour: Colour
    lit: float = 0.25
    """How much lighter the side towards the light is; 0 = flat."""

    def box(self) -> Box:
        """Return the tight box."""
        (x0, y0), (x1, y1), r = self.start, self.end, self.radius
        return min(x0, x1) - r, min(y0, y1) - r, max(x0, x1) + r, max(y0, y1) + r

    def draw(self, image: Image) -> None:
        """Draw the shape with its light side, in place."""
        self._stroke(image, self.radius, 0.0, shade(self.colour, 1 - self.lit / 2))
        if self.lit and self.radius >= 1.5:
            self._stroke(image, self.radius * 0.62, -self.radius * 0.22, shade(self.colour, 1 + self.lit))

    def _stroke(self, image: Image, radius: float, offset: float, colour: Colour) -> None:
        start = _fixed((self.start[0] + offset, self.start[1] + offset))
        end = _fixed((self.end[0] + offset, self.end[1] + offset))
        fixed_radius = max(1, round(radius * (1 << _SHIFT)))
        for centre in {start, end}:
            cv2.circle(image, centre, fixed_radius, colour, -1, cv2.LINE_AA, _SHIFT)
        length = float(np.hypot(self.end[0] - self.start[0], self.end[1] - self.start[1]))
        if length > 0.5:
            dx, dy = (self.end[0] - self.start[0]) / length, (self.end[1] - self.start[1]) / length
            side = (-dy * radius, dx * radius)
            corners = [
                (self.start[0] + offset + side[0], self.start[1] + offset + side[1]),
                (self.end[0] + offset + side[0], self.end[1] + offset + side[1]),
                (self.end[0] + offset - side[0], self.end[1] + offset - side[1]),
                (self.start[0] + offset - side[0], self.start[1] + offset - side[1]),
            ]
            cv2.fillConvexPoly(image, _fixed_points(corners), colour, cv2.LINE_AA, _SHIFT)


@dataclass(frozen=True, slots=True)
class Panel:
    """A filled convex polygon: a torso, a car's body, a window."""

    corners: tuple[Point, ...]
    colour: Colour

    def box(self) -> Box:
        """Return the tight box."""
        xs, ys = zip(*self.corners, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    def draw(self, image: Image) -> None:
        """Draw the shape, in place."""
        cv2.fillConvexPoly(image, _fixed_points(self.corners), self.colour, cv2.LINE_AA, _SHIFT)


Shape = Capsule | Panel


def draw_shapes(image: Image, shapes: Iterable[Shape]) -> None:
    """Draw shapes from back to front, in place."""
    for shape in shapes:
        shape.draw(image)


def enclosing_box(shapes: Iterable[Shape]) -> Box:
    """Return the tight box around all shapes."""
    lefts, tops, rights, bottoms = zip(*(shape.box() for shape in shapes), strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def draw_shadow(image: Image, centre: Point, half_width: float, half_height: float) -> None:
    """Darken a soft ellipse on the ground, in place."""
    height_px, width_px = image.shape[:2]
    x0, x1 = max(0, int(centre[0] - half_width)), min(width_px, int(centre[0] + half_width) + 1)
    y0, y1 = max(0, int(centre[1] - half_height)), min(height_px, int(centre[1] + half_height) + 1)
    if x0 >= x1 or y0 >= y1:
        return
    dx = (np.arange(x0, x1, dtype=np.float32) - centre[0]) / half_width
    dy = (np.arange(y0, y1, dtype=np.float32) - centre[1]) / half_height
    distance = dx[np.newaxis, :] ** 2 + dy[:, np.newaxis] ** 2
    light = 1 - 0.45 * np.clip(1.1 - distance, 0, 1)
    region = image[y0:y1, x0:x1]
    region[:] = (region * light[..., np.newaxis]).astype(np.uint8)


def shade(colour: Colour, factor: float) -> Colour:
    """Make a colour darker (below 1) or lighter (above 1)."""
    blue, green, red = (min(255, max(0, round(channel * factor))) for channel in colour)
    return blue, green, red


def _fixed(point: Point) -> tuple[int, int]:
    return round(point[0] * (1 << _SHIFT)), round(point[1] * (1 << _SHIFT))


def _fixed_points(points: Iterable[Point]) -> NDArray[np.int32]:
    return np.array([_fixed(point) for point in points], dtype=np.int32)
