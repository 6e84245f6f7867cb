import math
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.core.histogram import INFERENCE_BOUNDS_S, LATENCY_BOUNDS_S, Histogram, HistogramSnapshot

BOUNDS = (0.1, 0.5, 1.0)
VALUES = st.lists(st.floats(min_value=0, max_value=20, allow_nan=False), max_size=60)


def histogram_of(*values: float) -> HistogramSnapshot:
    histogram = Histogram(BOUNDS)
    for value in values:
        histogram.observe(value)
    return histogram.snapshot()


def test_a_value_at_a_bound_counts_below_it() -> None:
    snapshot = histogram_of(0.1, 0.100001, 1.0, 1.1)
    assert snapshot.counts == (1, 1, 1, 1)
    assert snapshot.cumulative() == [(0.1, 1), (0.5, 2), (1.0, 3), (math.inf, 4)]


def test_count_sum_and_mean_are_those_of_the_values() -> None:
    snapshot = histogram_of(0.2, 0.4, 3.0)
    assert (snapshot.count, snapshot.highest) == (3, 3.0)
    assert snapshot.total == pytest.approx(3.6)
    assert snapshot.mean == pytest.approx(1.2)


def test_an_empty_one_answers_with_zero() -> None:
    snapshot = histogram_of()
    assert (snapshot.count, snapshot.mean, snapshot.percentile(0.5), snapshot.percentile(1.0)) == (0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("value", [-0.001, -5.0, math.nan, -math.inf, math.inf])
def test_what_is_no_duration_counts_as_zero_and_apart(value: float) -> None:
    snapshot = histogram_of(value, 0.2)
    assert snapshot.counts == (1, 1, 0, 0)
    assert snapshot.total == pytest.approx(0.2)
    assert snapshot.clamped == 1


def test_a_percentile_above_all_bounds_is_the_highest_value() -> None:
    assert histogram_of(0.05, 7.0).percentile(0.95) == 7.0


@given(values=VALUES.filter(bool), share=st.floats(min_value=0, max_value=1))
def test_a_percentile_is_an_upper_bound_of_the_true_one(values: list[float], share: float) -> None:
    bound = histogram_of(*values).percentile(share)
    assert sum(value <= bound for value in values) >= share * len(values) - 1e-6
    assert bound <= max(values)


@given(first=VALUES, second=VALUES)
def test_merged_snapshots_are_those_of_all_values(first: list[float], second: list[float]) -> None:
    merged, both = histogram_of(*first).merged(histogram_of(*second)), histogram_of(*first, *second)
    assert (merged.counts, merged.highest) == (both.counts, both.highest)
    assert merged.total == pytest.approx(both.total)


def test_others_bounds_cannot_be_merged() -> None:
    with pytest.raises(ValueError, match=r"cannot be merged"):
        histogram_of().merged(Histogram((1.0, 2.0)).snapshot())


@pytest.mark.parametrize("bounds", [(), (1.0, 1.0), (2.0, 1.0)])
def test_bounds_rise(bounds: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected some that rise"):
        Histogram(bounds)


def test_the_bounds_that_are_used_are_sound() -> None:
    for bounds in (LATENCY_BOUNDS_S, INFERENCE_BOUNDS_S):
        assert Histogram(bounds).snapshot().counts == (0,) * (len(bounds) + 1)


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_is_between_zero_and_one(share: float) -> None:
    with pytest.raises(ValueError, match=r"expected 0 to 1"):
        histogram_of().percentile(share)


def test_a_snapshot_that_is_taken_meanwhile_never_goes_back() -> None:
    histogram, has_ended, seen = Histogram(BOUNDS), threading.Event(), []

    def watch() -> None:
        while not has_ended.is_set():
            seen.append(histogram.snapshot().count)

    watcher = threading.Thread(target=watch, name="watcher")
    watcher.start()
    for i in range(20_000):
        histogram.observe(i % 3)
    has_ended.set()
    watcher.join()
    assert seen == sorted(seen)
    assert histogram.snapshot().count == 20_000
