"""What lies on the disk, folder by folder: read without following links, so that nothing outside the root is touched.

Folders and files may come and go while they are read; what is not ours is told apart as odd and left alone.
"""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from nvr.core.errors import InvalidInputError, StorageError
from nvr.recording.layout import (
    OWN_PREFIX,
    RECORDING_SUFFIX,
    SEGMENT_SUFFIX,
    SNAPSHOT_END,
    CameraKey,
    HourFolder,
    SegmentOrigin,
    is_broken_end,
    is_tenant_folder,
    parse_name,
    parse_source_id,
)
from nvr.recording.segment import Segment

OnOdd = Callable[[PurePosixPath], None]

_LEVELS_OF_TIME = 4
_FOLDERS_OF_FILE_SYSTEMS = frozenset({"lost+found"})


@dataclass(slots=True)
class HourContent:
    """The files of one camera's hour."""

    segments: list[Segment] = field(default_factory=list)
    unfinished: list[SegmentOrigin] = field(default_factory=list)
    """Still written, or left by a crash."""
    broken: list[PurePosixPath] = field(default_factory=list)
    """Set aside, relative to the root."""
    snapshots: list[PurePosixPath] = field(default_factory=list)
    odd: list[PurePosixPath] = field(default_factory=list)
    """Not ours, relative to the root."""


def cameras_of(root: Path, on_odd: OnOdd) -> Iterator[CameraKey]:
    """Yield every camera that has a folder.

    Raises:
        StorageError: The root cannot be read.
    """
    for tenant in _folders(root, PurePosixPath(), on_odd):
        if not is_tenant_folder(tenant):
            on_odd(PurePosixPath(tenant))
            continue
        for name in _folders(root, PurePosixPath(tenant), on_odd):
            source_id = parse_source_id(name)
            if source_id is None:
                on_odd(PurePosixPath(tenant, name))
            else:
                yield CameraKey(tenant, source_id)


def hours_of(root: Path, camera: CameraKey, on_odd: OnOdd) -> Iterator[HourFolder]:
    """Yield the hours of a camera that have a folder, the newest first, so that the first few are quick to get.

    Raises:
        StorageError: A folder cannot be read.
    """
    for path in _newest_below(root, camera.folder, _LEVELS_OF_TIME, on_odd):
        try:
            yield HourFolder.parse(path)
        except InvalidInputError:
            on_odd(path)


def read_hour(root: Path, folder: HourFolder) -> HourContent:
    """Return what lies in the folder of an hour; nothing where it is gone.

    Raises:
        StorageError: It cannot be read.
    """
    content = HourContent()
    for entry in _entries(root / folder.path):
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StorageError(f"{entry.path}: {error.strerror}") from error
        if stat.S_ISREG(status.st_mode):
            _classify(content, folder, entry.name, status.st_size)
        else:
            content.odd.append(folder.path / entry.name)
    return content


def make_folder(root: Path, folder: HourFolder) -> Path:
    """Make the folder of an hour where it is missing, safe on the disk, and return its path.

    The root itself is never made: where it is missing its disk is not mounted.

    Raises:
        OSError: The disk is full, read-only or gone.
    """
    path = root / folder.path
    missing = []
    while path != root and not path.is_dir():
        missing.append(path)
        path = path.parent
    for new in reversed(missing):
        new.mkdir(exist_ok=True)
        sync_folder(new.parent)
    return root / folder.path


def sync_folder(path: Path) -> None:
    """Make the names in a folder safe on the disk.

    Raises:
        OSError: The disk fails.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _classify(content: HourContent, folder: HourFolder, name: str, size_bytes: int) -> None:
    try:
        origin, end = parse_name(folder, name)
        if end.endswith(SEGMENT_SUFFIX):
            content.segments.append(Segment.from_origin(origin, end, size_bytes))
            return
    except InvalidInputError:
        content.odd.append(folder.path / name)
        return
    if end == RECORDING_SUFFIX:
        content.unfinished.append(origin)
    elif is_broken_end(end):
        content.broken.append(folder.path / name)
    elif end == SNAPSHOT_END:
        content.snapshots.append(folder.path / name)
    else:
        content.odd.append(folder.path / name)


def _newest_below(root: Path, path: PurePosixPath, levels: int, on_odd: OnOdd) -> Iterator[PurePosixPath]:
    for name in sorted(_folders(root, path, on_odd), reverse=True):
        if not (name.isascii() and name.isdecimal()):
            on_odd(path / name)
        elif levels == 1:
            yield path / name
        else:
            yield from _newest_below(root, path / name, levels - 1, on_odd)


def _folders(root: Path, path: PurePosixPath, on_odd: OnOdd) -> list[str]:
    """Return the names of the folders in a folder that holds nothing else of ours but, in the root, the index."""
    is_root = not path.parts
    names = []
    for entry in _entries(root / path, must_exist=is_root):
        if entry.is_dir(follow_symlinks=False):
            names.append(entry.name)
        elif not (is_root and entry.name.startswith(OWN_PREFIX)):
            on_odd(path / entry.name)
    return sorted(name for name in names if not (is_root and name in _FOLDERS_OF_FILE_SYSTEMS))


def _entries(path: Path, *, must_exist: bool = False) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(path) as entries:
            return list(entries)
    except FileNotFoundError as error:
        if must_exist:
            raise StorageError(f"{path}: {error.strerror}") from error
        return []
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}") from error
