"""One full example of each message, for the generated documents, the guide and the tests."""

from datetime import UTC, datetime

from nvr.events.schema import SCHEMA_VERSION, BoundingBox, Detection, DetectionEvent


def example_detection_event() -> DetectionEvent:
    """Return an event in which every field is set."""
    return DetectionEvent(
        schema_version=SCHEMA_VERSION,
        source_id=3,
        frame_id=1482,
        timestamp=datetime(2026, 11, 20, 9, 30, 5, 123456, tzinfo=UTC),
        model_id="yolox-nano",
        inference_time_ms=21.5,
        detections=(
            Detection(
                class_name="person",
                confidence=0.91,
                bbox=BoundingBox(x=641.5, y=380.0, width=96.0, height=244.0),
                tracker_id=17,
                class_id=0,
                zones=("entrance",),
            ),
            Detection(
                class_name="car",
                confidence=0.56,
                bbox=BoundingBox(x=1102.25, y=512.5, width=310.5, height=170.0),
                tracker_id=4,
                class_id=2,
            ),
        ),
        fps=4.9,
        latency_ms=63.2,
        frame_width=1280,
        frame_height=720,
        pts=5331600,
        rtp_timestamp=2718281828,
        timestamp_source="rtcp",
        instance_id="gate-house",
    )
