"""Rectangles that cost less together than apart become one."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
"""(n, 4) left, top, right, bottom."""

Rectangle = tuple[float, float, float, float]
"""Left, top, right, bottom."""


def merge(rectangles: Iterable[Rectangle], overhead: float, most: int) -> list[Rectangle]:
    """Join rectangles while the one around two is no larger than both, each with its overhead.

    One after the other finds its cheapest partner, so that many cost little more than few: of 100 at most 1 ms.

    Args:
        rectangles: None empty. Their order decides between equals.
        overhead: Area that a rectangle of its own costs besides what it covers, e.g. gutters.
        most: No more come out; above it the cheapest are joined whatever they cost.
    """
    merged: list[Rectangle] = []
    for rectangle in rectangles:
        new = rectangle
        while merged:
            prices = [_price(new, other) for other in merged]
            cheapest = min(prices)
            if cheapest > overhead and len(merged) < most:
                break
            new = _around(new, merged.pop(prices.index(cheapest)))
        merged.append(new)
    return merged


def _price(a: Rectangle, b: Rectangle) -> float:
    left, top, right, bottom = _around(a, b)
    return (right - left) * (bottom - top) - area(a) - area(b)


def _around(a: Rectangle, b: Rectangle) -> Rectangle:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def area(rectangle: Rectangle) -> float:
    """Return width by height."""
    return (rectangle[2] - rectangle[0]) * (rectangle[3] - rectangle[1])


def areas(boxes: Boxes) -> NDArray[np.float32]:
    """Return (n,) width by height."""
    size = boxes[:, 2:] - boxes[:, :2]
    product: NDArray[np.float32] = size[:, 0] * size[:, 1]
    return product


def intersections(boxes: Boxes, others: Boxes) -> NDArray[np.float32]:
    """Return (n, m) areas that the boxes have in common with the others."""
    size = np.minimum(boxes[:, None, 2:], others[None, :, 2:]) - np.maximum(boxes[:, None, :2], others[None, :, :2])
    np.maximum(size, 0, out=size)
    common: NDArray[np.float32] = size[:, :, 0] * size[:, :, 1]
    return common
