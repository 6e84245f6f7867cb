"""Where a box will be: a Kalman filter over any time between two frames, for all tracks of a camera at once.

Each of centre x, centre y, width and height is a position with a velocity that drifts and calms down by itself (an
integrated Ornstein-Uhlenbeck process). For short times this is the constant velocity of SORT and ByteTrack; over
seconds without a look nobody is thought to walk straight on. The four do not influence each other, so the covariance
is three numbers each in place of an 8x8 matrix.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]

_CALM_S = 20.0
"""In this time a velocity forgets 63 % of itself."""
_SPEED = np.array([0.4, 0.4, 0.1, 0.1])
"""By which the velocity of centre x, y, width and height drifts over a long time, in box heights a second."""
_START_SPEED = np.array([0.8, 0.8, 0.1, 0.1])
"""Usual velocity of what was seen once only, in box heights a second: that of a walker."""
_ERROR = np.array([0.07, 0.07, 0.1, 0.1])
"""Usual error of a detector's box, in box heights."""


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """What is believed of n boxes."""

    state: Rows
    """(5, n, 4): position (px), velocity (px/s), variance of position (px²), covariance of both (px²/s), variance of
    velocity (px²/s²); each for centre x, centre y, width, height."""

    @classmethod
    def at(cls, xyxy_px: NDArray[np.floating]) -> Self:
        """Return the belief after boxes were seen for the first time, (n, 4)."""
        position = to_centre(xyxy_px)
        height = position[:, 3:]
        zero = np.zeros_like(position)
        return cls(np.stack([position, zero, (_ERROR * height) ** 2, zero, (_START_SPEED * height) ** 2]))

    def __len__(self) -> int:
        return len(self.state[0])

    @property
    def position(self) -> Rows:
        """(n, 4) centre x, centre y, width, height, px."""
        position: Rows = self.state[0]
        return position

    @property
    def velocity(self) -> Rows:
        """(n, 4) of the same, px/s."""
        velocity: Rows = self.state[1]
        return velocity

    @property
    def position_variance(self) -> Rows:
        """(n, 4) px²."""
        variance: Rows = self.state[2]
        return variance

    @property
    def xyxy_px(self) -> Rows:
        """(n, 4) left, top, right, bottom; sizes are at least one pixel."""
        position = self.state[0]
        half = np.maximum(position[:, 2:], 1) / 2
        return np.concatenate([position[:, :2] - half, position[:, :2] + half], axis=1)

    def select(self, index: NDArray[np.intp]) -> Self:
        """Return some of the boxes."""
        return type(self)(self.state[:, index])

    def joined(self, other: Self) -> Self:
        """Return these boxes and others after them."""
        return type(self)(np.concatenate([self.state, other.state], axis=1))

    def replaced(self, index: NDArray[np.intp], other: Self) -> Self:
        """Return these boxes, with others in the places of some."""
        state = self.state.copy()
        state[:, index] = other.state
        return type(self)(state)

    def after(self, dt_s: float) -> Self:
        """Return the belief some time later; a negative time goes back, and is as uncertain.

        Source of the noise: D. T. Gillespie, "Exact numerical simulation of the Ornstein-Uhlenbeck process and its
        integral", Physical Review E 54, 1996.
        """
        passed_s = abs(dt_s)
        kept = math.exp(-passed_s / _CALM_S)
        reach_s = math.copysign(_CALM_S * (1 - kept), dt_s)
        position, velocity, variance, covariance, velocity_variance = self.state
        usual = (_SPEED * np.maximum(position[:, 3:], 1)) ** 2
        noise_pp = _CALM_S * (2 * passed_s - 4 * abs(reach_s) + _CALM_S * (1 - kept**2))
        noise_pv = math.copysign(_CALM_S * (1 - kept) ** 2, dt_s)
        return type(self)(
            np.stack(
                [
                    position + reach_s * velocity,
                    kept * velocity,
                    variance + reach_s * (2 * covariance + reach_s * velocity_variance) + noise_pp * usual,
                    kept * (covariance + reach_s * velocity_variance) + noise_pv * usual,
                    kept**2 * velocity_variance + (1 - kept**2) * usual,
                ]
            )
        )

    def seen_at(self, xyxy_px: NDArray[np.float32]) -> Self:
        """Return the belief after each box was seen again, (n, 4)."""
        measured = to_centre(xyxy_px)
        position, velocity, variance, covariance, velocity_variance = self.state
        total = variance + (_ERROR * measured[:, 3:]) ** 2
        gain, velocity_gain = variance / total, covariance / total
        surprise = measured - position
        return type(self)(
            np.stack(
                [
                    position + gain * surprise,
                    velocity + velocity_gain * surprise,
                    variance * (1 - gain),
                    covariance * (1 - gain),
                    velocity_variance - velocity_gain * covariance,
                ]
            )
        )

    def resting_at(self, position: Rows) -> Self:
        """Return the belief that each box stands still at an (n, 4) place, as uncertain as before."""
        _, _, variance, _, _ = self.state
        zero = np.zeros_like(position)
        usual = (_START_SPEED * np.maximum(position[:, 3:], 1)) ** 2
        return type(self)(np.stack([position, zero, variance, zero, usual]))


def to_centre(xyxy_px: NDArray[np.floating]) -> Rows:
    """Return centre x, centre y, width, height of (n, 4) boxes."""
    boxes = xyxy_px.astype(np.float64)
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)
