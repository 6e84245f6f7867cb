"""The one thread that looks: freshest frames of all cameras, as few inferences as they fit into, one event each."""

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from nvr.core.clock import Clock
from nvr.core.errors import CancelledError, FrameError, InvalidInputError
from nvr.core.masking import mask_credentials
from nvr.core.throttle import ThrottledLog
from nvr.detection.detections import Detections
from nvr.detection.motion import MotionDetector
from nvr.events.schema import DetectionEvent
from nvr.events.track_event import TrackEndReason, TrackEvent
from nvr.media.frame import Frame
from nvr.media.freshest import FreshestFrames
from nvr.processor.analyst import CameraAnalyst, ModelFacts
from nvr.processor.eye import Eye, Glance, open_eye
from nvr.processor.model_slot import ModelInUse, ModelSlot
from nvr.processor.model_work import ModelWork, WorkSheets
from nvr.processor.tally import FrameClock, FrameHandler, FrameTimes, Tallies
from nvr.tracking.zone_counts import CountsSnapshot

logger = logging.getLogger(__name__)

EventHandler = Callable[[DetectionEvent, Frame], None]
TrackHandler = Callable[[TrackEvent], None]

POLL_S = 0.25
"""How often the thread looks whether it shall stop while no camera delivers."""

ACTIVE_WEIGHT = 2.0
"""Of a camera's waiting where something happens."""


