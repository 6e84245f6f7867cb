"""Keeps index and disk equal beside the recorders: opens the index, adds segments, repairs what a crash left, cleans.

All that may take long or fail for a while is tried again here, in a thread of its own, so that a disk that comes late
or an index that is busy holds up no recorder.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from nvr.core.clock import Clock
from nvr.core.errors import StorageError
from nvr.core.throttle import ThrottledLog
from nvr.media.mp4_repair import repair
from nvr.recording.cleaner import Cleaner
from nvr.recording.index import SegmentIndex
from nvr.recording.layout import CameraKey
from nvr.recording.policy import RetentionPolicy
from nvr.recording.reconcile import KindOf, reconcile
from nvr.recording.reindex import reindex
from nvr.recording.segment import Segment

logger = logging.getLogger(__name__)

RETRY_S = 5.0

REPEAT_S = 60.0
"""How often the same trouble is told, for it may last for days."""

BUSY_TIMEOUT_S = 2.0
"""Shorter than what a camera's packets reach back in memory, for its recorder waits so long."""

MAX_PENDING = 10_000
"""Changes of the index that wait for it; when there are more, it is read in anew from the disk."""


@dataclass(frozen=True, slots=True)
class _Change:
    """Of the index: a new segment, in place of an old one where its file was renamed."""

    new: Segment
    old: Segment | None


class Keeper:
    """Owns index and cleaner of one root. `note` may be called by any thread and waits only for the index."""

    def __init__(
        self,
        root: Path,
        policy: RetentionPolicy,
        *,
        clean_interval_s: float,
        clock: Clock,
        kind_of: KindOf,
        on_repaired: Callable[[Segment], None],
        busy_timeout_s: float = BUSY_TIMEOUT_S,
    ) -> None:
        """Prepare; the root need not be there yet.

        Args:
            root: Folder of the recordings.
            policy: What the cleaner keeps to.
            clean_interval_s: How often it looks.
            clock: For ages and reports.
            kind_of: Chooses the kind of a segment that a crash left.
            on_repaired: Takes each of these, in the keeper's thread.
            busy_timeout_s: How long the index is waited for while another process writes it.
        """
        self._root = root
        self._policy = policy
        self._clean_interval_s = clean_interval_s
        self._clock = clock
        self._kind_of = kind_of
        self._on_repaired = on_repaired
        self._busy_timeout_s = busy_timeout_s
        self._index: SegmentIndex | None = None
        self._cleaner: Cleaner | None = None
        self._pending: deque[_Change] = deque()
        self._unseen: set[CameraKey] = set()
        self._must_reindex = False
        self._lock = threading.Lock()
        self._trouble = ThrottledLog(logger, repeat_s=REPEAT_S, clock=clock)
        self._woken = threading.Event()
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recording-keeper", daemon=True)

    @property
    def index(self) -> SegmentIndex | None:
        """The index; None as long as the disk does not let it be opened."""
        return self._index

    @property
    def cleaner(self) -> Cleaner | None:
        """The cleaner; None as long as there is no index."""
        return self._cleaner

    @property
    def pending(self) -> int:
        """Changes that the index has not taken yet."""
        return len(self._pending)

    @property
    def unseen(self) -> int:
        """Cameras whose folders have not been looked at for what a crash left."""
        return len(self._unseen)

    @property
    def failures(self) -> int:
        """Tries that failed so far."""
        return self._trouble.total

    def start(self) -> None:
        """Begin, in the background."""
        self._thread.start()

    def look_at(self, camera: CameraKey) -> None:
        """Repair what a crash or a failing disk left of a camera, soon."""
        with self._lock:
            self._unseen.add(camera)
        self._woken.set()

    def note(self, new: Segment, old: Segment | None = None) -> None:
        """Add a segment whose file is on the disk, in place of an old one where that was renamed; raises nothing."""
        change = _Change(new, old)
        index = self._index
        if index is not None and not self._pending:
            try:
                _apply(index, [change])
            except StorageError as error:
                self._trouble.report(f"a segment is not in the index yet: {error}")
            else:
                return
        with self._lock:
            if len(self._pending) >= MAX_PENDING:
                self._pending.popleft()
                self._must_reindex = True
            self._pending.append(change)

    def retune(self, policy: RetentionPolicy, clean_interval_s: float) -> None:
        """Keep to other limits from the next pass on, which comes soon; any thread."""
        self._policy, self._clean_interval_s = policy, clean_interval_s
        cleaner = self._cleaner
        if cleaner is not None:
            cleaner.retune(policy, clean_interval_s)

    def note_space_short(self) -> None:
        """Clean soon: a disk is full."""
        cleaner = self._cleaner
        if cleaner is not None:
            cleaner.note_space_short()

    def request_stop(self) -> None:
        """Let the thread end; returns at once."""
        self._is_stopping.set()
        self._woken.set()
        cleaner = self._cleaner
        if cleaner is not None:
            cleaner.request_stop()

    def stop(self, timeout_s: float) -> bool:
        """End the threads and close the index; False where a disk that hangs did not let them in time."""
        deadline_s = self._clock.monotonic() + timeout_s
        self.request_stop()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        has_ended = not self._thread.is_alive()
        if has_ended and self._cleaner is not None:
            has_ended = self._cleaner.stop(max(0.0, deadline_s - self._clock.monotonic()))
        if has_ended and self._index is not None:
            self._attempt(self._apply_pending)
            self._index.close()
        return has_ended

    def _run(self) -> None:
        while not self._is_stopping.is_set():
            self._woken.clear()
            self._attempt(self._mend)
            self._woken.wait(RETRY_S)

    def _attempt(self, work: Callable[[], None]) -> None:
        try:
            work()
        except StorageError as error:
            self._trouble.report(f"the recordings are not looked after for now: {error}")
        except Exception as error:  # noqa: BLE001 - the supervisor loop: the disk may be mended
            self._trouble.report(f"the recordings are not looked after: {error!r}", error)

    def _mend(self) -> None:
        index = self._index or self._open()
        self._apply_pending()
        if self._must_reindex:
            reindex(index, should_stop=self._is_stopping.is_set)
            self._must_reindex = self._is_stopping.is_set()
        while self._unseen and not self._is_stopping.is_set():
            with self._lock:
                camera = min(self._unseen)
            report = reconcile(index, [camera], repair, self._kind_of)
            for segment in report.repaired:
                self._on_repaired(segment)
            with self._lock:
                self._unseen.discard(camera)

    def _open(self) -> SegmentIndex:
        if not self._root.is_dir():
            raise StorageError(f"{self._root} is no folder, and none is made: its disk may not be mounted")
        index = SegmentIndex(self._root, busy_timeout_s=self._busy_timeout_s)
        cleaner = Cleaner(index, self._policy, clock=self._clock, interval_s=self._clean_interval_s)
        cleaner.start()
        self._index, self._cleaner = index, cleaner
        cleaner.retune(self._policy, self._clean_interval_s)  # they may have changed since
        return index

    def _apply_pending(self) -> None:
        index = self._index
        while index is not None and self._pending:
            with self._lock:
                changes = list(self._pending)
            _apply(index, changes)
            with self._lock:
                for _ in changes:
                    self._pending.popleft()


def _apply(index: SegmentIndex, changes: list[_Change]) -> None:
    for is_rename, group in groupby(changes, lambda change: change.old is not None):
        if not is_rename:
            index.add_all(change.new for change in group)
            continue
        for change in group:
            if change.old is not None:
                index.replace(change.old, change.new)
