"""Where something moves in the small grey pictures of one camera: fast, and rather too much than too little.

`nvr.detection.motion` draws tight boxes around whole objects, for people to see; these are for a network to look at.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from nvr.core.errors import FrameError
from nvr.detection.scene import Luma, Mask, Scene

Polygon = Sequence[tuple[float, float]]
"""Corners x, y as shares of the picture's width and height, 0..1."""

_LEAST_IN_BLOCK = 2
"""Pixels of 2 x 2 that differ: with less, it is noise."""
_LEAST_BLOCKS = 4
"""Blocks of 3 x 3 that differ around a place where something is."""
_GAP = np.ones((5, 5), np.uint8)
"""Parts of one object may be so many blocks apart."""
_LEAST_SHARE = 0.0004
"""Of the picture, with gaps and outline: 23 pixels of 320 x 180, a person 10 pixels high."""
_LEAST_RECENT = 0.03
"""Share of an object's blocks that must have changed lately; else it has come to rest."""
_MOST_OBJECTS = 64
"""The largest of more: so many at once are weather."""


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """What moves in one picture."""

    xyxy_px: NDArray[np.float32]
    """(n, 4) in pixels of the small picture."""
    is_new_scene: bool
    """The whole picture changed, or is the first: nothing can be said of it but that it is worth a look."""


class MotionFinder:
    """Compares each picture with what the camera usually sees. For one thread at a time."""

    def __init__(self, masks: Sequence[Polygon] = ()) -> None:
        """Begin with nothing learnt.

        Args:
            masks: Where motion does not count.
        """
        self._masks = tuple(masks)
        self._scene: Scene | None = None
        self._allowed: Mask | None = None

    def look(self, luma: Luma) -> Motion:
        """Return what moves, and learn from the picture.

        Raises:
            FrameError: It is empty or not (h, w) uint8.
        """
        if luma.ndim != 2 or luma.size == 0 or luma.dtype != np.uint8:
            raise FrameError(f"luma: expected (h, w) uint8, got {luma.shape} {luma.dtype}")
        luma = cv2.GaussianBlur(luma, (3, 3), 0).astype(np.uint8, copy=False)
        if self._scene is None or self._scene.shape != luma.shape:
            self._scene = Scene(luma)
            self._allowed = allowed_by(self._masks, luma.shape) if self._masks else None
            return Motion(np.empty((0, 4), np.float32), is_new_scene=True)
        boxes = find_moving(*self._scene.compare(luma, self._allowed))
        moving = np.zeros(luma.shape, np.uint8)
        for left, top, right, bottom in boxes:
            cv2.rectangle(moving, (left, top), (right - 1, bottom - 1), (1,), cv2.FILLED)
        self._scene.learn(luma, moving)
        return Motion(np.array(boxes, np.float32).reshape(-1, 4), self._scene.is_new)


def allowed_by(masks: Sequence[Polygon], shape: tuple[int, ...]) -> Mask:
    """Return 0 inside of the polygons and 1 elsewhere; `shape` is rows and columns."""
    allowed = np.ones(shape[:2], np.uint8)
    for polygon in masks:
        corners = np.asarray(polygon, np.float64).reshape(-1, 2) * (shape[1], shape[0])
        cv2.fillPoly(allowed, [np.rint(corners).astype(np.int32)], (0,))
    return allowed


def find_moving(foreground: Mask, recent: Mask) -> list[tuple[int, int, int, int]]:
    """Return boxes around what moves in a small picture, in its pixels, the largest first.

    Done in blocks of 2 x 2 pixels, which is four times as fast and does without what is finer than noise.

    Args:
        foreground: (h, w) 0 or 1, what differs from the background.
        recent: (h, w) 0 or 1, what has changed lately.
    """
    height, width = foreground.shape
    if cv2.countNonZero(foreground) < _LEAST_IN_BLOCK:
        return []
    size = ((width + 1) // 2, (height + 1) // 2)
    of_four = cv2.threshold(foreground, 0, 4, cv2.THRESH_BINARY)[1]
    in_block = cv2.resize(of_four, size, interpolation=cv2.INTER_AREA)
    differs = cv2.threshold(in_block, _LEAST_IN_BLOCK - 1, 1, cv2.THRESH_BINARY)[1]
    near = cv2.boxFilter(differs, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
    solid = cv2.threshold(near, _LEAST_BLOCKS - 1, 1, cv2.THRESH_BINARY)[1]
    closed = cv2.morphologyEx(solid, cv2.MORPH_CLOSE, _GAP)
    outlines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    least = _LEAST_SHARE * foreground.size
    found = sorted((cv2.boundingRect(outline) for outline in outlines), key=lambda box: (-box[2] * box[3], box))
    newly = cv2.bitwise_and(foreground, recent)
    moving = []
    for x, y, w, h in found[:_MOST_OBJECTS]:
        left, top, right, bottom = 2 * x, 2 * y, min(2 * (x + w), width), min(2 * (y + h), height)
        if (right - left) * (bottom - top) < least:
            break
        here = np.s_[top:bottom, left:right]
        if cv2.countNonZero(newly[here]) >= _LEAST_RECENT * cv2.countNonZero(foreground[here]):
            moving.append((left, top, right, bottom))
    return moving
