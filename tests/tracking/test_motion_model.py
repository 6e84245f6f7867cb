import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nvr.tracking.motion_model import Motion

BOX = np.array([[100, 50, 140, 150]], np.float32)
SECONDS = st.floats(-10, 10)


def moving() -> Motion:
    motion = Motion.at(BOX)
    for i in range(1, 10):
        motion = motion.after(0.2).seen_at(BOX + np.float32(20 * i) * np.array([1, 0, 1, 0], np.float32))
    return motion


def covariances(motion: Motion) -> NDArray[np.float64]:
    _, _, variance, covariance, velocity_variance = motion.state
    return np.stack([variance, covariance, covariance, velocity_variance], axis=-1).reshape(-1, 2, 2)


def test_a_steady_walk_is_learnt() -> None:
    assert moving().velocity[0] == pytest.approx([100, 0, 0, 0], abs=5)


@given(SECONDS, SECONDS)
def test_two_steps_of_a_direction_are_as_one(first_s: float, second_s: float) -> None:
    first_s, second_s = abs(first_s), abs(second_s)
    together = moving().after(first_s + second_s).state
    assert moving().after(first_s).after(second_s).state == pytest.approx(together, rel=1e-6, abs=1e-6)


@given(SECONDS)
def test_every_belief_is_a_distribution(passed_s: float) -> None:
    for motion in (
        moving().after(passed_s),
        moving().after(passed_s).seen_at(BOX),
        moving().resting_at(moving().position),
    ):
        assert (np.linalg.eigvalsh(covariances(motion)) > -1e-9).all()


@given(st.floats(0.01, 10))
def test_what_was_not_seen_for_longer_is_less_certain(passed_s: float) -> None:
    assert (moving().after(passed_s).position_variance > moving().position_variance).all()
    assert (moving().after(2 * passed_s).position_variance > moving().after(passed_s).position_variance).all()


def test_the_past_is_where_it_came_from() -> None:
    assert moving().after(-1.0).position[0, 0] == pytest.approx(moving().position[0, 0] - 95, abs=5)


def test_the_noise_grows_with_the_box() -> None:
    small, large = Motion.at(BOX), Motion.at(BOX * 2)
    assert large.after(1).position_variance == pytest.approx(4 * small.after(1).position_variance)
