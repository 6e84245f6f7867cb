"""Where something moves in the small grey pictures of one camera."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from nvr.detection.motion import boxes_mask, find_objects
from nvr.detection.scene import Luma, Scene


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """What moves in one picture."""

    xyxy_px: NDArray[np.float32]
    """(n, 4) in pixels of the small picture."""
    is_new_scene: bool
    """The whole picture changed, or is the first: nothing can be said of it but that it is worth a look."""


class MotionFinder:
    """Compares each picture with what the camera usually sees. For one thread at a time."""

    def __init__(self) -> None:
        self._scene: Scene | None = None

    def look(self, luma: Luma) -> Motion:
        """Return what moves, and learn from the picture."""
        luma = cv2.GaussianBlur(luma, (3, 3), 0).astype(np.uint8, copy=False)
        if self._scene is None or self._scene.shape != luma.shape:
            self._scene = Scene(luma)
            return Motion(np.empty((0, 4), np.float32), is_new_scene=True)
        found = find_objects(*self._scene.compare(luma))
        self._scene.learn(luma, boxes_mask(found.xyxy_px, luma.shape))
        return Motion(found.xyxy_px, self._scene.is_new)
