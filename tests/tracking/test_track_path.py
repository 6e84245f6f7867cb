import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from nvr.tracking.geometry import segment_distance
from nvr.tracking.track_path import MAX_POINTS, TrackPath

Way = list[tuple[float, float]]
units = st.integers(0, 10_000).map(lambda each: each / 10_000)
"""Shares of the picture to the digit that paths are kept to."""


def path_of(way: Way) -> TrackPath:
    path = TrackPath()
    for i, (x, y) in enumerate(way):
        path.add(i * 0.2, x, y)
    return path


def detour(path: TrackPath, way: Way) -> float:
    """Return the largest distance of a place of the way from the path."""
    corners = [(point.x, point.y) for point in path.points]
    return max(min(segment_distance(a, b, place) for a, b in pairwise(corners)) for place in way)


@given(st.lists(st.tuples(units, units), min_size=1, max_size=200))
def test_a_path_is_bounded_in_order_and_keeps_both_ends(way: Way) -> None:
    points = path_of(way).points
    assert 1 <= len(points) <= MAX_POINTS
    assert (points[0].x, points[0].y) == way[0]
    assert (points[-1].x, points[-1].y) == way[-1]
    assert points[-1].time_s == (len(way) - 1) * 0.2
    assert all(before.time_s < after.time_s for before, after in pairwise(points))
    assert {(point.x, point.y) for point in points} <= set(way), "no point is made up"


def test_who_stands_still_has_no_more_than_a_beginning_and_an_end() -> None:
    assert len(path_of([(0.5 + i % 3 * 0.001, 0.5) for i in range(1000)]).points) == 2


def test_a_long_walk_around_a_block_keeps_its_corners() -> None:
    corners = [(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9), (0.1, 0.1)]
    way = [
        (a[0] + i / 200 * (b[0] - a[0]), a[1] + i / 200 * (b[1] - a[1]))
        for a, b in pairwise(corners)
        for i in range(200)
    ]
    assert detour(path_of(way), way) < 0.01


def test_a_winding_way_is_followed_closely() -> None:
    way = [(i / 2000, 0.5 + 0.3 * math.sin(i / 2000 * 4 * math.pi)) for i in range(2000)]
    assert detour(path_of(way), way) < 0.02
