import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nvr.detection.merging import Rectangle, area, areas, intersections, merge


@st.composite
def rectangles(draw: st.DrawFn) -> Rectangle:
    left, top = draw(st.integers(0, 600)), draw(st.integers(0, 400))
    return left, top, left + draw(st.integers(1, 200)), top + draw(st.integers(1, 200))


def is_inside(inner: Rectangle, outer: Rectangle) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and outer[2] >= inner[2] and outer[3] >= inner[3]


@given(st.lists(rectangles(), max_size=40), st.integers(1, 12))
def test_each_rectangle_is_inside_one_of_at_most_so_many(boxes: list[Rectangle], most: int) -> None:
    merged = merge(boxes, 100.0, most)
    assert len(merged) <= most
    assert all(any(is_inside(box, around) for around in merged) for box in boxes)
    assert merge(boxes, 100.0, most) == merged


@given(st.lists(rectangles(), min_size=1, max_size=20))
def test_joining_never_costs_more_than_the_overheads_it_saves(boxes: list[Rectangle]) -> None:
    overhead = 100.0
    merged = merge(boxes, overhead, 100)
    before = sum(area(box) + overhead for box in boxes)
    assert sum(area(box) + overhead for box in merged) <= before + 1e-6


def test_what_overlaps_much_is_joined_and_what_is_apart_is_not() -> None:
    assert merge([(0, 0, 10, 10), (2, 0, 12, 10)], 0.0, 8) == [(0, 0, 12, 10)]
    assert merge([(0, 0, 10, 10), (90, 90, 99, 99)], 0.0, 8) == [(0, 0, 10, 10), (90, 90, 99, 99)]


def test_intersections_are_areas_of_pairs() -> None:
    boxes = np.array([[0, 0, 10, 10], [5, 5, 15, 15]], np.float32)
    assert intersections(boxes, boxes).tolist() == [[100, 25], [25, 100]]
    assert areas(boxes).tolist() == [100, 100]
    assert intersections(boxes[:0], boxes).shape == (0, 2)
