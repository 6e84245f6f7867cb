"""How many days of recordings fit at the rate of late; pure.

Under pressure the oldest segment goes, whatever its kind, while each kind also goes at its own age. So kinds with a
short age take room only up to that age, and what is left of it is for the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from nvr.recording.policy import RetentionPolicy
from nvr.recording.retention import DiskSpace
from nvr.recording.segment import SegmentKind

DAY = timedelta(days=1)
LEAST_SPAN = timedelta(minutes=10)
"""A rate of less recording than this says nothing."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the room for recordings is good for."""

    bytes_per_day: int
    """Written of late, all kinds together."""
    capacity_bytes: int
    """Room for what is not protected."""
    days: float | None
    """How far back recordings reach once the room is used up; None where ages end them before."""

    @property
    def text(self) -> str:
        """One sentence for people."""
        if self.bytes_per_day == 0:
            return "nothing was recorded of late"
        rate = f"{self.bytes_per_day / 1e9:.1f} GB a day"
        if self.days is None:
            return f"at this rate ({rate}) everything is kept to its age"
        return f"at this rate ({rate}) {self.days:.1f} days fit"


def forecast(
    written: Mapping[SegmentKind, int],
    span: timedelta,
    *,
    capacity_bytes: int,
    max_age: Mapping[SegmentKind, timedelta],
) -> Forecast | None:
    """Return how far back recordings will reach; None where too little was recorded to tell.

    Args:
        written: Bytes of each kind that were written within `span` and still exist; protected ones are left out.
        span: How long that took: until now from the first of it.
        capacity_bytes: Room for all that is not protected, as `capacity` gives it.
        max_age: Age at which a kind goes; a kind without one stays as long as there is room.
    """
    if span < LEAST_SPAN:
        return None
    per_day = {kind: size_bytes * (DAY / span) for kind, size_bytes in written.items()}
    per_day.pop(SegmentKind.PROTECTED, None)
    total = round(sum(per_day.values()))
    ages = {kind: max_age[kind] / DAY for kind in per_day if kind in max_age}
    held_to_age = sum(rate * ages[kind] for kind, rate in per_day.items() if kind in ages)
    is_endless = any(rate > 0 and kind not in ages for kind, rate in per_day.items())
    if not is_endless and held_to_age <= capacity_bytes:
        return Forecast(total, capacity_bytes, None)
    return Forecast(total, capacity_bytes, _days(per_day, ages, capacity_bytes))


def capacity(
    policy: RetentionPolicy, disk: DiskSpace, *, held_bytes: int, protected_bytes: int, limit_bytes: int | None = None
) -> int:
    """Return the room for recordings that are not protected.

    Args:
        policy: Its floor and its limit for all recordings.
        disk: The room on it now.
        held_bytes: What all recordings take now, protected ones included.
        protected_bytes: What those take that are never deleted.
        limit_bytes: A further limit, such as that of the one camera that the forecast is about.
    """
    on_disk = held_bytes + disk.free_bytes - policy.floor_bytes(disk.total_bytes)
    limits = [limit for limit in (policy.max_total_bytes, limit_bytes) if limit is not None]
    return max(0, min([on_disk, *limits]) - protected_bytes)


def _days(per_day: Mapping[SegmentKind, float], ages: Mapping[SegmentKind, float], capacity_bytes: int) -> float:
    """Solve for the days D: the sum of each kind's rate times the smaller of its age and D is the capacity."""
    left_bytes, days = float(capacity_bytes), 0.0
    for age in sorted({*ages.values()}):
        rate = sum(rate for kind, rate in per_day.items() if ages.get(kind, age) >= age)
        if rate * (age - days) >= left_bytes:
            return days + left_bytes / rate
        left_bytes -= rate * (age - days)
        days = age
    return days + left_bytes / sum(rate for kind, rate in per_day.items() if kind not in ages)
