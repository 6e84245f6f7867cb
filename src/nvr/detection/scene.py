"""What a camera usually sees, learnt picture by picture, and what differs from it.

A running average and its usual deviation per pixel, in the manner of a background model with one Gaussian; compared
in bytes, which OpenCV does at 10 bytes a cycle. Measured at 320x180: 0.1 ms a picture (`cv2.BackgroundSubtractorMOG2`
0.6 to 3 ms, and it has no idea of a light switch or of a shaken camera).
Counted in pictures, not in seconds: made for about 2 to 15 of them a second.
"""

from collections import deque
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", np.uint8, np.float32)

Luma = NDArray[np.uint8]
"""(h, w) grey levels of a small picture."""

Mask = NDArray[np.uint8]
"""(h, w) of 0 and 1."""

_LEAST_CONTRAST = 14
_DEVIATIONS = 4.0
_FIRST_DEVIATION = 3.0
_SAMPLE = 8
"""Of so many pixels in each direction one tells of the exposure: 900 of 320x180."""
_FRAME_CONTRAST = 10
_LAG = 3
"""Pictures between the two that tell what has changed: a slow thing moves a pixel in them."""
_HOLD = 15
"""Pictures for which a pixel counts as moving after its last change."""
_LEARN_EVERY = 2
"""Pictures of which one is learnt: twice as much of half as many, at half the cost."""
_CALM_RATE = 0.1
_MOVING_RATE = 0.004
"""A person may stand for hundreds of pictures before they belong to the background."""
_CLUTTER_RATE = 0.05
_CLUTTER_SHARE = 0.6
"""A pixel that changes in more than this share of all pictures is a tree, water or a screen."""
_CLUTTER_EVERY = 5
"""Pictures of which one tells which pixels those are."""
_RELEARN_SHIFT = 20
"""Grey levels; a larger step changes contrasts too."""
_RELEARN_SHARE = 0.6
"""More of the picture than this is a light switch or a moved camera, not an object."""
_RELEARN_JUMP = 0.3
"""The same for what comes from one picture to the next, as a lamp that lights a part of the picture."""
_SHAKE_JUMP = 0.03
"""So much more that differs from one picture to the next, and the camera may have been shaken."""
_SHAKE_HOLD = 25
"""Pictures for which edges may differ after a shake: it comes in many, and not by whole pixels."""
_SHAKEN_REST = 0.4
"""Of what differs so much may remain after following a shake; else it was none."""
_MOST_SHAKE_PX = 16
_LEAST_RESPONSE = 0.4
"""Of the phase correlation: above 0.9 for a shaken picture, up to 0.25 between unrelated ones."""


