"""Compare the index, the disk and what the files hold, and change nothing."""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Protocol

from nvr.recording.index import SegmentIndex
from nvr.recording.layout import CameraKey, HourFolder
from nvr.recording.locks import try_lock
from nvr.recording.reindex import Odd, hours_to_compare, rows_of_hour
from nvr.recording.segment import Segment
from nvr.recording.tree import HourContent, cameras_of, read_hour

DURATION_TOLERANCE_MS = 1000
"""A file may say another length than its name, by as much as a picture that was never followed by another."""

RECHECK_S = 1.0
"""A recorder or cleaner is between file and row for less than this; a difference that lasts is one."""


class Found(Protocol):
    """What is known of a file that was looked at."""

    @property
    def duration_ms(self) -> int:
        """Where the last picture ends."""
        ...

    @property
    def problem(self) -> str | None:
        """Why it does not play; None where it does."""
        ...


Check = Callable[[Path], Found]
"""Tells whether a file plays to its end; raises OSError."""


class Fault(StrEnum):
    """What is wrong with a file."""

    MISSING = "missing"
    """In the index and not on the disk."""
    UNKNOWN = "unknown"
    """On the disk and not in the index."""
    SIZE = "size"
    UNPLAYABLE = "unplayable"
    UNFINISHED = "unfinished"
    """Left by a crash; `reindex` repairs it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One file that is not as it should be."""

    fault: Fault
    path: PurePosixPath
    """Relative to the root."""
    text: str
    """For people."""


@dataclass(slots=True)
class VerifyReport:
    """What was looked at; the problems are told as they are found."""

    segments: int = 0
    size_bytes: int = 0
    problems: int = 0
    written: int = 0
    """Files that a recorder is writing now."""
    broken: Odd = field(default_factory=Odd)
    """Set aside earlier."""
    odd: Odd = field(default_factory=Odd)
    """Not recordings."""


@dataclass(frozen=True, slots=True)
class Extent:
    """What to look at: cameras, and the hours in which recordings began; None means all."""

    cameras: frozenset[CameraKey] | None = None
    start: datetime | None = None
    end: datetime | None = None

    def holds(self, folder: HourFolder) -> bool:
        """Tell whether an hour belongs to it."""
        is_early = self.start is not None and folder.hour + timedelta(hours=1) <= self.start
        is_late = self.end is not None and folder.hour >= self.end
        return not is_early and not is_late


def verify(
    index: SegmentIndex,
    check: Check | None,
    report: VerifyReport,
    extent: Extent | None = None,
    *,
    wait: Callable[[float], object] | None = None,
) -> Iterator[Problem]:
    """Yield each problem as it is found.

    Args:
        index: Its root is read.
        check: `nvr.media.mp4_repair.check`, say; None looks at names and sizes only.
        report: Is filled on the way.
        extent: What to look at; None means all.
        wait: Waits for some seconds, where a difference may be that of a recorder at work; None really does.

    Raises:
        StorageError: The index or a folder cannot be read.
    """
    extent = extent or Extent()
    wait = wait or threading.Event().wait
    on_disk = dict.fromkeys(cameras_of(index.root, report.odd.add))
    cameras: Iterable[CameraKey] = [*on_disk, *(camera for camera in index.cameras() if camera not in on_disk)]
    if extent.cameras is not None:
        cameras = extent.cameras
    for folder in hours_to_compare(index, cameras, report.odd.add):
        if not extent.holds(folder):
            continue
        for problem in _verify_hour(index, folder, check, report, wait):
            report.problems += 1
            yield problem


def _verify_hour(
    index: SegmentIndex,
    folder: HourFolder,
    check: Check | None,
    report: VerifyReport,
    wait: Callable[[float], object],
) -> Iterator[Problem]:
    rows, content = rows_of_hour(index, folder), read_hour(index.root, folder)
    problems = _differences(rows, content)
    if problems:
        wait(RECHECK_S)
        rows, content = rows_of_hour(index, folder), read_hour(index.root, folder)
        problems = [problem for problem in _differences(rows, content) if problem in problems]
    yield from problems
    for segment in content.segments:
        report.segments += 1
        report.size_bytes += segment.size_bytes
        if check is not None:
            yield from _play(index.root, segment, check)
    for origin in content.unfinished:
        if _is_written(index.root / origin.recording_path):
            report.written += 1
        else:
            yield Problem(Fault.UNFINISHED, origin.recording_path, "nobody writes it any more; `reindex` repairs it")
    for path in content.broken:
        report.broken.add(path)
    for path in content.odd:
        report.odd.add(path)


def _differences(rows: list[Segment], content: HourContent) -> list[Problem]:
    on_disk = {segment.path: segment for segment in content.segments}
    problems = []
    for row in rows:
        file = on_disk.pop(row.path, None)
        if file is None:
            problems.append(Problem(Fault.MISSING, row.path, "in the index, not on the disk"))
        elif file != row:
            text = f"expected {row.size_bytes} bytes as in the index, got {file.size_bytes}"
            problems.append(Problem(Fault.SIZE, row.path, text))
    return problems + [Problem(Fault.UNKNOWN, path, "on the disk, not in the index") for path in on_disk]


def _play(root: Path, segment: Segment, check: Check) -> Iterator[Problem]:
    try:
        found = check(root / segment.path)
    except FileNotFoundError:
        return  # the cleaner was here
    except OSError as error:
        yield Problem(Fault.UNPLAYABLE, segment.path, f"cannot be read: {error.strerror}")
        return
    if found.problem is not None:
        yield Problem(Fault.UNPLAYABLE, segment.path, found.problem)
    elif abs(found.duration_ms - segment.duration_ms) > DURATION_TOLERANCE_MS:
        text = f"expected {segment.duration_ms} ms as in its name, got {found.duration_ms} ms"
        yield Problem(Fault.UNPLAYABLE, segment.path, text)


def _is_written(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return not try_lock(file.fileno())
    except OSError:
        return True  # renamed meanwhile, or not to be read: nothing that can be said of it
