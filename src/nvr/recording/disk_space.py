"""The room on a disk."""

import os
from pathlib import Path

from nvr.recording.retention import DiskSpace


def disk_space(path: Path) -> DiskSpace:
    """Return the room on the disk of a path, as an ordinary user may use it; raises OSError."""
    status = os.statvfs(path)
    return DiskSpace(status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize)
