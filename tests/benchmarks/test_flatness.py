import pytest
from bench._flatness import ends, growth_percent, trend_percent


def test_growth_is_that_of_the_last_tenth_over_the_first() -> None:
    values = [100.0] * 10 + [500.0] * 80 + [103.0] * 10
    assert ends(values) == (100.0, 103.0)
    assert growth_percent(values) == pytest.approx(3.0)


def test_one_outlier_at_either_end_changes_nothing() -> None:
    values = [100.0] * 99
    values[3], values[95] = 900.0, 1.0
    assert growth_percent(values) == 0.0


def test_fewer_than_ten_samples_are_judged_by_the_first_and_the_last() -> None:
    assert ends([5.0, 9.0, 6.0]) == (5.0, 6.0)


def test_no_sample_at_all_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        ends([])


def test_a_steady_rise_is_found_by_growth_and_trend() -> None:
    times = [10.0 * i for i in range(1000)]
    values = [200.0 + 0.01 * time_s for time_s in times]
    assert trend_percent(times, values) == pytest.approx(49.0, abs=1.5)
    assert growth_percent(values) == pytest.approx(44.0, abs=1.5)


def test_a_single_step_is_growth_but_hardly_a_trend() -> None:
    times = [float(i) for i in range(100)]
    values = [100.0] * 15 + [110.0] * 85
    assert growth_percent(values) == pytest.approx(10.0)
    assert trend_percent(times, values) == 0.0


def test_samples_of_one_moment_have_no_trend() -> None:
    assert trend_percent([1.0], [100.0]) == 0.0
