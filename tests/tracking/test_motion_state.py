import math
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.tracking.motion_state import REST_S, MotionState

FRAME_S = 0.2
SIZE = 1.0


def states(places: Iterable[tuple[float, float]], frame_s: float = FRAME_S) -> list[str]:
    motion = MotionState()
    found: list[str] = []
    for i, (x, y) in enumerate(places):
        was = motion.state
        assert motion.update(i * frame_s, x, y, SIZE) == (motion.state != was)
        found.append(motion.state)
    return found


def trembling(n: int, share: float, seed: int = 0) -> list[tuple[float, float]]:
    rng = np.random.default_rng(seed)
    return [(float(x), float(y)) for x, y in rng.normal(0, share * SIZE, (n, 2))]


def test_who_stays_is_stationary_after_three_seconds() -> None:
    assert states([(5, 5)] * 20) == ["moving"] * 15 + ["stationary"] * 5


@pytest.mark.parametrize("seed", range(5))
def test_a_box_that_trembles_by_a_twentieth_rests_and_stays_at_rest(seed: int) -> None:
    found = states(trembling(3000, 0.04, seed))
    assert found.index("stationary") <= 40
    assert "moving" not in found[found.index("stationary") :]


@pytest.mark.parametrize("speed", [0.1, 0.5, 3.0])
def test_who_goes_on_is_never_stationary(speed: float) -> None:
    assert set(states((speed * i * FRAME_S, 0) for i in range(200))) == {"moving"}


def test_one_wild_box_moves_nothing() -> None:
    wild = [(0.0, 0.0)] * 60
    wild[30] = wild[45] = (4.0, -3.0)
    assert states(wild)[15:] == ["stationary"] * 45


def test_who_walks_off_moves_again_within_half_a_second_and_rests_anew_elsewhere() -> None:
    found = states([(0, 0)] * 30 + [(i * 0.3, 0) for i in range(1, 20)] + [(6, 0)] * 30)
    assert found[29] == "stationary"
    assert found[32:49] == ["moving"] * 17
    assert found[-1] == "stationary"
    assert sum(a != b for a, b in pairwise(found)) == 3


def test_a_creeping_box_is_followed_and_stays_at_rest() -> None:
    assert states((i * FRAME_S * 0.01, 0) for i in range(3000))[100:] == ["stationary"] * 2900


def test_two_looks_far_apart_at_the_same_place_are_rest() -> None:
    assert states([(0, 0), (0.01, 0)], frame_s=REST_S) == ["moving", "stationary"]
    assert states([(0, 0), (2, 0)], frame_s=REST_S) == ["moving", "moving"]


def test_the_state_depends_on_the_size_of_the_box_not_on_the_unit() -> None:
    small, large = MotionState(), MotionState()
    for i, (x, y) in enumerate(trembling(200, 0.1)):
        small.update(i * FRAME_S, x, y, SIZE)
        large.update(i * FRAME_S, x * 700, y * 700, SIZE * 700)
        assert small.state == large.state


def test_speed_is_that_of_the_last_second() -> None:
    motion = MotionState()
    assert motion.speed is None
    motion.update(0, 0, 0, SIZE)
    assert motion.speed is None
    motion.update(0.2, 0.1, 0, SIZE)
    assert motion.speed == pytest.approx(0.5)
    for i in range(2, 40):
        motion.update(i * FRAME_S, 0.1 + 0.3 * (i - 1), 0.4 * (i - 1), SIZE)
    assert motion.speed == pytest.approx(0.5 / FRAME_S)


def test_speed_over_a_long_gap_is_that_of_the_gap() -> None:
    motion = MotionState()
    motion.update(0, 0, 0, SIZE)
    motion.update(30, 3, 0, SIZE)
    assert motion.speed == pytest.approx(0.1)


def test_a_time_that_does_not_go_on_is_left_out() -> None:
    motion = MotionState()
    motion.update(1, 0, 0, SIZE)
    assert not motion.update(1, 50, 0, SIZE)
    assert not motion.update(0.5, 50, 0, SIZE)
    assert motion.speed is None


@given(st.lists(st.tuples(st.floats(0.001, 100), st.floats(-10, 10), st.floats(-10, 10)), max_size=80))
def test_whatever_comes_speed_is_finite(steps: list[tuple[float, float, float]]) -> None:
    motion, now_s = MotionState(), 0.0
    for elapsed_s, x, y in steps:
        now_s += elapsed_s
        motion.update(now_s, x, y, SIZE)
        assert motion.speed is None or (motion.speed >= 0 and math.isfinite(motion.speed))
