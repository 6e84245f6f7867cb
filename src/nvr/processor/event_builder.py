"""From a detector's arrays to the event that travels."""

from collections.abc import Collection, Sequence
from datetime import datetime

from nvr.detection.detections import Detections
from nvr.events.schema import BoundingBox, Detection, DetectionEvent
from nvr.media.frame import Frame


def to_detections(found: Detections, class_names: Sequence[str], classes: Collection[str] = ()) -> list[Detection]:
    """Return what a detector found as messages, strongest first.

    Args:
        found: Boxes in source pixels.
        class_names: Names by class id; an id beyond them is named by its number.
        classes: Names to keep; empty keeps all.
    """
    detections = []
    for xyxy_px, confidence, class_id in zip(
        found.xyxy_px.tolist(), found.confidence.tolist(), found.class_id.tolist(), strict=True
    ):
        class_name = class_names[class_id] if 0 <= class_id < len(class_names) else str(class_id)
        if classes and class_name not in classes:
            continue
        detections.append(
            Detection(
                class_name=class_name,
                confidence=min(confidence, 1.0),
                bbox=BoundingBox.from_xyxy_px(*xyxy_px),
                class_id=class_id,
            )
        )
    return detections


def build_event(
    frame: Frame,
    detections: Sequence[Detection],
    *,
    model_id: str,
    instance_id: str,
    inference_time_ms: float,
    fps: float,
    now: datetime,
) -> DetectionEvent:
    """Return the event of one analysed frame; `now` (aware UTC) ends its latency."""
    return DetectionEvent(
        source_id=frame.source_id,
        frame_id=frame.frame_id,
        timestamp=frame.captured_at,
        model_id=model_id,
        inference_time_ms=inference_time_ms,
        detections=tuple(detections),
        fps=fps,
        latency_ms=(now - frame.captured_at).total_seconds() * 1000,
        frame_width=frame.width,
        frame_height=frame.height,
        pts=frame.pts,
        timestamp_source=frame.timestamp_source,
        instance_id=instance_id,
    )
