"""Tell from small luma pictures whether a camera shows anything: black, one even grey, frozen, or all well. Pure.

Looked at about once a second, so it sees states and not cuts. What moves is for `nvr.media.motion_gate`.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

BLACK_LEVEL = 32
"""Luma up to this counts as dark: black is 16 in video, 0 in JPEG, and a covered sensor adds its noise."""

EVEN_LEVELS = 8
"""Pixels so near to the mean are all one grey."""

PLAIN_SHARE = 0.98
"""Of the pixels must be dark, or one grey; the rest is the clock that a camera writes into its picture."""

PLAIN_AFTER_S = 5.0
"""So long a picture must be black or even: films fade, and headlights dazzle."""

ALIVE_SHARE = 0.005
"""Of the pixels must differ for the picture to live: more than the seconds of a clock that runs on over a still one.
Between two pictures of a real sensor every third differs at least, if only by one level and after hard compression."""

FLICKER_SHARE = 0.02
"""So many may differ by one level where hardly any differs by more: a still picture that is coded again and again."""

FROZEN_AFTER_S = 15.0
"""So long nothing may change: cameras that code quiet scenes sparely repeat pictures for some seconds."""

FROZEN_LOOKS = 4
"""And so many pictures must have been the same, where they come slowly."""

SAMPLE_ROWS = 45
"""About so many rows are looked at, and columns in proportion."""

Luma = NDArray[np.uint8]


class PictureState(StrEnum):
    """What is wrong with the picture."""

    GOOD = "good"
    BLACK = "black"
    EVEN = "even"
    """One grey or colour all over: no signal behind an encoder, a lens that is covered or dazzled."""
    FROZEN = "frozen"
    """Packets come, and all show the same."""


@dataclass(frozen=True, slots=True)
class PictureVerdict:
    """What a look at the pictures so far says."""

    state: PictureState
    reason: str
    """A sentence for people; empty while the picture is good."""


GOOD = PictureVerdict(PictureState.GOOD, "")


class PictureHealth:
    """Watches the pictures of one camera; used by one thread."""

    def __init__(self) -> None:
        self._reference: Luma | None = None
        self._same_since_s = 0.0
        self._same_looks = 0
        self._plain = PictureState.GOOD
        self._plain_since_s = 0.0

    def look(self, luma: Luma, at_s: float) -> PictureVerdict:
        """Judge the next picture.

        Args:
            luma: (h, w) uint8, any size from 1 x 1; a view will do, nothing of it is kept.
            at_s: Monotonic seconds at which it arrived.
        """
        step = max(1, luma.shape[0] // SAMPLE_ROWS)
        sample = luma[::step, ::step].copy()
        plain = _plainness(sample)
        if plain is not self._plain:
            self._plain, self._plain_since_s = plain, at_s
        self._compare(sample, at_s)
        if plain is not PictureState.GOOD and at_s - self._plain_since_s >= PLAIN_AFTER_S:
            return _PLAIN_VERDICTS[plain]
        same_s = at_s - self._same_since_s
        if self._same_looks >= FROZEN_LOOKS and same_s >= FROZEN_AFTER_S:
            return PictureVerdict(PictureState.FROZEN, f"the picture has not changed for {same_s:.0f} s")
        return GOOD

    def forget(self) -> None:
        """Begin anew, as after a new connection."""
        self._reference, self._plain = None, PictureState.GOOD

    def _compare(self, sample: Luma, at_s: float) -> None:
        reference = self._reference
        if reference is not None and reference.shape == sample.shape and _is_same(sample, reference):
            self._same_looks += 1  # the reference stays, so that slow changes add up
        else:
            self._reference, self._same_since_s, self._same_looks = sample, at_s, 1


_PLAIN_VERDICTS = {
    PictureState.BLACK: PictureVerdict(PictureState.BLACK, "the picture is black"),
    PictureState.EVEN: PictureVerdict(
        PictureState.EVEN, "the picture is one even grey or colour: no signal, or something covers the lens"
    ),
}


def _plainness(sample: Luma) -> PictureState:
    needed = PLAIN_SHARE * sample.size
    if np.count_nonzero(sample <= BLACK_LEVEL) >= needed:
        return PictureState.BLACK
    mean = int(np.add.reduce(sample, axis=None, dtype=np.uint32)) // sample.size
    # unsigned numbers below the least turn into large ones, so that one comparison does for both ends
    near = np.subtract(sample, np.uint8(max(0, mean - EVEN_LEVELS))) <= 2 * EVEN_LEVELS
    return PictureState.EVEN if np.count_nonzero(near) >= needed else PictureState.GOOD


def _is_same(sample: Luma, reference: Luma) -> bool:
    changed = int(np.count_nonzero(sample != reference))
    if changed <= ALIVE_SHARE * sample.size:
        return True
    if changed > FLICKER_SHARE * sample.size:
        return False
    by_more = np.maximum(sample, reference) - np.minimum(sample, reference) > 1
    return int(np.count_nonzero(by_more)) * 10 <= ALIVE_SHARE * sample.size
