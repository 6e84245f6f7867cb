from datetime import timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nvr.recording.forecast import DAY, Forecast, capacity, forecast
from nvr.recording.policy import RetentionPolicy
from nvr.recording.retention import DiskSpace
from nvr.recording.segment import DELETABLE_KINDS, SegmentKind

CONTINUOUS, EVENT, ON_DEMAND, PROTECTED = SegmentKind
GB = 10**9


def held_after(days: float, rates: dict[SegmentKind, int], ages: dict[SegmentKind, timedelta]) -> float:
    return sum(rate * min(days, ages.get(kind, timedelta.max) / DAY) for kind, rate in rates.items())


def test_the_rate_of_late_fills_the_room_in_so_many_days() -> None:
    found = forecast({CONTINUOUS: 10 * GB}, timedelta(hours=12), capacity_bytes=248 * GB, max_age={})
    assert found == Forecast(20 * GB, 248 * GB, 12.4)
    assert found.text == "at this rate (20.0 GB a day) 12.4 days fit"


def test_what_goes_by_age_before_the_room_is_used_up_is_said() -> None:
    found = forecast({CONTINUOUS: GB}, DAY, capacity_bytes=100 * GB, max_age={CONTINUOUS: 7 * DAY})
    assert found is not None
    assert found.days is None
    assert found.text == "at this rate (1.0 GB a day) everything is kept to its age"


def test_a_kind_that_goes_sooner_leaves_its_room_to_the_others() -> None:
    written = {CONTINUOUS: 10 * GB, EVENT: GB}
    ages = {CONTINUOUS: 7 * DAY, EVENT: 100 * DAY}
    found = forecast(written, DAY, capacity_bytes=100 * GB, max_age=ages)
    assert found is not None
    assert found.days == pytest.approx(30.0)


def test_protected_recordings_are_no_part_of_the_rate() -> None:
    found = forecast({EVENT: GB, PROTECTED: 50 * GB}, DAY, capacity_bytes=10 * GB, max_age={})
    assert found == Forecast(GB, 10 * GB, 10.0)


def test_too_little_recording_gives_no_forecast() -> None:
    assert forecast({EVENT: GB}, timedelta(minutes=9), capacity_bytes=GB, max_age={}) is None


def test_no_recording_at_all_is_said() -> None:
    found = forecast({}, DAY, capacity_bytes=GB, max_age={})
    assert found is not None
    assert found.text == "nothing was recorded of late"


def test_no_room_is_no_days() -> None:
    found = forecast({EVENT: GB}, DAY, capacity_bytes=0, max_age={})
    assert found == Forecast(GB, 0, 0.0)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from(DELETABLE_KINDS), st.integers(1, 10**6), min_size=1),
    st.dictionaries(st.sampled_from(DELETABLE_KINDS), st.integers(1, 60).map(lambda days: days * DAY)),
    st.integers(0, 10**8),
)
def test_the_days_fill_the_capacity_exactly(
    rates: dict[SegmentKind, int], ages: dict[SegmentKind, timedelta], capacity_bytes: int
) -> None:
    found = forecast(rates, DAY, capacity_bytes=capacity_bytes, max_age=ages)
    assert found is not None
    if found.days is None:
        assert held_after(10**6, rates, ages) <= capacity_bytes
    else:
        assume(capacity_bytes > 0)
        assert held_after(found.days, rates, ages) == pytest.approx(capacity_bytes)


def test_the_room_is_what_is_held_and_what_is_free_above_the_floor() -> None:
    disk = DiskSpace(1000 * GB, 100 * GB)
    policy = RetentionPolicy(min_free_fraction=0.05)
    assert capacity(policy, disk, held_bytes=500 * GB, protected_bytes=30 * GB) == 520 * GB


@pytest.mark.parametrize(("limit_gb", "room_gb"), [(None, 200), (80, 80), (900, 200)])
def test_the_smallest_limit_counts(limit_gb: int | None, room_gb: int) -> None:
    disk = DiskSpace(1000 * GB, 600 * GB)
    policy = RetentionPolicy(max_total_bytes=200 * GB)
    limit_bytes = None if limit_gb is None else limit_gb * GB
    found = capacity(policy, disk, held_bytes=100 * GB, protected_bytes=0, limit_bytes=limit_bytes)
    assert found == room_gb * GB


def test_a_disk_that_others_filled_has_no_room() -> None:
    policy = RetentionPolicy(min_free_bytes=10 * GB)
    assert capacity(policy, DiskSpace(100 * GB, GB), held_bytes=GB, protected_bytes=GB) == 0
