"""A processor that looks at every frame of its cameras, and what came of it."""

from collections import defaultdict

from nvr.detection.detections import Detector
from nvr.events.schema import DetectionEvent
from nvr.events.track_event import TrackEvent
from nvr.media.frame import Frame
from nvr.media.health import HealthChanged
from nvr.processor import StreamProcessor, StreamProcessorConfig
from nvr.processor.recorder_port import CameraRecorder
from tests.processor.fakes import BrightSpotDetector
from tests.waiting import wait_until


class Running:
    """Started when it is made; whoever makes it terminates its processor."""

    def __init__(
        self,
        *uris: str,
        detector: Detector | None = None,
        recorder: CameraRecorder | None = None,
        allow_empty: bool = False,
        **settings: object,
    ) -> None:
        self.events: list[DetectionEvent] = []
        self.frames: defaultdict[int, list[int]] = defaultdict(list)
        self.tracks: list[TrackEvent] = []
        self.health: list[HealthChanged] = []
        config = StreamProcessorConfig.model_validate(
            {"stream_uris": uris, "mqtt_enabled": False, "max_fps": None, "decode": "all", "reconnect_max_s": 1}
            | settings
        )
        self.processor = StreamProcessor(
            config,
            on_event=self._note,
            on_track=self.tracks.append,
            on_health=self.health.append,
            detector=detector or BrightSpotDetector(),
            recorder=recorder,
            allow_empty=allow_empty,
        )
        self.processor.start()

    def _note(self, event: DetectionEvent, _frame: Frame) -> None:
        assert event.pts is not None
        self.frames[event.source_id].append(event.pts)
        self.events.append(event)

    def of(self, source_id: int) -> list[DetectionEvent]:
        return [event for event in self.events if event.source_id == source_id]

    def wait_for(self, source_id: int, more: int = 5) -> None:
        enough = len(self.frames[source_id]) + more
        wait_until(lambda: len(self.frames[source_id]) >= enough, f"{more} more frames of camera {source_id}")

    def decoded(self, source_id: int) -> tuple[int, int]:
        """Return how many packets were not decoded, and how often the connection was lost."""
        stats = self.processor.cameras.get(source_id).detect.stats
        return stats.demuxed.packets - stats.decoding.decoded, stats.failures
