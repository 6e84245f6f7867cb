"""From a detector's arrays to the event that travels."""

from collections.abc import Callable, Sequence
from datetime import datetime

from pydantic import ValidationError

from nvr.core.errors import MessageError
from nvr.core.validation import first_problem
from nvr.detection.detections import Detections
from nvr.events.schema import BoundingBox, Detection, DetectionEvent
from nvr.media.frame import Frame

ZonesAt = Callable[[Sequence[float], str, int], tuple[str, ...]]
"""Names of the zones in which a box stands, by its edges in source pixels, its class, and its track (0: none)."""


def to_detections(
    found: Detections,
    class_names: Sequence[str],
    *,
    track_ids: Sequence[int] = (),
    zones_at: ZonesAt | None = None,
    is_held: bool = False,
) -> list[Detection]:
    """Return what a detector found as messages, strongest first.

    Args:
        found: Boxes in source pixels.
        class_names: Names by class id; an id beyond them is named by its number.
        track_ids: The track of each, 0 for none; empty where there are no tracks.
        zones_at: Tells the zones; None where there are none.
        is_held: They were not looked at in this frame, and are where they were.

    Raises:
        MessageError: A box is inside out or not finite, or a confidence is none.
    """
    detections = []
    ids = list(track_ids) or [0] * len(found)
    for xyxy_px, confidence, class_id, track_id in zip(
        found.xyxy_px.tolist(), found.confidence.tolist(), found.class_id.tolist(), ids, strict=True
    ):
        class_name = class_names[class_id] if 0 <= class_id < len(class_names) else str(class_id)
        try:
            detection = Detection(
                class_name=class_name,
                confidence=round(min(confidence, 1.0), 4),
                bbox=_rounded_box(xyxy_px),
                class_id=class_id,
                tracker_id=track_id or None,
                zones=() if zones_at is None else zones_at(xyxy_px, class_name, track_id),
                held=is_held or None,
            )
        except ValidationError as error:
            raise MessageError(f"bad detection of {class_name!r}: {first_problem(error)}") from error
        detections.append(detection)
    return detections


def _rounded_box(xyxy_px: Sequence[float]) -> BoundingBox:
    # a hundredth of a pixel is finer than any detector and half as long on the wire as a float32 in full
    left, top, right, bottom = xyxy_px
    return BoundingBox(
        x=round((left + right) / 2, 2),
        y=round((top + bottom) / 2, 2),
        width=round(right - left, 2),
        height=round(bottom - top, 2),
    )


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
        inference_time_ms=round(inference_time_ms, 3),
        detections=tuple(detections),
        fps=round(fps, 3),
        latency_ms=round((now - frame.captured_at).total_seconds() * 1000, 3),
        frame_width=frame.width,
        frame_height=frame.height,
        pts=frame.pts,
        timestamp_source=frame.timestamp_source,
        instance_id=instance_id,
        replayed=frame.is_replayed or None,
        quiet=frame.is_quiet or None,
    )
