"""What a camera usually sees, learnt picture by picture, and what differs from it.

A running average and its usual deviation per pixel, in the manner of a background model with one Gaussian. Measured
at 320x180: 0.2 ms a picture (`cv2.BackgroundSubtractorMOG2` 0.6 to 3 ms, and it has no idea of a light switch).
Counted in pictures, not in seconds: made for about 2 to 15 of them a second.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Luma = NDArray[np.uint8]
"""(h, w) grey levels of a small picture."""

Mask = NDArray[np.uint8]
"""(h, w) of 0 and 1."""

_LEAST_CONTRAST = 14.0
_DEVIATIONS = 4.0
_FRAME_CONTRAST = 10
_HOLD = 15
"""Pictures for which a pixel counts as moving after its last change."""
_CALM_RATE = 0.05
_MOVING_RATE = 0.002
"""A person may stand for hundreds of pictures before they belong to the background."""
_CLUTTER_RATE = 0.01
_CLUTTER_SHARE = 0.6
"""A pixel that changes in more than this share of all pictures is a tree, water or a screen."""
_RELEARN_SHIFT = 20
"""Grey levels; a larger step changes contrasts too."""
_RELEARN_SHARE = 0.6
"""More of the picture than this is a light switch or a moved camera, not an object."""


class Scene:
    """The background of one camera. For one thread at a time."""

    def __init__(self, luma: Luma) -> None:
        self._is_new = True
        self._relearn(luma)

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns of the pictures that it knows."""
        return self._background.shape

    @property
    def is_new(self) -> bool:
        """Whether the last picture became the background at once."""
        return self._is_new

    def compare(self, luma: Luma) -> tuple[Mask, Mask]:
        """Tell what is new in the next picture; `learn` from the same picture afterwards.

        Returns:
            What differs from the background, and what has changed within the last pictures. Both are empty after a
            change of the whole picture, which becomes the background at once.
        """
        difference = luma - self._background
        # A small exposure step lifts all pixels alike: it belongs to the background.
        shift = float(np.median(difference[::4, ::4]))
        if abs(shift) > 1:
            difference -= shift
            self._background += shift
        magnitude = np.abs(difference)
        foreground = magnitude > np.maximum(_LEAST_CONTRAST, _DEVIATIONS * self._deviation)
        self._is_new = abs(shift) > _RELEARN_SHIFT or np.count_nonzero(foreground) > _RELEARN_SHARE * foreground.size
        if self._is_new:
            self._relearn(luma)
            return np.zeros(luma.shape, np.uint8), np.zeros(luma.shape, np.uint8)
        self._magnitude = magnitude
        self._note_changes(luma, shift)
        return (foreground & (self._clutter < _CLUTTER_SHARE)).astype(np.uint8), (self._recency > 0).astype(np.uint8)

    def learn(self, luma: Luma, moving: Mask) -> None:
        """Take a picture into the background: slowly where objects move, else at once.

        What differs but has come to rest (a parked car, the hole that it left) is learnt like calm ground.
        """
        calm = 1 - moving
        cv2.accumulateWeighted(luma, self._background, _CALM_RATE, mask=calm)
        cv2.accumulateWeighted(luma, self._background, _MOVING_RATE, mask=moving)
        cv2.accumulateWeighted(self._magnitude, self._deviation, _CALM_RATE, mask=calm)

    def _relearn(self, luma: Luma) -> None:
        self._background = luma.astype(np.float32)
        self._deviation = np.full(luma.shape, 3, np.float32)
        self._magnitude = np.zeros(luma.shape, np.float32)
        self._recency = np.zeros(luma.shape, np.uint8)
        self._clutter = np.zeros(luma.shape, np.float32)
        self._previous = luma

    def _note_changes(self, luma: Luma, shift: float) -> None:
        changed = cv2.absdiff(luma, self._previous) > _FRAME_CONTRAST + abs(shift)
        self._recency -= self._recency > 0
        self._recency[changed] = _HOLD
        cv2.accumulateWeighted(changed.astype(np.uint8), self._clutter, _CLUTTER_RATE)
        self._previous = luma
