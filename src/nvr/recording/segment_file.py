"""The file of a segment while it is written: new, locked, and renamed once it is whole."""

import errno
import os
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from nvr.recording.layout import SEGMENT_SUFFIX, SegmentOrigin
from nvr.recording.locks import try_lock
from nvr.recording.segment import Segment
from nvr.recording.tree import make_folder, sync_folder

_MOST_TRIES = 100
_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}
"""What file systems say that cannot lock: there, two processes must not share a root."""


class RecordingFile(Protocol):
    """What a recorder asks of a file; `SegmentFile` is the real one."""

    @property
    def origin(self) -> SegmentOrigin:
        """Whose recording it is; its start may be some microseconds later than asked for, where a name was taken."""
        ...

    def write(self, data: bytes, /) -> int:
        """Append some or all of the bytes and return how many."""
        ...

    def sync(self) -> None:
        """Make what was written safe on the disk."""
        ...

    def truncate(self, size_bytes: int) -> None:
        """Cut off what lies behind."""
        ...

    def publish(self, segment: Segment) -> None:
        """Make it safe, give it its final name, make that safe, and close."""
        ...

    def discard(self) -> None:
        """Delete and close it: nothing playable is in it."""
        ...

    def close(self) -> None:
        """Close it under the name that it has."""
        ...


class SegmentFile:
    """A file that nobody had before, locked for as long as it is open.

    Its name ends in `.recording`; whoever finds such a file that is not locked may repair it.
    """

    def __init__(self, root: Path, origin: SegmentOrigin) -> None:
        """Make the file, and the folder of its hour where that is missing.

        Raises:
            OSError: The disk is full, read-only or gone.
        """
        self._root = root
        self._origin, self._descriptor = _create(root, origin)
        self._is_open = True

    @property
    def origin(self) -> SegmentOrigin:
        """Whose recording it is; its start may be some microseconds later than asked for, where a name was taken."""
        return self._origin

    @property
    def path(self) -> Path:
        """Where it lies while it is written."""
        return self._root / self._origin.recording_path

    def write(self, data: bytes, /) -> int:
        """Append some or all of the bytes and return how many; raises OSError."""
        return os.write(self._descriptor, data)

    def sync(self) -> None:
        """Make what was written safe on the disk; raises OSError."""
        os.fdatasync(self._descriptor)

    def truncate(self, size_bytes: int) -> None:
        """Cut off what lies behind; raises OSError."""
        os.ftruncate(self._descriptor, size_bytes)

    def publish(self, segment: Segment) -> None:
        """Make it safe, give it its final name, make that safe, and close; raises OSError."""
        os.fsync(self._descriptor)
        final = self._root / segment.path
        self.path.rename(final)
        sync_folder(final.parent)
        self.close()

    def discard(self) -> None:
        """Delete and close it: nothing playable is in it; raises OSError."""
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Close it under the name that it has; raises nothing."""
        if self._is_open:
            self._is_open = False
            with suppress(OSError):
                os.close(self._descriptor)


def _create(root: Path, origin: SegmentOrigin) -> tuple[SegmentOrigin, int]:
    for attempt in range(_MOST_TRIES):
        start = origin.start + timedelta(microseconds=attempt)
        candidate = SegmentOrigin(origin.tenant, origin.source_id, start)
        folder = make_folder(root, candidate.folder)
        try:
            descriptor = None if _is_taken(folder, candidate.stem) else _open_new(root / candidate.recording_path)
        except FileNotFoundError:  # the cleaner may just have removed the folder, for it was empty
            if attempt > 0:
                raise
            continue
        if descriptor is not None:
            return candidate, descriptor
    raise FileExistsError(
        errno.EEXIST, "too many recordings begin at the same moment", str(root / origin.recording_path)
    )


def _is_taken(folder: Path, stem: str) -> bool:
    # the finished name has the length in it, so that opening alone would not find it
    with os.scandir(folder) as entries:
        return any(entry.name.startswith(stem) and entry.name.endswith(SEGMENT_SUFFIX) for entry in entries)


def _open_new(path: Path) -> int | None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except FileExistsError:
        return None
    # someone who repairs may have found it before it was locked, and taken it for left over
    if _lock(descriptor):
        with suppress(FileNotFoundError):
            if os.path.samestat(path.stat(follow_symlinks=False), os.fstat(descriptor)):
                return descriptor
    os.close(descriptor)
    return None


def _lock(descriptor: int) -> bool:
    try:
        return try_lock(descriptor)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return True
        raise