class Multiplexer:
    """Takes what is ready of all cameras and looks at it with one model.

    A model that takes canvases sees the parts of all frames that are worth a look, side by side; another one sees
    whole frames. One that raises costs the frames of that batch, not the thread: its slot says that it is degraded.
    """

    def __init__(
        self,
        frames: FreshestFrames,
        slot: ModelSlot,
        make_analyst: Callable[[int], CameraAnalyst | None],
        emit: FrameHandler,
        emit_track: TrackHandler,
        *,
        clock: Clock,
        name: str,
        max_batch: int,
        gather_s: float = 0.0,
        wants_canvases: bool = True,
        tallies: Tallies | None = None,
    ) -> None:
        """Prepare the thread.

        Args:
            frames: Where the cameras put their frames.
            slot: The model, used by this thread alone; closed by whoever made it.
            make_analyst: Called with the source id of each camera that shows up; None for one that is gone.
            emit: Takes each event with its frame, in this thread; must be quick and raise nothing.
            emit_track: The same for tracks.
            clock: For latencies.
            name: Of the thread.
            max_batch: Most frames that are looked at together. A model without canvases and real batches gets one at a
                time, so that the event of the first frame does not wait for the last.
            gather_s: How long a frame may wait for those of other cameras.
            wants_canvases: Whether a model that takes canvases gets them.
            tallies: Where it counts what becomes of each camera's frames.
        """
        self._frames = frames
        self._slot = slot
        self._make_analyst = make_analyst
        self._emit = emit
        self._emit_track = emit_track
        self._clock = clock
        self._max_batch = max_batch
        self._gather_s = gather_s
        self._wants_canvases = wants_canvases
        self._tallies = tallies or Tallies(clock)
        self._works = WorkSheets()
        self._analysts: dict[int, CameraAnalyst] = {}
        self._gone: deque[tuple[int, bool]] = deque()
        self._eye: Eye | None = None
        self._generation = 0
        self._past_inferences = 0
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._busy_since_s: float | None = None
        self._trouble = ThrottledLog(logger, logging.ERROR, clock=clock)
        self._analysed = 0

    @property
    def analysed(self) -> int:
        """Frames so far, those too in which nothing was worth a look."""
        return self._analysed

    @property
    def inferences(self) -> int:
        """Pictures that models have looked at so far."""
        return self._past_inferences + (0 if self._eye is None else self._eye.inferences)

    @property
    def failures(self) -> int:
        """Batches and frames that failed so far."""
        return self._trouble.total

    def works(self) -> list[ModelWork]:
        """Return what each model that was in use has worked."""
        return self._works.report()

    def counts(self) -> dict[int, CountsSnapshot]:
        """Return the counters of zones and lines of each camera that has some."""
        return {
            source_id: snapshot
            for source_id, analyst in tuple(self._analysts.items())
            if (snapshot := analyst.counts()).zones or snapshot.lines
        }

    def busy_for_s(self) -> float:
        """Return how long the present inference has taken; 0 between two."""
        busy_since_s = self._busy_since_s
        return 0.0 if busy_since_s is None else self._clock.monotonic() - busy_since_s

    def retune(self, *, max_batch: int, gather_s: float) -> None:
        """Gather otherwise from the next batch on; any thread."""
        self._max_batch, self._gather_s = max_batch, gather_s

    def start(self) -> None:
        """Begin, in the background."""
        self._thread.start()

    def forget(self, source_id: int) -> None:
        """End the tracks of a camera that is gone, before the next frame; any thread."""
        self._gone.append((source_id, True))

    def interrupt(self, source_id: int) -> None:
        """End the tracks of a camera that pauses; any thread."""
        self._gone.append((source_id, False))

    def finish(self) -> None:
        """Ask the thread to look at what waits and then end, without waiting."""
        self._frames.close()

    def request_stop(self) -> None:
        """Ask the thread to end after the batch in work, without waiting."""
        self._is_stopping.set()
        self._frames.close()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread; False if it still works after `timeout_s`."""
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        with contextlib.suppress(CancelledError):
            self._use(self._slot.current())
            self._slot.passed()
        while not self._is_stopping.is_set():
            self._wait_for_retry()
            limit = self._max_batch if self._eye is None else min(self._max_batch, self._eye.n_at_once)
            gather_s = self._gather_s if self._eye is not None and self._eye.gains_by_waiting else 0.0
            frames = self._frames.take(limit, POLL_S, gather_s=gather_s, rank=self._rank)
            # a camera that was removed and added anew meanwhile must not meet its old self
            self._say_goodbye("removed")
            if frames:
                try:
                    self._analyse(frames, self._slot.current())
                except CancelledError:
                    break
            elif self._frames.is_closed:
                break
        self._gone.extend((source_id, True) for source_id in self._analysts)
        self._say_goodbye("shutdown")

    def _wait_for_retry(self) -> None:
        """Leave a degraded model alone for a while, which a swap ends."""
        while (left_s := self._slot.retry_in_s()) > 0 and not self._is_stopping.wait(min(left_s, POLL_S)):
            self._say_goodbye("removed")

    def _analyse(self, frames: Sequence[Frame], model: ModelInUse) -> None:
        n_before = self.inferences
        try:
            if model.generation != self._generation:
                self._use(model)
            if self._eye is not None:
                self._look(frames, self._eye, model)
        except Exception as error:  # noqa: BLE001 - the supervisor loop: a failing model must not end the cameras
            sources = ", ".join(f"source {frame.source_id}" for frame in frames)
            trouble = mask_credentials(repr(error))
            self._trouble.report(f"detector {model.detector.model_id} failed on {sources}: {trouble}", error)
            self._works.failed(model.detector.model_id)
            for frame in frames:
                self._tallies.of(frame.source_id).failed()
                if (analyst := self._analysts.get(frame.source_id)) is not None:
                    analyst.look_again()
            self._slot.failed(error)
        else:
            if self.inferences > n_before:
                self._slot.succeeded()
            else:
                self._slot.passed()
        finally:
            self._busy_since_s = None

    def _use(self, model: ModelInUse) -> None:
        self._past_inferences = self.inferences
        self._eye = open_eye(model.detector, wants_canvases=self._wants_canvases)
        self._generation = model.generation
        for analyst in self._analysts.values():
            analyst.look_again(in_turn=True)

    def _look(self, frames: Sequence[Frame], eye: Eye, model: ModelInUse) -> None:
        detector, frame_clock = model.detector, FrameClock(self._clock)
        glances = []
        for frame in frames:
            analyst = self._analyst(frame.source_id)
            try:
                if analyst is not None:
                    glances.append(eye.prepare(frame, analyst))
            except FrameError as error:
                self._tallies.of(frame.source_id).failed()
                self._trouble.report(str(error))
        if not glances:
            return
        found, took_s = self._ask(eye, glances, detector.model_id)
        facts = ModelFacts(
            detector.model_id,
            detector.class_names,
            inference_time_ms=took_s * 1000,
            has_classes=not isinstance(detector, MotionDetector),
            confidence_threshold=model.confidence_threshold,
        )
        for glance, seen in zip(glances, found, strict=True):
            self._conclude(glance, seen, facts, frame_clock.times_of(glance.frame))

    def _ask(self, eye: Eye, glances: Sequence[Glance], model_id: str) -> tuple[list[Detections | None], float]:
        """Return what the model finds, and the seconds that it took."""
        n_before, px_before = eye.inferences, eye.used_px
        started_s = self._busy_since_s = self._clock.monotonic()
        found = eye.look(glances)
        took_s = self._clock.monotonic() - started_s
        self._busy_since_s = None
        if n := eye.inferences - n_before:
            self._works.looked(
                model_id,
                took_s,
                inferences=n,
                frames=sum(seen is not None for seen in found),
                used_px=eye.used_px - px_before,
                all_px=n * eye.canvas_px,
            )
        return found, took_s

    def _conclude(self, glance: Glance, found: Detections | None, facts: ModelFacts, times: FrameTimes) -> None:
        self._analysed += 1
        tally = self._tallies.of(glance.frame.source_id)
        tally.looked(times, is_moving=None if glance.plan is None else len(glance.plan.motion_xyxy_px) > 0)
        if found is None:
            facts = replace(facts, inference_time_ms=0.0)
        try:
            event, tracks = glance.analyst.conclude(glance.frame, found, glance.plan, facts)
        except InvalidInputError as error:
            tally.failed()
            self._works.failed(facts.model_id)
            self._trouble.report(f"camera {glance.frame.source_id}: detector {facts.model_id}: {error}")
            return
        self._emit(event, glance.frame, times)
        for track in tracks:
            self._emit_track(track)

    def _analyst(self, source_id: int) -> CameraAnalyst | None:
        analyst = self._analysts.get(source_id) or self._make_analyst(source_id)
        if analyst is not None:
            self._analysts[source_id] = analyst
        return analyst

    def _rank(self, source_id: int, waits_s: float) -> float:
        analyst = self._analysts.get(source_id)
        return rank(waits_s, is_active=analyst is not None and analyst.is_active)

    def _say_goodbye(self, reason: TrackEndReason) -> None:
        while self._gone:
            source_id, is_for_good = self._gone.popleft()
            analyst = self._analysts.pop(source_id, None) if is_for_good else self._analysts.get(source_id)
            for track in () if analyst is None else analyst.finish(reason):
                self._emit_track(track)


def rank(waits_s: float, *, is_active: bool) -> float:
    """Return the place of a camera in the line, the lowest first: who has waited longest.

    Where something happens waiting counts twice. Under overload such a camera has up to twice the rate of the others,
    which have the same one each; none starves.

    Args:
        waits_s: How long its frame has waited.
        is_active: Whether something moved there or was followed when it was last looked at.
    """
    return -waits_s * (ACTIVE_WEIGHT if is_active else 1.0)
