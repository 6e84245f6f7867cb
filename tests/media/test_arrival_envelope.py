import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.media.arrival_envelope import ArrivalEnvelope, hull_slope

OFFSET_S = 1000.0


def packets(
    seconds: float, *, fps: float = 25, drift: float = 0.0, jitter_s: float = 0.05, start_s: float = 0.0
) -> Iterator[tuple[float, float]]:
    """Media times by a clock that gains `drift`, and when they arrive over a network that delays them."""
    rng = random.Random(1)
    for i in range(round(seconds * fps)):
        at_s = start_s + i / fps
        yield at_s * (1 + drift), OFFSET_S + at_s + rng.uniform(0, jitter_s)


def fed(*parts: Iterator[tuple[float, float]]) -> ArrivalEnvelope:
    envelope = ArrivalEnvelope()
    for part in parts:
        for media_s, arrival_s in part:
            envelope.add(media_s, arrival_s)
    return envelope


@pytest.mark.parametrize("drift", [0.0, 200e-6, -200e-6])
def test_finds_offset_and_drift_below_the_jitter(drift: float) -> None:
    envelope = fed(packets(900, drift=drift))
    end_s = 900 * (1 + drift)
    assert envelope.at(end_s) == pytest.approx(OFFSET_S + 900 - end_s, abs=0.0005)
    assert envelope.slope == pytest.approx(-drift, abs=5e-6)


def test_a_picture_a_second_is_enough() -> None:
    envelope = fed(packets(900, fps=1, drift=100e-6))
    end_s = 900 * (1 + 100e-6)
    assert envelope.at(end_s) == pytest.approx(OFFSET_S + 900 - end_s, abs=0.003)


def test_one_early_packet_lowers_it_at_once_and_a_late_one_changes_nothing() -> None:
    envelope = fed(packets(60, jitter_s=0.0))
    envelope.add(60.0, OFFSET_S + 60.5)
    assert envelope.at(60.0) == pytest.approx(OFFSET_S)
    envelope.add(61.0, OFFSET_S + 60.7)
    assert envelope.at(61.0) == pytest.approx(OFFSET_S - 0.3)


def test_time_that_is_lost_for_good_is_learnt_within_seconds() -> None:
    lost = ((media_s, arrival_s + 2.0) for media_s, arrival_s in packets(12, start_s=60))
    assert fed(packets(60), lost).at(72.0) == pytest.approx(OFFSET_S + 2.0, abs=0.01)


def test_less_of_it_within_half_a_minute() -> None:
    lost = ((media_s, arrival_s + 0.2) for media_s, arrival_s in packets(40, start_s=60))
    assert fed(packets(60), lost).at(100.0) == pytest.approx(OFFSET_S + 0.2, abs=0.01)


def test_a_network_that_stalls_now_and_then_has_not_lost_time() -> None:
    def stalling() -> Iterator[tuple[float, float]]:
        for media_s, arrival_s in packets(120):
            stall_ends_s = OFFSET_S + 10 * (media_s // 10) + 3
            yield media_s, max(arrival_s, stall_ends_s)

    assert fed(stalling()).at(120.0) == pytest.approx(OFFSET_S, abs=0.005)


def test_stamps_that_are_counted_and_not_measured_have_a_rate_of_their_own() -> None:
    # a camera that makes 10 pictures a second and stamps them as if they were 25
    envelope = fed((media_s * 0.4, arrival_s) for media_s, arrival_s in packets(300, fps=10))
    assert envelope.at(120.0) == pytest.approx(OFFSET_S + 180.0, abs=0.05)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 10)), min_size=1, max_size=30))
def test_the_line_with_the_slope_of_the_hull_is_never_worse_than_a_level_one(
    points: list[tuple[float, float]],
) -> None:
    points = sorted(points)
    slope = hull_slope(points)

    def spare(tilt: float) -> float:
        base = min(offset - tilt * at for at, offset in points)
        return sum(offset - base - tilt * at for at, offset in points)

    assert spare(slope) <= spare(0.0) + 1e-3


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 30)), min_size=1, max_size=200))
def test_nothing_arrives_before_the_line(steps: list[tuple[float, float]]) -> None:
    envelope = ArrivalEnvelope()
    media_s = 0.0
    for step_s, delay_s in steps:
        media_s += step_s
        envelope.add(media_s, media_s + delay_s)
        assert envelope.at(media_s) <= delay_s + 1e-6
