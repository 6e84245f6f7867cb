"""A processor that records what it looks at: the two are made here and know each other only by their interfaces."""

import logging
from collections.abc import Callable

from nvr.config.processor import StreamProcessorConfig
from nvr.config.recording import RecordingConfig
from nvr.core.errors import ConfigurationError
from nvr.detection.detections import Detector
from nvr.events.recording_event import SegmentEvent
from nvr.processor.health_watch import HealthHandler
from nvr.processor.multiplexer import EventHandler, TrackHandler
from nvr.processor.stream_processor import StreamProcessor
from nvr.recording.service import RecordingService

logger = logging.getLogger(__name__)


def make_processor(
    config: StreamProcessorConfig,
    recording: RecordingConfig,
    *,
    on_event: EventHandler | None = None,
    on_track: TrackHandler | None = None,
    on_health: HealthHandler | None = None,
    on_segment: Callable[[SegmentEvent], None] | None = None,
    detector: Detector | None = None,
    allow_empty: bool = False,
) -> tuple[StreamProcessor, RecordingService | None]:
    """Return a processor and what records its cameras; None where none is to be recorded and no folder is named.

    The processor starts and stops both. What was recorded is announced on the broker, and to `on_segment`, which is
    called in a thread of the recording and must be quick and raise nothing.

    Raises:
        ConfigurationError: Cameras are to be recorded, and no folder is named; or there is no camera.
    """
    if recording.root is None and wants_recording(config, recording):
        modes = ", ".join(sorted(_modes(config, recording) - {"off"}))
        raise ConfigurationError(
            f"cameras are to be recorded ({modes}), and nothing says where: "
            "give --recordings or storage.root a folder that is there"
        )

    def take(event: SegmentEvent) -> None:
        processor.announce(event)
        if on_segment is not None:
            on_segment(event)

    service = (
        None
        if recording.root is None
        else RecordingService(recording, instance_id=config.instance_id, on_segment=take, tenant=config.tenant)
    )
    processor = StreamProcessor(
        config,
        on_event=on_event,
        on_track=on_track,
        on_health=on_health,
        detector=detector,
        recorder=service,
        pre_roll_s=0.0 if service is None else recording.pre_roll_s,
        allow_empty=allow_empty,
    )
    if service is not None:
        logger.info("recording into %s", recording.root)
    return processor, service


def wants_recording(config: StreamProcessorConfig, recording: RecordingConfig) -> bool:
    """Tell whether any camera is to be recorded."""
    return not _modes(config, recording) <= {"off"}


def _modes(config: StreamProcessorConfig, recording: RecordingConfig) -> set[str]:
    return {camera.record or recording.mode for _, camera in config.numbered_cameras}
