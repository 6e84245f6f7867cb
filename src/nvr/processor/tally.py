"""What becomes of the frames of each camera, and how long each stage takes: counted without locks in the hot path."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from nvr.core.clock import Clock
from nvr.core.histogram import Histogram, HistogramSnapshot
from nvr.core.rate import RateMeter
from nvr.events.instance_metrics import Stage
from nvr.events.schema import DetectionEvent
from nvr.media.frame import Frame


@dataclass(frozen=True, slots=True)
class FrameTimes:
    """When a frame passed each stage: monotonic seconds."""

    captured_s: float
    """Its capture time, which is wall time, on the monotonic clock of the moment that it was looked at."""
    decoded_s: float
    looked_s: float


FrameHandler = Callable[[DetectionEvent, Frame, FrameTimes], None]
"""Takes each event with its frame and what it has behind it."""


@dataclass(frozen=True, slots=True)
class CameraTally:
    """What became of the frames of one camera that came to the detector."""

    analysed: int = 0
    """Those too in which nothing was worth a look."""
    watched: int = 0
    """Of these, those of which it is known whether something moved: not where each frame is looked at as a whole."""
    moving: int = 0
    """Of these, those in which something did."""
    kept_back: int = 0
    """Decoded and not looked at, since the camera pauses or did when they were captured."""
    failed: int = 0
    """Lost because the picture or the model failed."""
    analysed_fps: float = 0.0
    """Over the last seconds."""
    latency: Mapping[Stage, HistogramSnapshot] = field(default_factory=dict)
    """Seconds that each stage took."""


class Tally:
    """Counts of one camera: the thread that looks writes, `published` is for a sink, `kept_back` for the decoder."""

    def __init__(self) -> None:
        self._analysed = 0
        self._watched = 0
        self._moving = 0
        self._kept_back = 0
        self._failed = 0
        self._rate = RateMeter()
        self._capture_to_decode = Histogram()
        self._decode_to_detect = Histogram()
        self._detect_to_publish = Histogram()
        self._capture_to_publish = Histogram()

    def looked(self, times: FrameTimes, *, is_moving: bool | None) -> None:
        """Note that a frame was looked at; `is_moving` is None where that is not known."""
        self._analysed += 1
        self._watched += is_moving is not None
        self._moving += is_moving is True
        self._rate.count(times.looked_s)
        self._capture_to_decode.observe(times.decoded_s - times.captured_s)
        self._decode_to_detect.observe(times.looked_s - times.decoded_s)

    def kept_back(self) -> None:
        """Note that a decoded frame was kept back since the camera pauses."""
        self._kept_back += 1

    def failed(self) -> None:
        """Note that a frame was lost here."""
        self._failed += 1

    def published(self, times: FrameTimes, now_s: float) -> None:
        """Note that the event of a frame was handed over."""
        self._detect_to_publish.observe(now_s - times.looked_s)
        self._capture_to_publish.observe(now_s - times.captured_s)

    def report(self, now_s: float) -> CameraTally:
        """Return the counts of this moment; any thread."""
        return CameraTally(
            analysed=self._analysed,
            watched=self._watched,
            moving=self._moving,
            kept_back=self._kept_back,
            failed=self._failed,
            analysed_fps=self._rate.per_second(now_s),
            latency={
                "capture_to_decode": self._capture_to_decode.snapshot(),
                "decode_to_detect": self._decode_to_detect.snapshot(),
                "detect_to_publish": self._detect_to_publish.snapshot(),
                "capture_to_publish": self._capture_to_publish.snapshot(),
            },
        )


class Tallies:
    """The counts of all cameras of a processor. Any thread; a camera's own are kept from model to model."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_camera: dict[int, Tally] = {}

    def of(self, source_id: int) -> Tally:
        """Return the counts of a camera, new ones where it has none yet."""
        known = self._by_camera.get(source_id)
        return self._by_camera.setdefault(source_id, Tally()) if known is None else known

    def published(self, source_id: int, times: FrameTimes) -> None:
        """Note that the event of a frame was handed over; its camera may be gone by now."""
        tally = self._by_camera.get(source_id)
        if tally is not None:
            tally.published(times, self._clock.monotonic())

    def forget(self, source_id: int) -> None:
        """Drop the counts of a camera that has been removed."""
        self._by_camera.pop(source_id, None)

    def report(self, source_id: int) -> CameraTally:
        """Return the counts of a camera at this moment; zeros before its first frame, so that a scraper sees a rise."""
        return (self._by_camera.get(source_id) or Tally()).report(self._clock.monotonic())


class FrameClock:
    """Puts wall times on the monotonic clock, as both are at one moment."""

    def __init__(self, clock: Clock) -> None:
        """Read both clocks."""
        self.now_s = clock.monotonic()
        self._offset_s = self.now_s - clock.now().timestamp()

    def times_of(self, frame: Frame) -> FrameTimes:
        """Return when a frame that is looked at now passed each stage."""
        decoded_s = frame.received_s if frame.decoded_s is None else frame.decoded_s
        return FrameTimes(frame.captured_at.timestamp() + self._offset_s, decoded_s, self.now_s)
