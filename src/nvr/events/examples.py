"""Full examples of each message, for the generated documents, the guide and the tests."""

from datetime import UTC, datetime, timedelta

from nvr.events.recording_event import SegmentEvent
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
        replayed=False,
        quiet=False,
    )


def example_segment_event() -> SegmentEvent:
    """Return the announcement of a segment with every field that fits one."""
    start = datetime(2026, 11, 20, 9, 30, 0, 40000, tzinfo=UTC)
    return SegmentEvent(
        schema_version=SCHEMA_VERSION,
        source_id=3,
        type="segment",
        kind="event",
        start=start,
        end=start + timedelta(milliseconds=10_000),
        duration_ms=10_000,
        size_bytes=2_514_331,
        path="default/3/2026/11/20/09/20261120T093000.040000Z_10000_event.mp4",
        codec="h264",
        width=1280,
        height=720,
        has_audio=True,
        timestamp_source="rtcp",
        end_reason="cut",
        replaces="default/3/2026/11/20/09/20261120T093000.040000Z_10000_continuous.mp4",
        instance_id="gate-house",
    )


def example_snapshot_event() -> SegmentEvent:
    """Return the announcement of a snapshot."""
    captured_at = datetime(2026, 11, 20, 9, 30, 5, 123456, tzinfo=UTC)
    return SegmentEvent(
        schema_version=SCHEMA_VERSION,
        source_id=3,
        type="snapshot",
        kind="event",
        start=captured_at,
        end=captured_at,
        duration_ms=0,
        size_bytes=143_209,
        path="default/3/2026/11/20/09/20261120T093005.123456Z_snapshot.jpg",
        codec="mjpeg",
        width=1280,
        height=720,
        timestamp_source="rtcp",
        class_name="person",
        confidence=0.91,
        instance_id="gate-house",
    )
