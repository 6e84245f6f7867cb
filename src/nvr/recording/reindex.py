"""Make the index equal to the disk: of one hour at once, of all in steps that hold up nobody.

The rows are read before the folder. So what another process finishes meanwhile is found in the folder and added, which
it does itself as well, and what it deletes meanwhile is at worst a row without a file, which the cleaner mends.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath

from nvr.core.errors import StorageError
from nvr.recording.index import SegmentIndex
from nvr.recording.layout import CameraKey, HourFolder, SegmentOrigin
from nvr.recording.segment import Segment, SegmentKind
from nvr.recording.tree import HourContent, OnOdd, cameras_of, hours_of, read_hour

logger = logging.getLogger(__name__)

NAMED_AT_MOST = 1000
"""Odd files that are named; all are counted."""

_HOUR = timedelta(hours=1)


@dataclass(slots=True)
class Odd:
    """Files of one sort, counted, and the first of them by name."""

    count: int = 0
    paths: list[PurePosixPath] = field(default_factory=list)

    def add(self, path: PurePosixPath) -> None:
        """Count a file."""
        self.count += 1
        if len(self.paths) < NAMED_AT_MOST:
            self.paths.append(path)


@dataclass(slots=True)
class ReindexReport:
    """What was found on the disk, and how the index differed from it."""

    segments: int = 0
    added: int = 0
    removed: int = 0
    resized: int = 0
    unfinished: list[SegmentOrigin] = field(default_factory=list)
    broken: Odd = field(default_factory=Odd)
    odd: Odd = field(default_factory=Odd)
    """Neither recordings nor of the index; left alone."""

    @property
    def is_changed(self) -> bool:
        """Whether the index was not equal to the disk."""
        return bool(self.added or self.removed or self.resized)


def sync_hour(index: SegmentIndex, folder: HourFolder, report: ReindexReport | None = None) -> HourContent:
    """Make the index equal to the disk for what one camera began to record in one hour.

    Raises:
        StorageError: The folder cannot be read or the index not be written.
    """
    report = ReindexReport() if report is None else report
    known = {_name(segment): segment for segment in rows_of_hour(index, folder)}
    content = read_hour(index.root, folder)
    changed = [segment for segment in content.segments if known.get(_name(segment)) != segment]
    found = {_name(segment) for segment in content.segments}
    gone = [
        segment for name, segment in known.items() if name not in found and not _is_there(index.root / segment.path)
    ]
    if changed:
        index.add_all(changed)
    if gone:
        index.remove_all(gone)
    resized = sum(_name(segment) in known for segment in changed)
    report.segments += len(content.segments)
    report.added += len(changed) - resized
    report.resized += resized
    report.removed += len(gone)
    report.unfinished += content.unfinished
    for path in content.broken:
        report.broken.add(path)
    for path in content.odd:
        report.odd.add(path)
    return content


def reindex(
    index: SegmentIndex,
    *,
    should_stop: Callable[[], bool] = lambda: False,
    on_hour: Callable[[HourFolder], None] = lambda _: None,
) -> ReindexReport:
    """Make the index equal to the disk; may run beside recorders and the cleaner, of other processes too.

    Args:
        index: Its root is read.
        should_stop: Asked before each hour; the index is then left as far as it got.
        on_hour: Told each hour before it is read.

    Raises:
        StorageError: A folder cannot be read or the index not be written.
    """
    was_complete = index.is_complete
    report = ReindexReport()
    on_disk = dict.fromkeys(cameras_of(index.root, report.odd.add))
    cameras = [*on_disk, *(camera for camera in index.cameras() if camera not in on_disk)]
    for folder in hours_to_compare(index, cameras, report.odd.add):
        if should_stop():
            return report
        on_hour(folder)
        sync_hour(index, folder, report)
    index.mark_complete()
    if not was_complete and report.added:
        logger.warning("the index was read in anew from the recordings: %d segments", report.segments)
    return report


def sync_oldest(index: SegmentIndex) -> int:
    """Drop the rows of files that a cleaner deleted just before its process was killed; return how many.

    Deleting begins with the oldest of a camera's kind, so looking stops at the first folder that agrees.

    Raises:
        StorageError: A folder cannot be read or the index not be written.
    """
    report = ReindexReport()
    for camera, kind in index.totals():
        removed = -1
        while report.removed != removed:
            removed = report.removed
            for oldest in index.oldest(camera.tenant, camera.source_id, (kind,)):
                sync_hour(index, oldest.origin.folder, report)
    return report.removed


def hours_to_compare(index: SegmentIndex, cameras: Iterable[CameraKey], on_odd: OnOdd) -> Iterator[HourFolder]:
    """Yield every hour of some cameras that is on the disk or in the index, each camera's newest first."""
    for camera in cameras:
        seen = set()
        for folder in hours_of(index.root, camera, on_odd):
            seen.add(folder.hour)
            yield folder
        yield from (HourFolder(camera, hour) for hour in index.hours(camera) if hour not in seen)


def rows_of_hour(index: SegmentIndex, folder: HourFolder) -> list[Segment]:
    """Return the segments that the index holds of what one camera began to record in one hour."""
    rows = index.find(folder.camera.tenant, folder.camera.source_id, folder.hour, folder.hour + _HOUR)
    return [segment for segment in rows if segment.start >= folder.hour]


def _name(segment: Segment) -> tuple[datetime, int, SegmentKind]:
    """Return what tells segments of one folder apart; its path says the same and takes longer to make."""
    return segment.start, segment.duration_ms, segment.kind


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}") from error
    return True
