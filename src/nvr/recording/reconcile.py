"""What a crash left: files that were being written are repaired or set aside, and the newest hours put in the index.

For the start of a process, and for a look at everything by hand. A recorder holds a lock on the file that it writes, so
what another process is still writing is left to it. Nothing is ever deleted here.
"""

import contextlib
import errno
import logging
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Protocol

from nvr.core.errors import InvalidInputError
from nvr.recording.index import SegmentIndex
from nvr.recording.layout import CameraKey, SegmentOrigin
from nvr.recording.locks import try_lock
from nvr.recording.modes import Modes, RecordingMode
from nvr.recording.reindex import ReindexReport, sync_hour
from nvr.recording.segment import Segment, SegmentKind
from nvr.recording.tree import hours_of, sync_folder

logger = logging.getLogger(__name__)

NEWEST_HOURS = 3
"""Of each camera, those in which a crash can have left something: the last files, and the last rows of the index."""

_NAMES_TRIED = 100


class Repaired(Protocol):
    """What is known of a file that was made playable."""

    @property
    def duration_ms(self) -> int:
        """Length of what plays."""
        ...


Repair = Callable[[Path], Repaired | None]
"""Makes a file playable in place and safe on the disk; None where nothing in it is. Raises OSError."""

KindOf = Callable[[SegmentOrigin], SegmentKind]
"""Says as what a repaired file is kept, for its name does not say why it was recorded."""


@dataclass(slots=True)
class ReconcileReport:
    """What was left, and what became of it."""

    repaired: list[Segment] = field(default_factory=list)
    set_aside: list[PurePosixPath] = field(default_factory=list)
    """Nothing in them plays; relative to the root."""
    written: int = 0
    """Still locked by whoever writes them."""
    failed: list[tuple[PurePosixPath, str]] = field(default_factory=list)
    """The disk did not let them be repaired; they stay as they are, with the reason."""
    index: ReindexReport = field(default_factory=ReindexReport)
    """How the index differed from the disk."""


def kind_of_unfinished(modes: Modes) -> SegmentKind:
    """Return as what a file of a camera recorded so is kept: where in doubt, as what is kept for longer."""
    if modes == {RecordingMode.CONTINUOUS}:
        return SegmentKind.CONTINUOUS
    return SegmentKind.ON_DEMAND if modes == {RecordingMode.ON_DEMAND} else SegmentKind.EVENT


def reconcile(index: SegmentIndex, cameras: Iterable[CameraKey], repair: Repair, kind_of: KindOf) -> ReconcileReport:
    """Finish what a crash left of some cameras, and make the index equal to the disk for their newest hours.

    Args:
        index: Of the root.
        cameras: Those of this instance, before their recorders start.
        repair: `nvr.media.mp4_repair.repair`.
        kind_of: Chooses a kind for what is repaired.

    Raises:
        StorageError: A folder cannot be read or the index not be written.
    """
    report = ReconcileReport()
    for camera in cameras:
        for folder in list(islice(hours_of(index.root, camera, report.index.odd.add), NEWEST_HOURS)):
            content = sync_hour(index, folder, report.index)
            finish_all(index, content.unfinished, repair, kind_of, report)
    return report


def finish_all(
    index: SegmentIndex,
    unfinished: Iterable[SegmentOrigin],
    repair: Repair,
    kind_of: KindOf,
    report: ReconcileReport,
) -> None:
    """Repair the files that nobody writes any more and add them to the index, or set them aside.

    Raises:
        StorageError: The index cannot be written; the file is finished all the same.
    """
    for origin in unfinished:
        path = index.root / origin.recording_path
        try:
            with _taken(path) as descriptor:
                if descriptor is None:
                    report.written += 1
                    continue
                segment = _finish(index.root, origin, descriptor, repair, kind_of)
                if segment is None:
                    report.set_aside.append(_set_aside(index.root, origin))
        except FileNotFoundError:
            continue  # finished meanwhile
        except OSError as error:
            report.failed.append((origin.recording_path, str(error.strerror)))
            logger.warning("an unfinished recording cannot be repaired for now: %s: %s", path, error.strerror)
            continue
        if segment is not None:
            index.add(segment)
            report.repaired.append(segment)
            logger.info("an unfinished recording was repaired: %s", segment.path)


def _finish(root: Path, origin: SegmentOrigin, descriptor: int, repair: Repair, kind_of: KindOf) -> Segment | None:
    """Repair a file and give it its final name; None where it cannot become a segment."""
    path = root / origin.recording_path
    try:
        repaired = repair(path)
        if repaired is None:
            return None
        size_bytes = os.fstat(descriptor).st_size
        segment = Segment(
            origin.tenant, origin.source_id, origin.start, repaired.duration_ms, kind_of(origin), size_bytes
        )
    except InvalidInputError as error:
        logger.warning("an unfinished recording cannot be repaired: %s: %s", path, error)
        return None
    if os.path.lexists(root / segment.path):
        return None
    os.fsync(descriptor)
    path.rename(root / segment.path)
    sync_folder(path.parent)
    return segment


def _set_aside(root: Path, origin: SegmentOrigin) -> PurePosixPath:
    for number in range(1, _NAMES_TRIED):
        aside = origin.broken_path(number)
        if not os.path.lexists(root / aside):
            break
    else:
        raise FileExistsError(errno.EEXIST, "too many files were set aside under this name", str(root / aside))
    (root / origin.recording_path).rename(root / aside)
    sync_folder((root / aside).parent)
    logger.warning("an unfinished recording holds nothing that plays and was set aside: %s", aside)
    return aside


@contextlib.contextmanager
def _taken(path: Path) -> Iterator[int | None]:
    """Lock a file that nobody writes, and yield its descriptor; yields None where somebody does."""
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        is_taken = try_lock(descriptor)
        status = os.fstat(descriptor)
        # whoever wrote it may have renamed it between the opening and the lock
        if is_taken and not os.path.samestat(status, path.lstat()):
            raise FileNotFoundError(path)
        yield descriptor if is_taken and stat.S_ISREG(status.st_mode) else None
    finally:
        os.close(descriptor)
