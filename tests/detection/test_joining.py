import itertools

import numpy as np
import pytest

from nvr.detection.joining import Boxes, join_near

SHAPE = (180, 320)
GAP_PX = 6


def joined_one_by_one(boxes: list[list[int]]) -> list[list[int]]:
    """Join the first two boxes that are near each other until there are none; slow and plain."""
    while True:
        near = (
            (a, b)
            for a, b in itertools.combinations(boxes, 2)
            if all(a[i] <= b[i + 2] + GAP_PX and b[i] <= a[i + 2] + GAP_PX for i in (0, 1))
        )
        pair = next(near, None)
        if pair is None:
            return sorted(boxes)
        a, b = pair
        union = [min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])]
        boxes = [box for box in boxes if box is not a and box is not b] + [union]


def random_boxes(seed: int) -> Boxes:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 60))
    left, top = rng.integers(0, SHAPE[1], n), rng.integers(0, SHAPE[0], n)
    width, height = rng.integers(1, 25, n), rng.integers(1, 25, n)
    right, bottom = np.minimum(left + width, SHAPE[1]), np.minimum(top + height, SHAPE[0])
    return np.stack([left, top, right, bottom], axis=1).astype(np.int64)


@pytest.mark.parametrize("seed", range(100))
def test_gives_what_joining_pair_by_pair_gives(seed: int) -> None:
    boxes = random_boxes(seed)
    assert sorted(join_near(boxes, GAP_PX, SHAPE).tolist()) == joined_one_by_one(boxes.tolist())


@pytest.mark.parametrize(("distance_px", "n"), [(6, 1), (7, 2)])
@pytest.mark.parametrize("step", [(1, 0), (0, 1), (1, 1)])
def test_the_gap_counts_up_to_its_last_pixel(step: tuple[int, int], distance_px: int, n: int) -> None:
    left, top = (10 + part * (10 + distance_px) for part in step)
    boxes = np.array([[10, 10, 20, 20], [left, top, left + 10, top + 10]], np.int64)
    assert len(join_near(boxes, GAP_PX, SHAPE)) == n


def test_a_union_takes_what_lies_inside_and_what_it_reaches() -> None:
    # Two long ones make a corner; their union holds the third and only then comes near the fourth.
    boxes = np.array([[10, 10, 100, 14], [10, 14, 14, 100], [60, 60, 70, 70], [104, 90, 110, 95]], np.int64)
    assert join_near(boxes, GAP_PX, SHAPE).tolist() == [[10, 10, 110, 100]]


def test_nothing_stays_nothing() -> None:
    assert join_near(np.empty((0, 4), np.int64), GAP_PX, SHAPE).shape == (0, 4)
