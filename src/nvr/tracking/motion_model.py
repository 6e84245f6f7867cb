"""Where a box will be: a Kalman filter over any time between two frames, for all tracks of a camera at once.

Each of centre x, centre y, width and height is a position with a velocity that drifts and calms down by itself (an
integrated Ornstein-Uhlenbeck process). For short times this is the constant velocity of SORT and ByteTrack; over
seconds without a look nobody is thought to walk straight on. The four do not influence each other, so the covariance
is three numbers each in place of an 8x8 matrix.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]

_CALM_S = 3.0
"""In this time a velocity forgets 63 % of itself."""
_SPEED = np.array([1.0, 1.0, 0.25, 0.25])
"""Usual velocity of centre x, y, width and height, in box heights a second: a walker covers 0.8."""
_ERROR = np.array([0.05, 0.05, 0.08, 0.08])
"""Usual error of a detector's box, in box heights."""


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """What is believed of n boxes; all arrays (n, 4) for centre x, centre y, width, height."""

    position: Rows
    """px"""
    velocity: Rows
    """px/s"""
    position_variance: Rows
    """px²"""
    covariance: Rows
    """Of position and velocity, px²/s."""
    velocity_variance: Rows
    """px²/s²"""

    @classmethod
    def at(cls, xyxy_px: NDArray[np.float32]) -> Self:
        """Return the belief after boxes were seen for the first time, (n, 4)."""
        position = to_centre(xyxy_px)
        height = position[:, 3:]
        zero = np.zeros_like(position)
        return cls(position, zero, (_ERROR * height) ** 2, zero, (_SPEED * height) ** 2)

    def __len__(self) -> int:
        return len(self.position)

    @property
    def xyxy_px(self) -> Rows:
        """(n, 4) left, top, right, bottom; sizes are at least one pixel."""
        half = np.maximum(self.position[:, 2:], 1) / 2
        return np.concatenate([self.position[:, :2] - half, self.position[:, :2] + half], axis=1)

    def select(self, index: NDArray[np.intp]) -> Self:
        """Return some of the boxes."""
        return type(self)(
            self.position[index],
            self.velocity[index],
            self.position_variance[index],
            self.covariance[index],
            self.velocity_variance[index],
        )

    def joined(self, other: Self) -> Self:
        """Return these boxes and others after them."""
        return type(self)(
            np.concatenate([self.position, other.position]),
            np.concatenate([self.velocity, other.velocity]),
            np.concatenate([self.position_variance, other.position_variance]),
            np.concatenate([self.covariance, other.covariance]),
            np.concatenate([self.velocity_variance, other.velocity_variance]),
        )

    def replaced(self, index: NDArray[np.intp], other: Self) -> Self:
        """Return these boxes, with others in the places of some."""
        copy = self.select(np.arange(len(self)))
        copy.position[index] = other.position
        copy.velocity[index] = other.velocity
        copy.position_variance[index] = other.position_variance
        copy.covariance[index] = other.covariance
        copy.velocity_variance[index] = other.velocity_variance
        return copy

    def after(self, dt_s: float) -> Self:
        """Return the belief some time later; a negative time goes back, and is as uncertain.

        Source of the noise: D. T. Gillespie, "Exact numerical simulation of the Ornstein-Uhlenbeck process and its
        integral", Physical Review E 54, 1996.
        """
        passed_s = abs(dt_s)
        kept = float(np.exp(-passed_s / _CALM_S))
        reach_s = _CALM_S * (1 - kept)
        signed_s = float(np.copysign(reach_s, dt_s))
        usual = (_SPEED * np.maximum(self.position[:, 3:], 1)) ** 2
        noise_vv = 1 - kept**2
        noise_pv = _CALM_S * (1 - kept) ** 2
        noise_pp = _CALM_S * (2 * passed_s - 4 * reach_s + _CALM_S * (1 - kept**2))
        return type(self)(
            self.position + signed_s * self.velocity,
            kept * self.velocity,
            self.position_variance
            + 2 * signed_s * self.covariance
            + signed_s**2 * self.velocity_variance
            + noise_pp * usual,
            kept * (self.covariance + signed_s * self.velocity_variance) + float(np.copysign(noise_pv, dt_s)) * usual,
            kept**2 * self.velocity_variance + noise_vv * usual,
        )

    def seen_at(self, xyxy_px: NDArray[np.float32]) -> Self:
        """Return the belief after each box was seen again, (n, 4)."""
        measured = to_centre(xyxy_px)
        error = (_ERROR * measured[:, 3:]) ** 2
        total = self.position_variance + error
        gain, velocity_gain = self.position_variance / total, self.covariance / total
        surprise = measured - self.position
        return type(self)(
            self.position + gain * surprise,
            self.velocity + velocity_gain * surprise,
            self.position_variance * (1 - gain),
            self.covariance * (1 - gain),
            self.velocity_variance - velocity_gain * self.covariance,
        )

    def at_rest(self) -> Self:
        """Return the belief after it was seen that nothing moves."""
        usual = (_SPEED * np.maximum(self.position[:, 3:], 1)) ** 2
        zero = np.zeros_like(self.position)
        return type(self)(self.position, zero, self.position_variance, zero, usual)


def to_centre(xyxy_px: NDArray[np.floating]) -> Rows:
    """Return centre x, centre y, width, height of (n, 4) boxes."""
    boxes = xyxy_px.astype(np.float64)
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)
