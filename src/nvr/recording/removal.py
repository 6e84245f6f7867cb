"""Delete recordings from the disk, never outside the root: each folder is opened below the last, without links."""

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath

from nvr.core.errors import StorageError
from nvr.recording.layout import HourFolder
from nvr.recording.segment import Segment
from nvr.recording.tree import read_hour

_LINGER = timedelta(hours=1)
"""A recorder may still want to begin a file in a folder whose time is only just over."""

_HOPELESS = frozenset({errno.EROFS, errno.EIO, errno.ENODEV, errno.ENXIO, errno.ESTALE})
"""The disk as a whole is at fault: the next file would fail as well."""


@dataclass(slots=True)
class Removal:
    """What became of files that were to be deleted."""

    deleted: list[Segment] = field(default_factory=list)
    vanished: list[Segment] = field(default_factory=list)
    """Were gone already."""
    failed: list[tuple[Segment, OSError]] = field(default_factory=list)
    is_hopeless: bool = False
    """The disk failed as a whole; the rest was not tried."""


def remove_segments(root: Path, segments: Iterable[Segment]) -> Removal:
    """Delete the files of segments, in their order; safe on the disk when it returns. Raises nothing."""
    removal = Removal()
    for folder, of_folder in _by_folder(segments).items():
        if removal.is_hopeless:
            break
        _remove_from(root, folder, of_folder, removal)
    return removal


def tidy_hour(root: Path, folder: HourFolder, now: datetime) -> None:
    """Remove the folder of an hour that holds no recording any more, with its snapshots, and those above it.

    Only what is empty goes, and only an hour after the time of a folder is over. What is not ours is left alone, and
    so is its folder. Raises nothing: what cannot be removed is harmless, and is tried again with the next one.
    """
    if now < folder.hour + timedelta(hours=1) + _LINGER:
        return
    with contextlib.suppress(OSError, StorageError):
        content = read_hour(root, folder)
        if content.segments or content.unfinished:
            return
        with _opened(root, folder.path) as descriptor:
            for path in content.snapshots:
                os.unlink(path.name, dir_fd=descriptor)
        for path in (folder.path, *folder.path.parents)[:4]:
            if now < _end_of(folder, len(path.parts)) + _LINGER:
                return
            with _opened(root, path.parent) as descriptor:
                os.rmdir(path.name, dir_fd=descriptor)


def _remove_from(root: Path, folder: HourFolder, segments: list[Segment], removal: Removal) -> None:
    left = list(segments)
    try:
        with _opened(root, folder.path) as descriptor:
            while left and not removal.is_hopeless:
                _remove_one(descriptor, left.pop(0), removal)
            os.fsync(descriptor)  # a row must not be gone for good before its file is
    except FileNotFoundError:
        removal.vanished += left
    except OSError as error:
        removal.failed += [(segment, error) for segment in left]
        removal.is_hopeless = removal.is_hopeless or error.errno in _HOPELESS


def _remove_one(descriptor: int, segment: Segment, removal: Removal) -> None:
    try:
        os.unlink(segment.path.name, dir_fd=descriptor)
    except FileNotFoundError:
        removal.vanished.append(segment)
    except OSError as error:
        removal.failed.append((segment, error))
        removal.is_hopeless = error.errno in _HOPELESS
    else:
        removal.deleted.append(segment)


def _by_folder(segments: Iterable[Segment]) -> dict[HourFolder, list[Segment]]:
    folders: dict[HourFolder, list[Segment]] = {}
    for segment in segments:
        folders.setdefault(segment.origin.folder, []).append(segment)
    return folders


def _end_of(folder: HourFolder, parts: int) -> datetime:
    """Return when the time of a folder or of one above it is over; the root's path with a year has 3 parts."""
    hour = folder.hour
    match parts:
        case 6:
            return hour + timedelta(hours=1)
        case 5:
            return hour.replace(hour=0) + timedelta(days=1)
        case 4:
            return (hour.replace(day=1, hour=0) + timedelta(days=32)).replace(day=1)
        case _:
            return hour.replace(year=hour.year + 1, month=1, day=1, hour=0)


@contextlib.contextmanager
def _opened(root: Path, path: PurePosixPath) -> Iterator[int]:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    descriptor = os.open(root, flags)
    try:
        for part in path.parts:
            below = os.open(part, flags | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)
