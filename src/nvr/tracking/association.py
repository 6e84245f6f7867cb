"""How well detections fit tracks: overlap of boxes, in view of classes."""

import numpy as np
from numpy.typing import NDArray

from nvr.tracking.assignment import Matrix

Boxes = NDArray[np.float64]
"""(n, 4) left, top, right, bottom."""


def iou_matrix(first: Boxes, second: Boxes) -> Matrix:
    """Return the intersection over union of each of n boxes with each of m, (n, m)."""
    inner = _intersections(first, second)
    total = _areas(first)[:, None] + _areas(second) - inner
    return inner / np.maximum(total, 1e-9)


def covered_shares(boxes: Boxes, regions: Boxes) -> NDArray[np.float64]:
    """Return how much of each box lies in the region that covers most of it, (n,) 0..1; 0 without regions."""
    if len(regions) == 0:
        return np.zeros(len(boxes))
    inner: NDArray[np.float64] = _intersections(boxes, regions).max(axis=1)
    return inner / np.maximum(_areas(boxes), 1e-9)


def grown(boxes: Boxes, by_px: Boxes) -> Boxes:
    """Return boxes whose sides are moved out, by (n, 2) across and down."""
    return np.concatenate([boxes[:, :2] - by_px, boxes[:, 2:] + by_px], axis=1)


def _intersections(first: Boxes, second: Boxes) -> Matrix:
    left_top = np.maximum(first[:, None, :2], second[None, :, :2])
    right_bottom = np.minimum(first[:, None, 2:], second[None, :, 2:])
    size = np.maximum(right_bottom - left_top, 0)
    inner: Matrix = size[..., 0] * size[..., 1]
    return inner


def _areas(boxes: Boxes) -> NDArray[np.float64]:
    areas: NDArray[np.float64] = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return areas
