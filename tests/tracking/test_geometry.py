import math
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nvr.tracking.geometry import (
    Point,
    contains,
    crossing,
    foot_point,
    outline_distance,
    segment_distance,
    side,
)

units = st.floats(0, 1)
anywhere = st.tuples(units, units)
grid = st.tuples(st.integers(-4, 4).map(float), st.integers(-4, 4).map(float))


@st.composite
def polygons(draw: st.DrawFn) -> list[Point]:
    """Star-shaped outlines, convex or not, in either direction."""
    radii = draw(st.lists(st.floats(0.1, 0.5), min_size=3, max_size=16))
    n = len(radii)
    outline = [
        (0.5 + r * math.cos(2 * math.pi * i / n), 0.5 + r * math.sin(2 * math.pi * i / n)) for i, r in enumerate(radii)
    ]
    return outline[::-1] if draw(st.booleans()) else outline


def winding(polygon: list[Point], point: Point) -> int:
    """Say how often the outline goes around a point, from the angles under which its edges are seen."""
    angles = [math.atan2(y - point[1], x - point[0]) for x, y in [*polygon, polygon[0]]]
    turns = sum(math.remainder(after - before, math.tau) for before, after in pairwise(angles))
    return round(turns / math.tau)


@given(polygons(), anywhere)
def test_a_point_is_in_a_polygon_that_goes_around_it(polygon: list[Point], point: Point) -> None:
    assume(outline_distance(polygon, point) > 1e-6)
    assert contains(polygon, point) == (winding(polygon, point) != 0)


@given(polygons(), anywhere, st.integers(0, 15))
def test_it_does_not_matter_where_an_outline_begins_or_which_way_it_goes(
    polygon: list[Point], point: Point, first: int
) -> None:
    turned = polygon[first % len(polygon) :] + polygon[: first % len(polygon)]
    assume(outline_distance(polygon, point) > 1e-9)
    assert contains(turned, point) == contains(polygon, point) == contains(polygon[::-1], point)


@given(st.integers(0, 8), st.integers(0, 8))
def test_of_zones_that_share_an_edge_exactly_one_holds_a_point_on_it(x: int, y: int) -> None:
    tiles = [
        [(0, 0), (4, 0), (4, 4), (0, 4)],
        [(4, 0), (8, 0), (8, 4), (4, 4)],
        [(0, 4), (4, 4), (4, 8), (0, 8)],
        [(4, 4), (8, 4), (8, 8)],
        [(4, 4), (8, 8), (4, 8)],
    ]
    inside = sum(contains(tile, (x, y)) for tile in tiles)
    assert inside == (1 if x < 8 and y < 8 else 0)


@given(anywhere, anywhere, anywhere)
def test_the_distance_to_a_segment_is_that_to_its_nearest_point(start: Point, end: Point, point: Point) -> None:
    sampled = min(
        math.dist(point, (start[0] + t / 200 * (end[0] - start[0]), start[1] + t / 200 * (end[1] - start[1])))
        for t in range(201)
    )
    assert sampled - math.dist(start, end) / 200 - 1e-9 <= segment_distance(start, end, point) <= sampled + 1e-9


@given(polygons())
def test_a_corner_is_at_no_distance_from_its_outline(polygon: list[Point]) -> None:
    assert outline_distance(polygon, polygon[0]) < 1e-9
    assert outline_distance(polygon, (0.5, 0.5)) <= max(math.dist(corner, (0.5, 0.5)) for corner in polygon)


def test_right_of_somebody_who_walks_to_the_right_is_below() -> None:
    assert side((0, 0), (1, 0), (0.5, 2)) == 2
    assert side((0, 0), (1, 0), (9, -2)) == -2
    assert side((0, 1), (0, 0), (3, 0.5)) == 3, "walking up, right is right"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((0.5, -1), (0.5, 1), 1),
        ((0.5, 1), (0.5, -1), -1),
        ((1.5, -1), (1.5, 1), 0),
        ((-1, 0), (2, 0), 0),
        ((0.5, -1), (0.5, -0.5), 0),
        ((1, -1), (1, 1), 1),
        ((0, -1), (0, 1), 1),
        ((0.5, -1), (0.5, 0), 1),
        ((0.5, 0), (0.5, 1), 0),
        ((0.5, 0), (0.5, -1), -1),
        ((0.5, 0.5), (0.5, 0), 0),
        ((-1, -1), (2, 0.4), 0),
    ],
    ids=[
        "in",
        "out",
        "past the end",
        "along",
        "short of it",
        "the end",
        "the start",
        "onto",
        "off",
        "back",
        "touch",
        "b",
    ],
)
def test_a_step_crosses_a_segment_from_left_to_right_or_back(before: Point, after: Point, expected: int) -> None:
    assert crossing((0, 0), (1, 0), before, after) == expected


def exact_crossing(start: Point, end: Point, before: Point, after: Point) -> bool:
    """Say in fractions whether a step that ends on neither side's line has a point with the segment in common."""
    ax, ay, bx, by, cx, cy, dx, dy = (Fraction(each) for point in (start, end, before, after) for each in point)
    cross = (bx - ax) * (dy - cy) - (by - ay) * (dx - cx)
    if cross == 0:
        return False
    t = ((cx - ax) * (dy - cy) - (cy - ay) * (dx - cx)) / cross
    u = ((cx - ax) * (by - ay) - (cy - ay) * (bx - ax)) / cross
    return 0 <= t <= 1 and 0 <= u <= 1


@given(grid, grid, grid, grid)
def test_a_step_crosses_where_it_and_the_segment_have_a_point_in_common(
    start: Point, end: Point, before: Point, after: Point
) -> None:
    assume(start != end and side(start, end, before) != 0 and side(start, end, after) != 0)
    on_an_end = any(
        side(before, after, each) == 0 if before != after else False for each in (start, end)
    )  # where the place of the crossing is rounded
    if not on_an_end:
        assert (crossing(start, end, before, after) != 0) == exact_crossing(start, end, before, after)


@given(grid, grid, grid, grid)
def test_the_way_back_crosses_the_other_way(start: Point, end: Point, before: Point, after: Point) -> None:
    assume(start != end)
    assert crossing(start, end, before, after) == -crossing(start, end, after, before)


@given(st.lists(grid, min_size=2, max_size=30))
def test_whatever_a_path_does_it_crosses_an_endless_line_at_most_once_more_one_way(path: list[Point]) -> None:
    start, end = (0.0, -1000.0), (0.0, 1000.0)
    steps = [crossing(start, end, before, after) for before, after in pairwise(path)]
    is_right = [side(start, end, point) >= 0 for point in path]
    assert sum(steps) == is_right[-1] - is_right[0]
    assert [step for step in steps if step] == [1 if i % 2 == is_right[0] else -1 for i in range(sum(map(abs, steps)))]


def test_an_object_stands_at_the_bottom_centre_of_its_box() -> None:
    assert foot_point((100, 50, 300, 180), (400, 360)) == (0.5, 0.5)


@pytest.mark.parametrize("box", [(90, 10, 110, 100), (90, 10, 150, 140), (-60, -80, -10, 0)])
def test_what_reaches_over_the_edge_stands_just_inside(box: tuple[float, ...]) -> None:
    everything = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
    assert contains(everything, foot_point(box, (100, 100)))
