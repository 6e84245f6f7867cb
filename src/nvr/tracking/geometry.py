"""Points, polygons and segments in a plane.

Plain floats: to find ten objects in five zones takes 0.03 ms. shapely takes 0.02, for 10 MB and an LGPL library more,
and holds a point on the border of two zones for outside of both; numpy takes 0.3, supervision 0.8 (`bench/zones.py`).
"""

import math
from collections.abc import Iterable, Sequence

Point = tuple[float, float]

_JUST_INSIDE = 1 - 1e-9


def contains(polygon: Sequence[Point], point: Point) -> bool:
    """Tell whether a point lies in a simple polygon; of polygons that share an edge, exactly one has its points.

    Source: W. R. Franklin, PNPOLY, counts the edges that a ray to the right crosses, half open in y.
    """
    x, y = point
    is_inside = False
    x1, y1 = polygon[-1]
    for x2, y2 in polygon:
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            is_inside = not is_inside
        x1, y1 = x2, y2
    return is_inside


def outline_distance(polygon: Sequence[Point], point: Point) -> float:
    """Return the distance of a point to the nearest edge of a polygon, inside or outside of it."""
    return min(segment_distance(polygon[i - 1], polygon[i], point) for i in range(len(polygon)))


def segment_distance(start: Point, end: Point, point: Point) -> float:
    """Return the distance of a point to a segment."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    px, py = point[0] - start[0], point[1] - start[1]
    length2 = dx * dx + dy * dy
    share = 0.0 if length2 == 0 else min(1.0, max(0.0, (px * dx + py * dy) / length2))
    return math.hypot(px - share * dx, py - share * dy)


def side(start: Point, end: Point, point: Point) -> float:
    """Return the signed distance of a point to the line through two points, which must differ.

    Positive to the right of somebody who walks from `start` to `end` on a screen, whose y points down.
    """
    dx, dy = end[0] - start[0], end[1] - start[1]
    return (dx * (point[1] - start[1]) - dy * (point[0] - start[0])) / math.hypot(dx, dy)


def crossing(start: Point, end: Point, before: Point, after: Point) -> int:
    """Tell how a step crosses a segment: 1 from left to right, -1 from right to left, 0 not.

    A point on the line counts as right of it, so that a path which touches the line and goes back counts
    nothing or one each way, and a path through the line counts one, wherever its steps end.
    """
    side_before, side_after = side(start, end, before), side(start, end, after)
    if (side_before >= 0) == (side_after >= 0):
        return 0
    # always from the left to the right side, so that the way back is rounded alike
    (x0, y0), (x1, y1) = (before, after) if side_after >= 0 else (after, before)
    share = min(side_before, side_after) / -abs(side_before - side_after)
    x, y = x0 + share * (x1 - x0), y0 + share * (y1 - y0)
    dx, dy = end[0] - start[0], end[1] - start[1]
    along = (x - start[0]) * dx + (y - start[1]) * dy
    if not 0 <= along <= dx * dx + dy * dy:
        return 0
    return 1 if side_after >= 0 else -1


def foot_point(xyxy_px: Iterable[float], size_px: tuple[int, int]) -> Point:
    """Return where an object stands: the bottom centre of its box, as shares of the picture, within it.

    A box that ends at the picture's lower or right edge, or reaches over it, stands just inside: a zone that is drawn
    along the edge holds it.
    """
    left, _, right, bottom = xyxy_px
    x, y = (left + right) / 2 / size_px[0], bottom / size_px[1]
    return min(max(x, 0.0), _JUST_INSIDE), min(max(y, 0.0), _JUST_INSIDE)
