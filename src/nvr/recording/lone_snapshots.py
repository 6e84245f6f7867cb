"""Delete old snapshots of hours of which nothing else is kept: those of cameras that are recorded on demand or never.

Snapshots beside segments go with the last of these, see `nvr.recording.removal`.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from nvr.recording.policy import RetentionPolicy
from nvr.recording.removal import tidy_hour
from nvr.recording.segment import SegmentKind
from nvr.recording.tree import cameras_of, hours_of


def tidy_lone_snapshots(
    root: Path, policy: RetentionPolicy, now: datetime, should_stop: Callable[[], bool] = lambda: False
) -> None:
    """Remove the folders of hours that hold nothing but snapshots, once these are older than recordings on demand.

    Raises:
        StorageError: A folder cannot be read.
    """
    for camera in cameras_of(root, lambda _: None):
        age = policy.limits_of(camera).max_age.get(SegmentKind.ON_DEMAND)
        for folder in hours_of(root, camera, lambda _: None):
            if should_stop():
                return
            if age is not None and folder.hour < now - age:
                tidy_hour(root, folder, now)
