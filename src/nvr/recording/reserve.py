"""A little room kept for the index: without it a disk that is full to the last byte could not even be cleaned."""

import contextlib
import logging
import os
from pathlib import Path

logger = logging.getLogger(__name__)

NAME = "index.reserve"
_MOST_BYTES = 1 << 20
_LEAST_SHARE = 16
"""Of a tiny disk no more than this part is held back."""


class Reserve:
    """A file of random bytes, since file systems that compress would give zeros no room. Raises nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def renew(self) -> None:
        """Lay the file where it is missing and the disk has plenty of room."""
        with contextlib.suppress(OSError):
            size_bytes, free_bytes = self._room()
            if free_bytes >= 2 * size_bytes and not self._path.exists():
                self._path.write_bytes(os.urandom(size_bytes))

    def release(self) -> bool:
        """Give the room to whoever writes next, if the disk is full; tell whether that may have helped."""
        try:
            size_bytes, free_bytes = self._room()
            if free_bytes >= size_bytes:
                return False
            self._path.unlink()
        except OSError:
            return False
        logger.warning("the disk of the recordings is full, the index now uses its reserve: %s", self._path)
        return True

    def _room(self) -> tuple[int, int]:
        """Return the size of the file and what is free on the disk."""
        status = os.statvfs(self._path.parent)
        total_bytes, free_bytes = status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize
        return min(_MOST_BYTES, total_bytes // _LEAST_SHARE), free_bytes
