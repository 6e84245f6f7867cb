"""Tell whether the points of a setting are a polygon: simple, closed by itself, with an inside."""

from collections.abc import Sequence
from itertools import combinations

Point = tuple[float, float]

_LEAST_AREA = 1e-6
"""Of a picture of area 1: one pixel of a 1280x720 picture."""
_ON_LINE = 1e-12
"""Cross products of coordinates in 0..1 are rounded to some 1e-16."""


def check_polygon(points: Sequence[Point]) -> None:
    """Refuse what is no simple polygon; the last point is joined to the first by itself.

    Args:
        points: Coordinates within 0..1, finite.

    Raises:
        ValueError: There are fewer than three points, a point stands twice, edges cross or touch, or the area is
            nothing; names the points.
    """
    if len(points) < 3:
        raise ValueError(f"a polygon has at least 3 points, got {len(points)}")
    seen: set[Point] = set()
    for point in points:
        if point in seen:
            raise ValueError(f"the point {_text(point)} is given twice")
        seen.add(point)
    edges = [(points[i - 1], points[i]) for i in range(len(points))]
    for (i, first), (j, second) in combinations(enumerate(edges), 2):
        if j - i == 1:
            _check_corner(first[0], first[1], second[1])
        elif i == 0 and j == len(edges) - 1:
            _check_corner(second[0], second[1], first[1])
        elif segments_touch(first, second):
            raise ValueError(f"the edges {_edge_text(first)} and {_edge_text(second)} cross or touch")
    if (area := abs(signed_area(points))) < _LEAST_AREA:
        raise ValueError(f"a polygon needs an inside, got an area of {area:.2g} of the picture")


def signed_area(points: Sequence[Point]) -> float:
    """Return the area by the shoelace formula, positive if the points go clockwise on a screen (y down)."""
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(points, [*points[1:], points[0]], strict=True)) / 2


def segments_touch(first: tuple[Point, Point], second: tuple[Point, Point]) -> bool:
    """Tell whether two segments have a point in common.

    Source: Cormen et al., Introduction to Algorithms, 33.1, SEGMENTS-INTERSECT.
    """
    (a, b), (c, d) = first, second
    sides = (_side(c, d, a), _side(c, d, b), _side(a, b, c), _side(a, b, d))
    if sides[0] * sides[1] < 0 and sides[2] * sides[3] < 0:
        return True
    triples = ((c, d, a), (c, d, b), (a, b, c), (a, b, d))
    return any(side == 0 and _is_within(*triple) for side, triple in zip(sides, triples, strict=True))


def _check_corner(before: Point, corner: Point, after: Point) -> None:
    ahead = (corner[0] - before[0]) * (after[0] - corner[0]) + (corner[1] - before[1]) * (after[1] - corner[1])
    if _side(before, corner, after) == 0 and ahead < 0:
        raise ValueError(f"the outline turns back on itself at {_text(corner)}")


def _side(start: Point, end: Point, point: Point) -> int:
    cross = (end[0] - start[0]) * (point[1] - start[1]) - (end[1] - start[1]) * (point[0] - start[0])
    return 0 if abs(cross) <= _ON_LINE else (1 if cross > 0 else -1)


def _is_within(start: Point, end: Point, point: Point) -> bool:
    return all(min(start[i], end[i]) <= point[i] <= max(start[i], end[i]) for i in (0, 1))


def _text(point: Point) -> str:
    return f"({point[0]:g}, {point[1]:g})"


def _edge_text(edge: tuple[Point, Point]) -> str:
    return f"{_text(edge[0])}-{_text(edge[1])}"