class Scene:
    """The background of one camera. For one thread at a time."""

    def __init__(self, luma: Luma) -> None:
        self._is_new = True
        self._share = 0.0
        self._shaky_for = 0
        self._relearn(luma)

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns of the pictures that it knows."""
        return self._background.shape

    @property
    def is_new(self) -> bool:
        """Whether the last picture became the background at once."""
        return self._is_new

    def compare(self, luma: Luma, allowed: Mask | None = None) -> tuple[Mask, Mask]:
        """Tell what is new in the next picture; `learn` from the same picture afterwards.

        Args:
            luma: The picture.
            allowed: 1 where anything counts; None for everywhere.

        Returns:
            What differs from the background, and what has changed within the last pictures. Both are empty after a
            change of the whole picture, which becomes the background at once.
        """
        shift = self._follow_exposure(luma)
        foreground = self._foreground(luma, self._known, allowed)
        share = _share(foreground)
        if share - self._share > _SHAKE_JUMP and self._follow_shake(luma, allowed, share):
            foreground = self._foreground(luma, self._known, allowed)
            share = _share(foreground)
        self._is_new = abs(shift) > _RELEARN_SHIFT or share > min(_RELEARN_SHARE, self._share + _RELEARN_JUMP)
        if self._is_new:
            self._relearn(luma)
            return np.zeros(luma.shape, np.uint8), np.zeros(luma.shape, np.uint8)
        self._share = share
        self._note_changes(luma, shift)
        return foreground, _ones(self._recency, 0)

    def learn(self, luma: Luma, moving: Mask) -> None:
        """Take a picture into the background: slowly where objects move, else at once.

        What differs but has come to rest (a parked car, the hole that it left) is learnt like calm ground.
        """
        self._n_learnt += 1
        if self._n_learnt % _LEARN_EVERY:
            return
        calm = 1 - moving
        cv2.accumulateWeighted(luma, self._background, _CALM_RATE, mask=calm)
        cv2.accumulateWeighted(luma, self._background, _MOVING_RATE, mask=moving)
        cv2.accumulateWeighted(self._magnitude, self._deviation, _CALM_RATE, mask=calm)
        self._round()

    def _round(self) -> None:
        """Note as bytes what each picture is compared with."""
        self._known = cv2.convertScaleAbs(self._background).astype(np.uint8, copy=False)
        limit = cv2.convertScaleAbs(self._deviation, alpha=_DEVIATIONS)
        self._limit = np.maximum(limit, _LEAST_CONTRAST).astype(np.uint8, copy=False)

    def _relearn(self, luma: Luma) -> None:
        self._background = luma.astype(np.float32)
        self._deviation = np.full(luma.shape, _FIRST_DEVIATION, np.float32)
        self._magnitude = np.zeros(luma.shape, np.uint8)
        self._recency = np.zeros(luma.shape, np.uint8)
        self._one = np.ones(luma.shape, np.uint8)
        self._clutter = np.zeros(luma.shape, np.float32)
        self._steady: Mask | None = None
        self._recent = deque([luma], maxlen=_LAG)
        self._share = 0.0
        self._shaky_for = 0
        self._n_compared = 0
        self._n_learnt = 0
        self._round()

    def _follow_exposure(self, luma: Luma) -> float:
        """Lift the background by what all pixels have in common: a small exposure step is no motion."""
        sample = luma[::_SAMPLE, ::_SAMPLE].astype(np.int16)
        sample -= self._known[::_SAMPLE, ::_SAMPLE]
        middle = sample.size // 2
        shift = float(np.partition(sample.ravel(), middle)[middle])
        if abs(shift) <= 1:
            return 0.0
        self._background += np.float32(shift)
        self._round()
        return shift

    def _foreground(self, luma: Luma, known: Luma, allowed: Mask | None) -> Mask:
        self._magnitude = cv2.absdiff(luma, known).astype(np.uint8, copy=False)
        limit = self._limit
        if self._shaky_for:
            edges = cv2.morphologyEx(known, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
            limit = cv2.add(limit, edges).astype(np.uint8, copy=False)
        foreground = _ones(cv2.subtract(self._magnitude, limit).astype(np.uint8, copy=False), 0)
        for mask in (self._steady, allowed):
            if mask is not None:
                foreground &= mask
        return foreground

    def _note_changes(self, luma: Luma, shift: float) -> None:
        contrast = _FRAME_CONTRAST + abs(shift)
        changed = _ones(cv2.absdiff(luma, self._recent[0]).astype(np.uint8, copy=False), contrast)
        self._recency = cv2.max(cv2.subtract(self._recency, self._one), changed * np.uint8(_HOLD)).astype(
            np.uint8, copy=False
        )
        self._recent.append(luma)
        self._shaky_for = max(0, self._shaky_for - 1)
        self._n_compared += 1
        if self._n_compared % _CLUTTER_EVERY == 0:
            cv2.accumulateWeighted(changed, self._clutter, _CLUTTER_RATE)
            steady = (self._clutter < _CLUTTER_SHARE).astype(np.uint8)
            self._steady = None if steady.all() else steady

    def _follow_shake(self, luma: Luma, allowed: Mask | None, share: float) -> bool:
        """Move all that is known along with the picture; False where that explains nothing of what differs."""
        known = self._known
        moved = shake_between(known, luma)
        if moved is None:
            return False
        shaky_for, self._shaky_for = self._shaky_for, _SHAKE_HOLD
        if _share(self._foreground(luma, _moved(known, *moved, luma), allowed)) > _SHAKEN_REST * share:
            self._shaky_for = shaky_for
            return False
        if moved != (0, 0):
            self._background = _moved(self._background, *moved, luma)
            self._deviation = _moved(self._deviation, *moved, _FIRST_DEVIATION)
            self._clutter = _moved(self._clutter, *moved, 0)
            self._recency = _moved(self._recency, *moved, 0)
            self._recent = deque((_moved(picture, *moved, luma) for picture in self._recent), maxlen=_LAG)
            self._steady = None
            self._round()
        return True


def shake_between(before: Luma, after: Luma) -> tuple[int, int] | None:
    """Return by how many pixels a picture has moved right and down as a whole; None where it has not.

    Found by phase correlation in pictures of half the size: 0.2 ms.
    """
    size = (before.shape[1] // 2, before.shape[0] // 2)
    if min(size) < _MOST_SHAKE_PX:
        return None
    halves = [cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32) for picture in (before, after)]
    (x, y), response = cv2.phaseCorrelate(halves[0], halves[1], cv2.createHanningWindow(size, cv2.CV_32F))
    right, down = round(2 * x), round(2 * y)
    if response < _LEAST_RESPONSE or max(abs(right), abs(down)) > _MOST_SHAKE_PX:
        return None
    return right, down


def _moved(array: NDArray[T], right: int, down: int, edge: Luma | float) -> NDArray[T]:
    """Return an array moved by some pixels; what comes in at the edges is taken from `edge`."""
    moved = np.roll(array, (down, right), (0, 1))
    filling = np.broadcast_to(np.asarray(edge, array.dtype), array.shape)
    height, width = array.shape
    for place in (
        np.s_[:down] if down > 0 else np.s_[height + down :],
        np.s_[:, :right] if right > 0 else np.s_[:, width + right :],
    ):
        moved[place] = filling[place]
    return moved


def _share(mask: Mask) -> float:
    return cv2.countNonZero(mask) / mask.size


def _ones(values: NDArray[np.uint8], above: float) -> Mask:
    return cv2.threshold(values, above, 1, cv2.THRESH_BINARY)[1].astype(np.uint8, copy=False)
