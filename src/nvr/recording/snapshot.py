"""The best frame of an event as a JPEG of the main stream, beside its segments; in a thread of its own."""

import logging
import math
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from nvr.core.clock import Clock
from nvr.core.errors import NvrError, StorageError, StreamError
from nvr.core.throttle import ThrottledLog
from nvr.events.recording_event import SegmentEvent
from nvr.media.frame import Frame
from nvr.media.frame_at import decode_frame_at
from nvr.media.jpeg import encode_jpeg
from nvr.media.packet_ring import PacketRing
from nvr.recording.announcing import snapshot_event
from nvr.recording.best_frame import Candidate
from nvr.recording.disk import DiskGuard, describe
from nvr.recording.layout import OWN_PREFIX, SegmentOrigin
from nvr.recording.tree import make_folder, sync_folder

logger = logging.getLogger(__name__)

MAX_WAITING = 32
"""Snapshots that may wait; of more, the oldest are dropped and counted."""

MAX_DISTANCE_S = 1.0
"""A picture further from the wanted time than this shows something else."""

MAX_AGE_S = 10.0
"""Who asks for a picture wants to see what is there now."""

_ALL = 1 << 30


@dataclass(frozen=True, slots=True)
class Job:
    """A snapshot to take."""

    source_id: int
    ring: PacketRing
    """Of the main stream."""
    candidate: Candidate | None = None
    """What it is taken of; None for the newest picture."""
    outcome: Future[SegmentEvent] | None = None
    """Who waits for it gets to know how it went."""


def newest_frame(source_id: int, ring: PacketRing, now_s: float) -> Frame:
    """Decode the newest picture of a ring at a monotonic time.

    Raises:
        StreamError: There is none yet, it is too old, or it cannot be decoded.
        UnsupportedError: This build of FFmpeg cannot decode the stream.
    """
    start = ring.newest_gop_start
    if start is None:
        raise StreamError(f"camera {source_id}: no picture has come yet")
    _, packets = ring.slice_from(start, _ALL)
    video = [packet for packet in packets if packet.kind == "video"]
    age_s = now_s - max((packet.received_s for packet in video), default=-math.inf)
    if age_s > MAX_AGE_S:
        raise StreamError(
            f"camera {source_id}: its newest picture is {age_s:.0f} s old, expected {MAX_AGE_S:g} at most"
        )
    try:
        return decode_frame_at(source_id, packets, max(packet.captured_at for packet in video))
    except StreamError:  # it is broken, and the key frame is seconds older
        return decode_frame_at(source_id, packets, video[0].captured_at)


def frame_from_ring(source_id: int, ring: PacketRing, candidate: Candidate) -> Frame:
    """Decode the frame of a candidate out of a ring.

    Raises:
        StreamError: It is not in the ring any more, or cannot be decoded.
        UnsupportedError: This build of FFmpeg cannot decode the stream.
    """
    captured_at = candidate.captured_at
    start = ring.gop_start_at(captured_at)
    if start is None:
        raise StreamError(f"camera {source_id}: no picture of {captured_at.isoformat()} is in memory")
    # pictures shown before their key frame need the GOP before
    before = ring.gop_start_before(start)
    _, packets = ring.slice_from(start if before is None else before, _ALL)
    frame = decode_frame_at(source_id, packets, captured_at)
    distance_s = abs((frame.captured_at - captured_at).total_seconds())
    if distance_s > MAX_DISTANCE_S:
        raise StreamError(
            f"camera {source_id}: the picture of {captured_at.isoformat()} is not in memory, "
            f"the nearest is {distance_s:.1f} s away"
        )
    return frame


