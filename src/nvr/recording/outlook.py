"""The forecast for a root as it is now: what it takes is asked of the index and the disk."""

from dataclasses import dataclass
from datetime import datetime

from nvr.core.errors import StorageError
from nvr.recording.disk_space import disk_space
from nvr.recording.forecast import DAY, Forecast, capacity, forecast
from nvr.recording.index import SegmentIndex
from nvr.recording.policy import RetentionPolicy
from nvr.recording.retention import DiskSpace
from nvr.recording.segment import SegmentKind


@dataclass(frozen=True, slots=True)
class RootState:
    """A root as it is now."""

    disk: DiskSpace
    held_bytes: int
    """What all recordings take."""
    forecast: Forecast | None
    """None where too little was recorded to tell."""


def root_state(index: SegmentIndex, policy: RetentionPolicy, now: datetime, disk: DiskSpace) -> RootState:
    """Return how a root is, on a disk with that room.

    Raises:
        StorageError: The index cannot be read, or the room on the disk not be told.
    """
    return RootState(disk, index.total_bytes(), outlook(index, policy, now))


def outlook(index: SegmentIndex, policy: RetentionPolicy, now: datetime) -> Forecast | None:
    """Return how many days fit at the rate of the last day, for all recordings of a root together.

    None where too little was recorded to tell. Limits of single cameras and kinds are not looked at, ages are.

    Raises:
        StorageError: The index cannot be read, or the room on the disk not be told.
    """
    late = index.summarise(start=now - DAY, end=now)
    if not late:
        return None
    try:
        disk = disk_space(index.root)
    except OSError as error:
        raise StorageError(f"{index.root}: {error.strerror}") from error
    room = capacity(
        policy,
        disk,
        held_bytes=index.total_bytes(),
        protected_bytes=index.total_bytes(kinds=(SegmentKind.PROTECTED,)),
    )
    first = max(now - DAY, min(summary.first_start for summary in late.values()))
    return forecast(
        {kind: summary.total.size_bytes for kind, summary in late.items()},
        now - first,
        capacity_bytes=room,
        max_age=policy.every_camera.max_age,
    )
