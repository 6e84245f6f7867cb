"""Keeps the recordings within their limits: a thread that plans now and then, deletes, and updates the index.

A file is deleted before its row. Whatever ends the process in between leaves rows without files; they are still the
oldest, so the next pass meets them first, finds the files gone, and looks at their folders again. Only files that the
index knows are deleted, and the snapshots beside them with the last of their hour.
"""

import logging
import math
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from nvr.core.clock import Clock, SystemClock
from nvr.core.errors import StorageError
from nvr.core.throttle import ThrottledLog
from nvr.recording.disk_space import disk_space
from nvr.recording.index import SegmentIndex
from nvr.recording.layout import HourFolder
from nvr.recording.locks import try_locked
from nvr.recording.lone_snapshots import tidy_lone_snapshots
from nvr.recording.outlook import RootState, root_state
from nvr.recording.policy import RetentionPolicy
from nvr.recording.reindex import reindex, sync_hour, sync_oldest
from nvr.recording.removal import Removal, remove_segments, tidy_hour
from nvr.recording.retention import DiskSpace, Excess, Reason, plan_deletions
from nvr.recording.segment import Segment

logger = logging.getLogger(__name__)

DEFAULT_INTERVAL_S = 30.0
BATCH = 500
"""Segments deleted between two looks at the limits, and between two transactions."""

LOCK_NAME = "index.cleaner.lock"

_MOST_FAILURES = 1000
"""Files that cannot be deleted are passed over within a pass; so many of them end it."""
_LEAST_PAUSE_S = 1.0
_LONE_EVERY_S = 6 * 3600.0
"""The whole tree is walked for snapshots without recordings, of which the index knows nothing."""
_SETTLING_S = 10.0
"""Some file systems give back the room of deleted files only after some seconds."""


@dataclass(slots=True)
class CleanReport:
    """What one pass did."""

    is_skipped: bool = False
    """Another process is cleaning the same root."""
    deleted: int = 0
    deleted_bytes: int = 0
    reasons: Counter[Reason] = field(default_factory=Counter)
    vanished: int = 0
    """Files that were gone before their rows."""
    failed: int = 0
    """Files that could not be deleted."""
    excesses: list[Excess] = field(default_factory=list)
    """Limits that cannot be kept."""


