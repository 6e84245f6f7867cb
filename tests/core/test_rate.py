import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.core.rate import RateGate, RateMeter


def test_measures_a_steady_rate() -> None:
    meter = RateMeter()
    for i in range(100):
        meter.count(i * 0.04)
    assert meter.per_second(99 * 0.04) == pytest.approx(25)


def test_falls_with_silence_and_ends_at_nothing() -> None:
    meter = RateMeter()
    for i in range(26):
        meter.count(i * 0.04)
    assert 0 < meter.per_second(3.0) < 15
    assert meter.per_second(60.0) == 0
    assert RateMeter().per_second(1.0) == 0


def test_what_a_source_had_in_store_is_counted_by_when_it_was_made() -> None:
    meter = RateMeter()
    for i in range(50):
        meter.count(0.001 * i, 0.04 * i)
    assert meter.per_second(0.05) == pytest.approx(25)
    meter.restart()
    assert meter.per_second(0.05) == 0


@pytest.mark.parametrize(("fps", "limit", "passed"), [(25, 5, 50), (30, 10, 100), (10, 25, 100), (15, 5, 50)])
def test_thins_to_the_limit_over_ten_seconds(fps: int, limit: int, passed: int) -> None:
    gate = RateGate(limit)
    assert sum(gate.admits(i / fps) for i in range(10 * fps)) == pytest.approx(passed, abs=1)


def test_every_fifth_frame_passes_although_frames_jitter() -> None:
    gate = RateGate(5)
    jitter = [0.0, 0.012, -0.011, 0.004, 0.009, -0.008, 0.015]
    admitted = [i for i in range(250) if gate.admits(i * 0.04 + jitter[i % 7])]
    assert len(admitted) == pytest.approx(50, abs=2)


@given(st.lists(st.floats(0, 0.5), min_size=1, max_size=200), st.floats(0.5, 30))
def test_never_exceeds_its_limit_by_more_than_two(gaps: list[float], limit: float) -> None:
    gate = RateGate(limit)
    now, passed = 0.0, []
    for gap in gaps:
        now += gap
        if gate.admits(now):
            passed.append(now)
    for i, first in enumerate(passed):
        for j in range(i, len(passed)):
            assert j - i <= (passed[j] - first) * limit + 2.001


def test_without_a_limit_everything_passes() -> None:
    gate = RateGate(None)
    assert all(gate.admits(0.0) for _ in range(10))
    with pytest.raises(ValueError, match="positive"):
        RateGate(0)
