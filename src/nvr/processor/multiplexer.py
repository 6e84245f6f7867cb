"""The one thread that looks: freshest frames of all cameras, one inference, one event each."""

import logging
import threading
from collections.abc import Callable, Collection

from nvr.core.clock import Clock
from nvr.core.errors import FrameError, MessageError
from nvr.core.rate import RateMeter
from nvr.core.throttle import ThrottledLog
from nvr.detection.detections import Detector, Image
from nvr.events.schema import DetectionEvent
from nvr.media.frame import Frame
from nvr.media.freshest import FreshestFrames
from nvr.media.pixels import shrink_to_bgr
from nvr.processor.event_builder import build_event, to_detections

logger = logging.getLogger(__name__)

EventHandler = Callable[[DetectionEvent, Frame], None]

POLL_S = 0.25
"""How often the thread looks whether it shall stop while no camera delivers."""

PAUSE_AFTER_FAILURE_S = 0.1


class Multiplexer:
    """Batches what is ready and never waits in turn.

    A detector that raises costs the frames of that batch, not the thread: the trouble is logged and counted.
    """

    def __init__(
        self,
        frames: FreshestFrames,
        detector: Detector,
        emit: EventHandler,
        *,
        clock: Clock,
        instance_id: str,
        max_batch: int,
        classes: Collection[str] = (),
    ) -> None:
        """Prepare the thread.

        Args:
            frames: Where the cameras put their frames.
            detector: Used by this thread alone; closed by whoever made it.
            emit: Takes each event with its frame, in this thread; must be quick and raise nothing.
            clock: For latencies.
            instance_id: Goes into each event.
            max_batch: Most frames in one inference, of a detector that has real batches; another gets one at a time,
                so that the event of the first frame does not wait for the last.
            classes: Names to publish; empty for all.
        """
        self._frames = frames
        self._detector = detector
        self._emit = emit
        self._clock = clock
        self._instance_id = instance_id
        self._max_batch = max_batch if detector.has_real_batches else 1
        self._classes = frozenset(classes)
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"multiplexer-{instance_id}", daemon=True)
        self._rates: dict[int, RateMeter] = {}
        self._busy_since_s: float | None = None
        self._trouble = ThrottledLog(logger, logging.ERROR, clock=clock)
        self._analysed = 0
        self._batches = 0

    @property
    def analysed(self) -> int:
        """Frames looked at so far."""
        return self._analysed

    @property
    def batches(self) -> int:
        """Inferences so far."""
        return self._batches

    @property
    def failures(self) -> int:
        """Inferences and frames that failed so far."""
        return self._trouble.total

    def busy_for_s(self) -> float:
        """Return how long the present inference has taken; 0 between two."""
        busy_since_s = self._busy_since_s
        return 0.0 if busy_since_s is None else self._clock.monotonic() - busy_since_s

    def start(self) -> None:
        """Begin, in the background."""
        self._thread.start()

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
        while not self._is_stopping.is_set():
            frames = self._frames.take(self._max_batch, POLL_S)
            if not frames:
                if self._frames.is_closed:
                    return
                continue
            try:
                self._analyse(frames)
            except Exception as error:  # noqa: BLE001 - the supervisor loop: a failing model must not end the cameras
                sources = ", ".join(f"source {frame.source_id}" for frame in frames)
                self._trouble.report(f"detector {self._detector.model_id} failed on {sources}: {error!r}", error)
                self._is_stopping.wait(PAUSE_AFTER_FAILURE_S)
            finally:
                self._busy_since_s = None

    def _analyse(self, frames: list[Frame]) -> None:
        readable, images = self._to_images(frames)
        if not images:
            return
        started_s = self._clock.monotonic()
        self._busy_since_s = started_s
        found = self._detector.infer(images, [frame.source_id for frame in readable])
        inference_time_ms = (self._clock.monotonic() - started_s) * 1000
        self._busy_since_s = None
        self._batches += 1
        for frame, image, small in zip(readable, images, found, strict=True):
            self._analysed += 1
            detections = small.scaled(frame.width / image.shape[1], frame.height / image.shape[0])
            try:
                event = build_event(
                    frame,
                    to_detections(detections, self._detector.class_names, self._classes),
                    model_id=self._detector.model_id,
                    instance_id=self._instance_id,
                    inference_time_ms=inference_time_ms,
                    fps=self._rate_of(frame),
                    now=self._clock.now(),
                )
            except MessageError as error:
                self._trouble.report(f"camera {frame.source_id}: detector {self._detector.model_id}: {error}")
            else:
                self._emit(event, frame)

    def _to_images(self, frames: list[Frame]) -> tuple[list[Frame], list[Image]]:
        readable: list[Frame] = []
        images: list[Image] = []
        for frame in frames:
            try:
                images.append(self._to_image(frame))
            except FrameError as error:
                self._trouble.report(str(error))
            else:
                readable.append(frame)
        return readable, images

    def _to_image(self, frame: Frame) -> Image:
        size = self._detector.input_size_px(frame.width, frame.height)
        return frame.to_bgr() if size is None else shrink_to_bgr(frame, *size)

    def _rate_of(self, frame: Frame) -> float:
        meter = self._rates.setdefault(frame.source_id, RateMeter())
        now_s = self._clock.monotonic()
        meter.count(now_s)
        return meter.per_second(now_s)