class Cleaner:
    """Deletes what the limits do not allow, in a thread of its own; several processes may clean the same root.

    All processes that share a root should be given the same limits, for each of them cleans all of it.
    """

    def __init__(
        self,
        index: SegmentIndex,
        policy: RetentionPolicy,
        *,
        clock: Clock | None = None,
        interval_s: float = DEFAULT_INTERVAL_S,
        measure: Callable[[Path], DiskSpace] | None = None,
    ) -> None:
        """Prepare a thread that is not running yet.

        Args:
            index: Stays open and belongs to the caller.
            policy: The limits.
            clock: For ages.
            interval_s: From one pass to the next.
            measure: Tells the room on the disk of a path; None asks the operating system.
        """
        self._index = index
        self._policy = policy
        self._clock = clock or SystemClock()
        self._interval_s = interval_s
        self._measure = measure or disk_space
        self._is_stopping = threading.Event()
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recording-cleaner", daemon=True)
        self._trouble = ThrottledLog(logger)
        self._settling = _Settling()
        self._has_checked = False
        self._tidy_at_s = -math.inf
        self._passes = 0
        self._last = CleanReport()
        self._sum = CleanReport()
        self._state: RootState | None = None

    @property
    def state(self) -> RootState | None:
        """How the root was after the last pass; None before the first, and where that could not be told."""
        return self._state

    @property
    def passes(self) -> int:
        """Passes since the start, also those that failed."""
        return self._passes

    @property
    def last(self) -> CleanReport:
        """What the last pass that ended did."""
        return self._last

    @property
    def sum(self) -> CleanReport:
        """What all passes did; its `excesses` stay empty."""
        return self._sum

    def start(self) -> None:
        """Begin with a pass at once."""
        self._thread.start()

    def retune(self, policy: RetentionPolicy, interval_s: float) -> None:
        """Go by other limits from the next pass on, which comes soon; any thread."""
        self._policy, self._interval_s = policy, interval_s
        self._woken.set()

    def note_space_short(self) -> None:
        """Make a pass soon: a disk is full. Returns at once; any thread may call it, as often as it likes."""
        self._woken.set()

    def request_stop(self) -> None:
        """Let the thread end after the batch that it is at; returns at once."""
        self._is_stopping.set()
        self._woken.set()

    def stop(self, timeout_s: float) -> bool:
        """End the thread; False where a disk that hangs did not let it in time."""
        self.request_stop()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def clean(self) -> CleanReport:
        """Make one pass: delete until all limits are kept, or nothing more can be done.

        Raises:
            StorageError: The index or a folder cannot be used, or the room on the disk not be told.
        """
        report = CleanReport()
        with try_locked(self._index.path.with_name(LOCK_NAME)) as is_free:
            if is_free:
                self._make_true()
                self._clean(report)
                self._tidy()
                self._index.renew_reserve()
            report.is_skipped = not is_free
        self._last = report
        return report

    def _clean(self, report: CleanReport) -> None:
        measured = self._room()
        room = DiskSpace(measured.total_bytes, measured.free_bytes + self._settling.credit(self._now_s, measured))
        spared: set[Segment] = set()
        freed_bytes = 0
        is_done = False
        while not is_done and len(spared) < _MOST_FAILURES and not self._is_stopping.is_set():
            plan = plan_deletions(
                self._index,
                self._index.totals(),
                self._policy,
                now=self._clock.now(),
                disk=DiskSpace(room.total_bytes, room.free_bytes + freed_bytes),
                at_most=BATCH,
                spared=spared,
            )
            removal = remove_segments(self._index.root, plan.deletions)
            deleted_bytes = sum(segment.size_bytes for segment in removal.deleted)
            freed_bytes += deleted_bytes
            self._settling.note(self._now_s, measured, freed_bytes)
            self._count(report, removal, plan.deletions, deleted_bytes)
            self._update(removal)
            spared |= {segment for segment, _ in removal.failed}
            report.excesses = plan.excesses
            is_done = removal.is_hopeless or (plan.is_complete and not removal.failed and not removal.vanished)

    def _update(self, removal: Removal) -> None:
        """Make the index equal to what was done; a file that vanished may lie there under another name."""
        self._index.remove_all([*removal.deleted, *removal.vanished])
        for folder in dict.fromkeys(segment.origin.folder for segment in removal.vanished):
            sync_hour(self._index, folder)
        hours = dict.fromkeys(segment.origin.folder for segment in (*removal.deleted, *removal.vanished))
        now = self._clock.now()
        for folder in hours:
            tidy_hour(self._index.root, folder, now)
            # a snapshot may lie in the hour after its segment's
            tidy_hour(self._index.root, HourFolder(folder.camera, folder.hour + timedelta(hours=1)), now)

    def _tidy(self) -> None:
        if self._now_s >= self._tidy_at_s:
            self._tidy_at_s = self._now_s + _LONE_EVERY_S
            tidy_lone_snapshots(self._index.root, self._policy, self._clock.now(), self._is_stopping.is_set)

    def _make_true(self) -> None:
        """Read the tree in where the index was begun anew, and see once what a cleaner that was killed left."""
        if not self._index.is_complete:
            reindex(self._index, should_stop=self._is_stopping.is_set)
        elif not self._has_checked:
            sync_oldest(self._index)
        self._has_checked = True

    def _room(self) -> DiskSpace:
        try:
            return self._measure(self._index.root)
        except OSError as error:
            raise StorageError(f"{self._index.root}: {error.strerror}") from error

    @property
    def _now_s(self) -> float:
        return self._clock.monotonic()

    def _count(self, report: CleanReport, removal: Removal, reasons: dict[Segment, Reason], deleted_bytes: int) -> None:
        for counted in (report, self._sum):
            counted.deleted += len(removal.deleted)
            counted.deleted_bytes += deleted_bytes
            counted.reasons.update(reasons[segment] for segment in removal.deleted)
            counted.vanished += len(removal.vanished)
            counted.failed += len(removal.failed)
        for segment, error in removal.failed:
            self._trouble.report(f"a recording cannot be deleted: {segment.path}: {error.strerror}")

    def _run(self) -> None:
        while not self._is_stopping.is_set():
            self._woken.clear()
            self._attempt()
            self._is_stopping.wait(min(_LEAST_PAUSE_S, self._interval_s))
            self._woken.wait(self._interval_s)

    def _attempt(self) -> None:
        before = {(excess.reason, excess.what) for excess in self._last.excesses}
        try:
            report = self.clean()
            self._state = root_state(self._index, self._policy, self._clock.now(), self._room())
        except StorageError as error:
            self._state = None
            self._trouble.report(f"recordings cannot be cleaned: {error}")
        except Exception as error:  # noqa: BLE001 - the supervisor loop: without a cleaner the disk fills up
            self._state = None
            self._trouble.report(f"recordings cannot be cleaned: {error!r}", error)
        else:
            for excess in report.excesses:
                if (excess.reason, excess.what) not in before:
                    logger.warning(
                        "a limit of recordings cannot be kept, nothing more may be deleted: %s of %s, by %d bytes",
                        excess.reason,
                        excess.what,
                        excess.excess_bytes,
                    )
        self._passes += 1


class _Settling:
    """How much of what was deleted a little while ago the disk does not show as free yet."""

    def __init__(self) -> None:
        self._since_s: float | None = None
        self._free_before_bytes = 0
        self._freed_bytes = 0

    def note(self, now_s: float, before: DiskSpace, freed_bytes: int) -> None:
        """Note what was deleted since the room was measured."""
        if freed_bytes:
            self._since_s, self._free_before_bytes, self._freed_bytes = now_s, before.free_bytes, freed_bytes

    def credit(self, now_s: float, measured: DiskSpace) -> int:
        """Return the bytes that will still be given back."""
        if self._since_s is None or now_s - self._since_s >= _SETTLING_S:
            return 0
        return max(0, self._freed_bytes - max(0, measured.free_bytes - self._free_before_bytes))
