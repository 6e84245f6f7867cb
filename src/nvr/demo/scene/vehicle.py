"""A car seen from the side, as shapes."""

import math

from nvr.demo.scene.shapes import Capsule, Colour, Panel, Point, Shape, shade

LENGTH_PER_PERSON = 2.45
"""A car's length by the height of a person beside it."""

_GLASS: Colour = (92, 78, 62)
_TYRE: Colour = (34, 32, 32)
_RIM: Colour = (176, 172, 168)


def vehicle_shapes(ground: Point, length_px: float, heading: int, rolled_px: float, paint: Colour) -> list[Shape]:
    """Return a car as shapes from back to front.

    Args:
        ground: The middle of the line on which the wheels stand, in pixels.
        length_px: From bumper to bumper.
        heading: +1 drives to the right, -1 to the left.
        rolled_px: Way driven so far: turns the wheels.
        paint: Colour of the body, BGR.
    """

    def at(x: float, y: float) -> Point:
        return ground[0] + heading * x * length_px, ground[1] - y * length_px

    dark, light = shade(paint, 0.72), shade(paint, 1.18)
    shapes: list[Shape] = [
        Panel((at(-0.5, 0.10), at(-0.49, 0.21), at(-0.42, 0.235), at(0.28, 0.235), at(0.47, 0.185), at(0.5, 0.10),
               at(0.48, 0.055), at(-0.48, 0.055)), paint),
        Panel((at(-0.48, 0.055), at(-0.5, 0.115), at(0.5, 0.115), at(0.48, 0.055)), dark),
        Panel((at(-0.40, 0.225), at(-0.27, 0.335), at(0.06, 0.335), at(0.24, 0.225)), shade(paint, 0.92)),
        Panel((at(-0.34, 0.235), at(-0.25, 0.317), at(-0.11, 0.317), at(-0.11, 0.235)), _GLASS),
        Panel((at(-0.09, 0.235), at(-0.09, 0.317), at(0.05, 0.317), at(0.185, 0.235)), _GLASS),
        Panel((at(-0.33, 0.245), at(-0.30, 0.275), at(-0.13, 0.275), at(-0.13, 0.245)), shade(_GLASS, 1.35)),
        Panel((at(-0.46, 0.218), at(-0.46, 0.230), at(0.28, 0.230), at(0.40, 0.204), at(0.28, 0.218)), light),
        Panel((at(-0.10, 0.12), at(-0.10, 0.225), at(-0.095, 0.225), at(-0.095, 0.12)), dark),
        Panel((at(0.455, 0.135), at(0.44, 0.175), at(0.475, 0.175), at(0.49, 0.135)), (196, 236, 248)),
        Panel((at(-0.495, 0.15), at(-0.49, 0.20), at(-0.46, 0.20), at(-0.465, 0.15)), (40, 36, 196)),
    ]  # fmt: skip
    for axle in (-0.30, 0.30):
        shapes += _wheel(at(axle, 0.072), 0.072 * length_px, rolled_px)
    return shapes


def _wheel(centre: Point, radius: float, rolled_px: float) -> list[Shape]:
    turn = rolled_px / radius if radius else 0.0
    shapes: list[Shape] = [
        Capsule(centre, centre, radius, _TYRE, lit=0),
        Capsule(centre, centre, radius * 0.6, _RIM, lit=0),
    ]
    for spoke in range(3):
        angle = turn + spoke * math.pi / 3
        dx, dy = math.cos(angle) * radius * 0.5, math.sin(angle) * radius * 0.5
        start, end = (centre[0] - dx, centre[1] - dy), (centre[0] + dx, centre[1] + dy)
        shapes.append(Capsule(start, end, radius * 0.09, shade(_RIM, 0.55), lit=0))
    return shapes
