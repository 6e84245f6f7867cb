"""Boxes near each other are one object."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.int64]
"""(n, 4) left, top, right, bottom in pixels of one picture."""


def bounds(outlines: Sequence[NDArray[np.integer | np.floating]]) -> Boxes:
    """Return the box around each outline of `cv2.findContours`."""
    boxes = np.array([cv2.boundingRect(outline) for outline in outlines], np.int64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def join_near(boxes: Boxes, gap_px: int, shape: tuple[int, ...]) -> Boxes:
    """Join boxes that overlap or have at most `gap_px` between them, and whatever their union then reaches.

    Two are near if, each grown by half the gap, they touch: drawn into one picture they have one outline. So a look
    costs as much as its boxes, of which snow makes hundreds, and not as much as their pairs.

    Args:
        boxes: (n, 4), inside the picture, none empty.
        gap_px: An even number.
        shape: Rows and columns of the picture.
    """
    while len(boxes) > 1:
        canvas = np.zeros((shape[0] + gap_px, shape[1] + gap_px), np.uint8)
        for left, top, right, bottom in boxes.tolist():
            canvas[top : bottom + gap_px, left : right + gap_px] = 1
        outlines, _ = cv2.findContours(canvas, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        if len(outlines) == len(boxes):
            break
        boxes = bounds(outlines)
        boxes[:, 2:] -= gap_px
    return boxes
