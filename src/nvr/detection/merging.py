"""Rectangles that cost less together than apart become one."""

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
"""(n, 4) left, top, right, bottom."""


def merge_boxes(boxes: Boxes, overhead_px: float, most: int) -> Boxes:
    """Join boxes while one around two is not larger than both, each with its overhead.

    Args:
        boxes: (n, 4), none empty.
        overhead_px: Area that a rectangle of its own costs besides its own: gutters and the cutting.
        most: So many stay at most; above it the cheapest are joined whatever they cost.
    """
    boxes = boxes.copy()
    while len(boxes) > 1:
        left_top = np.minimum(boxes[:, None, :2], boxes[None, :, :2])
        right_bottom = np.maximum(boxes[:, None, 2:], boxes[None, :, 2:])
        together = np.prod(right_bottom - left_top, axis=2)
        area = areas(boxes)
        price = together - area[:, None] - area[None, :] - overhead_px
        price[np.tril_indices(len(boxes))] = np.inf
        i, j = np.unravel_index(int(price.argmin()), price.shape)
        if price[i, j] > 0 and len(boxes) <= most:
            break
        boxes[i] = np.concatenate([left_top[i, j], right_bottom[i, j]])
        boxes = np.delete(boxes, j, axis=0)
    return boxes


def areas(boxes: Boxes) -> NDArray[np.float32]:
    """Return (n,) width by height."""
    area: NDArray[np.float32] = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return area


def intersections(boxes: Boxes, others: Boxes) -> NDArray[np.float32]:
    """Return (n, m) areas that the boxes have in common with the others."""
    left_top = np.maximum(boxes[:, None, :2], others[None, :, :2])
    right_bottom = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    common: NDArray[np.float32] = np.prod(np.maximum(right_bottom - left_top, 0), axis=2)
    return common
