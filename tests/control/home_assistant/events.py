"""Events and states as a processor has them, for the tests of this folder."""

from datetime import UTC, datetime

from nvr.events.instance_status import CameraStatus
from nvr.events.schema import BoundingBox, Detection, DetectionEvent
from nvr.events.track_event import TrackEvent, TrackKind, TrackState

NOW = datetime(2026, 11, 3, 9, 30, tzinfo=UTC)
BOX = BoundingBox(x=320, y=180, width=40, height=90)


def detection(class_name: str, tracker_id: int | None = None, *, held: bool | None = None) -> Detection:
    return Detection(class_name=class_name, confidence=0.8, bbox=BOX, tracker_id=tracker_id, held=held)


def event(*detections: Detection | str, **fields: object) -> DetectionEvent:
    seen = tuple(detection(each) if isinstance(each, str) else each for each in detections)
    values = {"frame_id": 1, "timestamp": NOW, "model_id": "yolox-nano", "inference_time_ms": 12.0, "fps": 5.0} | fields
    return DetectionEvent.model_validate({"source_id": 3, "detections": seen} | values)


def track(track_id: int, kind: TrackKind = "update", state: TrackState = "moving", source_id: int = 3) -> TrackEvent:
    return TrackEvent(
        source_id=source_id,
        kind=kind,
        track_id=track_id,
        frame_id=1,
        timestamp=NOW,
        first_seen=NOW,
        last_seen=NOW,
        class_name="person",
        confidence=0.8,
        bbox=BOX,
        state=state,
    )


def camera(**fields: object) -> CameraStatus:
    values = {"source_id": 3, "name": "Gate", "state": "running", "fps": 25.0, "analysed_fps": 5.0}
    return CameraStatus.model_validate(values | fields)