class SnapshotWorker:
    """Takes snapshots one after the other. `put` may be called by any thread and never waits."""

    def __init__(
        self,
        root: Path,
        tenant: str,
        *,
        instance_id: Callable[[], str],
        clock: Clock,
        on_snapshot: Callable[[SegmentEvent], None],
    ) -> None:
        """Prepare a thread that is not running yet.

        Args:
            root: Folder of all recordings.
            tenant: Folder of the tenant below it.
            instance_id: Tells whom announcements name.
            clock: For reports and ages.
            on_snapshot: Takes the announcement of each, in the worker's thread.
        """
        self._root = root
        self._tenant = tenant
        self._instance_id = instance_id
        self._on_snapshot = on_snapshot
        self._clock = clock
        self._guard = DiskGuard(root)
        self._waiting: deque[Job] = deque()
        self._condition = threading.Condition()
        self._is_stopping = False
        self._taken = 0
        self._dropped = 0
        self._trouble = ThrottledLog(logger, clock=clock)
        self._thread = threading.Thread(target=self._run, name="snapshots", daemon=True)

    @property
    def taken(self) -> int:
        """Snapshots on the disk so far."""
        return self._taken

    @property
    def dropped(self) -> int:
        """Snapshots that gave way because others took too long."""
        return self._dropped

    @property
    def failures(self) -> int:
        """Snapshots that could not be taken or written."""
        return self._trouble.total

    def start(self) -> None:
        """Begin, in the background."""
        self._thread.start()

    def put(self, job: Job) -> None:
        """Take a snapshot soon."""
        with self._condition:
            if self._is_stopping:
                _end(job, StorageError(f"camera {job.source_id}: nothing is recorded any more"))
                return
            if len(self._waiting) >= MAX_WAITING:
                dropped = self._waiting.popleft()
                self._dropped += 1
                _end(dropped, StorageError(f"camera {dropped.source_id}: too many snapshots wait for the disk"))
            self._waiting.append(job)
            self._condition.notify()

    def order(self, source_id: int, ring: PacketRing) -> Future[SegmentEvent]:
        """Take the newest picture of a ring soon; see `Future.result` for how that went."""
        outcome: Future[SegmentEvent] = Future()
        self.put(Job(source_id, ring, outcome=outcome))
        return outcome

    def request_stop(self) -> None:
        """Let the thread end after those that wait; returns at once."""
        with self._condition:
            self._is_stopping = True
            self._condition.notify()

    def stop(self, timeout_s: float) -> bool:
        """Take those that wait and end the thread; False if that takes longer than `timeout_s`."""
        self.request_stop()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            try:
                event = self._take(job)
            except OSError as error:
                sentence = f"camera {job.source_id}: a snapshot cannot be written: {describe(error)}"
                self._trouble.report(sentence)
                _end(job, StorageError(sentence))
            except NvrError as error:
                self._trouble.report(f"a snapshot cannot be taken: {error}")
                _end(job, error)
            except Exception as error:  # noqa: BLE001 - the supervisor loop: the next picture may be good
                self._trouble.report(f"camera {job.source_id}: a snapshot failed: {error!r}", error)
                _end(job, error)
            else:
                if job.outcome is not None:
                    job.outcome.set_result(event)

    def _next(self) -> Job | None:
        with self._condition:
            while not self._waiting and not self._is_stopping:
                self._condition.wait()
            return self._waiting.popleft() if self._waiting else None

    def _take(self, job: Job) -> SegmentEvent:
        candidate = job.candidate
        frame = (
            newest_frame(job.source_id, job.ring, self._clock.monotonic())
            if candidate is None
            else frame_from_ring(job.source_id, job.ring, candidate)
        )
        origin = SegmentOrigin(self._tenant, job.source_id, frame.captured_at.astimezone(UTC))
        jpeg = encode_jpeg(frame)
        self._guard.check()
        make_folder(self._root, origin.folder)
        self._write(self._root / origin.snapshot_path, jpeg)
        self._taken += 1
        event = snapshot_event(origin, frame, len(jpeg), candidate, self._instance_id())
        self._on_snapshot(event)
        return event

    def _write(self, path: Path, content: bytes) -> None:
        """Let a file appear whole, safe on the disk, or not at all."""
        unfinished = self._root / f"{OWN_PREFIX}snapshot-{os.getpid()}-{self._tenant}.part"
        try:
            with unfinished.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        except OSError:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def _end(job: Job, error: Exception) -> None:
    if job.outcome is not None:
        job.outcome.set_exception(error)
