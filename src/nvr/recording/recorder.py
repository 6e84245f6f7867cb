"""The recorder of one camera: a thread that writes what its plan wants, and pauses while the disk fails."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from nvr.core.clock import Clock
from nvr.core.log_context import log_fields
from nvr.core.throttle import ThrottledLog
from nvr.media.packet_ring import PacketRing
from nvr.recording.disk import SLOW_S, Activity, Pause, PauseReason, RecordingState, describe, pause_reason
from nvr.recording.modes import Modes
from nvr.recording.plan import RecordingPlan
from nvr.recording.segment_file import SegmentFile
from nvr.recording.segment_writer import FinishedSegment
from nvr.recording.segmenter import CreateFile, RecorderSettings, SegmentCounters, Segmenter

logger = logging.getLogger(__name__)

DRAIN_S = 0.25
"""How often the ring is emptied. With fragments of 0.5 s, less than a second is lost when the power goes."""


@dataclass(frozen=True, slots=True)
class RecorderCounters:
    """What a recorder has done so far."""

    written: SegmentCounters
    lost_packets: int
    """Wanted, but overwritten in memory before the disk took them."""
    pauses: int
    """Times that the disk failed."""
    failures: int
    """Errors that were expected nowhere."""


class Recorder:
    """Records one camera. Its methods may be called by any thread and never wait for the disk, except `stop`."""

    def __init__(
        self,
        source_id: int,
        ring: PacketRing,
        *,
        root: Path,
        tenant: str,
        modes: Modes,
        settings: RecorderSettings,
        clock: Clock,
        on_segment: Callable[[FinishedSegment], None],
        on_state: Callable[[RecordingState], None] = lambda _: None,
        on_space_short: Callable[[], None] = lambda: None,
        create_file: CreateFile = SegmentFile,
    ) -> None:
        """Prepare; nothing is written before `start`.

        Args:
            source_id: The camera.
            ring: Its packets.
            root: Folder of all recordings, which is there.
            tenant: Folder of its tenant below the root.
            modes: Why it is recorded.
            settings: How.
            clock: For intervals and for the times of states.
            on_segment: Takes each segment that is safe on the disk, in the recorder's thread.
            on_state: Takes each change of the state, in the recorder's thread or that of `watch`; must be quick.
            on_space_short: Called when the disk is full; must be quick.
            create_file: Makes the file of a segment.
        """
        self.source_id = source_id
        self._ring = ring
        self._clock = clock
        self._on_state = on_state
        self._on_space_short = on_space_short
        self._plan = RecordingPlan(modes, settings.plan)
        self._segmenter = Segmenter(
            source_id,
            ring,
            self._plan,
            root=root,
            tenant=tenant,
            settings=settings,
            clock=clock,
            on_segment=on_segment,
            create_file=create_file,
        )
        self._pause = Pause()
        self._pauses = 0
        self._has_news = False
        self._waits_since_s: float | None = None
        self._state = RecordingState(source_id, Activity.IDLE if modes else Activity.OFF, clock.now())
        self._state_lock = threading.Lock()
        self._failed = ThrottledLog(logger, logging.ERROR, clock=clock)
        self._is_stopping = threading.Event()
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"recorder-{source_id}", daemon=True)

    @property
    def state(self) -> RecordingState:
        """What it does at present."""
        return self._state

    @property
    def modes(self) -> Modes:
        """Why the camera is recorded."""
        return self._plan.modes

    @property
    def counters(self) -> RecorderCounters:
        """What it has done so far; `written` is shared and goes on."""
        segmenter = self._segmenter
        return RecorderCounters(segmenter.counters, segmenter.lost_packets, self._pauses, self._failed.total)

    def start(self) -> None:
        """Begin, in the background."""
        self._thread.start()

    def set_modes(self, modes: Modes) -> None:
        """Record for other reasons from now on; what no reason holds any more ends at once."""
        self._plan.set_modes(modes)
        self._woken.set()

    def retune(self, settings: RecorderSettings) -> None:
        """Cut by other lengths from the next segment on, and reach as far around the events to come."""
        self._plan.retune(settings.plan)
        self._segmenter.retune(settings)

    def note_event(self, captured_at: datetime) -> None:
        """Take note that something was detected in the frame captured at a time."""
        if self._plan.note_event(captured_at) is not None:
            self._has_news = True
            self._woken.set()

    def record_start(self, max_s: float) -> None:
        """Record on demand, from the newest key frame on, for at most `max_s` from now, whatever its modes are."""
        self._plan.start_on_demand(self._clock.monotonic(), max_s)
        self._woken.set()

    def record_stop(self) -> None:
        """End recording on demand now; what other reasons hold goes on."""
        self._plan.stop_on_demand(self._clock.monotonic())
        self._woken.set()

    def request_stop(self) -> None:
        """Let the thread finish its segment and end; returns at once."""
        self._is_stopping.set()
        self._woken.set()

    def stop(self, timeout_s: float) -> bool:
        """Finish the segment and end the thread; False where a disk that hangs did not let it in time."""
        self.request_stop()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def watch(self, now_s: float) -> None:
        """Tell of a disk that has not answered for long; for another thread, since the recorder's own waits for it."""
        since_s = self._waits_since_s
        if since_s is not None and now_s - since_s >= SLOW_S:
            self._set_state(Activity.PAUSED, "disk slow", f"no answer for {now_s - since_s:.0f} s")

    def _run(self) -> None:
        with log_fields(source_id=self.source_id):
            while not self._is_stopping.is_set():
                self._woken.wait(DRAIN_S)
                self._woken.clear()
                self._work()
            self._work()
            self._attempt(lambda: self._segmenter.end(self._plan.abandon("shutdown")))
            self._set_state(Activity.OFF)

    def _work(self) -> None:
        if self._pause.is_on:
            if not self._pause.is_over(self._clock.monotonic()):
                return
            self._pause.lift()
            self._attempt(self._segmenter.guard.probe)
        if not self._pause.is_on:
            self._attempt(self._write)
            self._tell()

    def _write(self) -> None:
        """Write all that is there."""
        is_closed = self._ring.is_closed
        segmenter = self._segmenter
        now_s = self._clock.monotonic()
        while segmenter.write_batch(now_s):
            now_s = self._waits_since_s = self._clock.monotonic()
        segmenter.end(self._plan.tick(now_s))
        if is_closed:
            segmenter.end(self._plan.abandon("shutdown"))
        segmenter.sync()
        if self._has_news:
            self._has_news = False
            segmenter.raise_kinds()
        if segmenter.has_written:
            self._pause.succeed()

    def _attempt(self, work: Callable[[], None]) -> None:
        """Do something with the disk; what fails is dealt with."""
        self._waits_since_s = self._clock.monotonic()
        try:
            work()
        except OSError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - the supervisor loop: one bad packet must not end the recording
            self._failed.report(f"camera {self.source_id}: recording failed: {error!r}", error)
            self._segmenter.give_up()
        finally:
            self._waits_since_s = None

    def _fail(self, error: OSError) -> None:
        """Save what was written of the open segment, and pause."""
        self._segmenter.give_up()
        reason = pause_reason(error)
        self._pause.begin(self._clock.monotonic())
        self._set_state(Activity.PAUSED, reason, describe(error))
        if reason == "disk full":
            self._on_space_short()
        self._pauses += 1

    def _tell(self) -> None:
        if self._pause.is_on:
            return
        if self._segmenter.is_writing:
            self._set_state(Activity.RECORDING)
        elif not self._plan.modes:
            self._set_state(Activity.OFF)
        elif self._segmenter.unheld_codec is not None:
            self._set_state(Activity.PAUSED, "codec", f"no MP4 holds {self._segmenter.unheld_codec}")
        else:
            self._set_state(Activity.IDLE)

    def _set_state(self, activity: Activity, reason: PauseReason | None = None, detail: str = "") -> None:
        with self._state_lock:
            old = self._state
            if (old.activity, old.reason) == (activity, reason):
                return
            self._state = state = RecordingState(self.source_id, activity, self._clock.now(), reason, detail)
        who = {"source_id": self.source_id}
        if activity is Activity.PAUSED:
            logger.warning("camera %d: recording pauses, %s: %s", self.source_id, reason, detail, extra=who)
        elif old.activity is Activity.PAUSED:
            logger.info("camera %d: recording no longer pauses", self.source_id, extra=who)
        self._on_state(state)
