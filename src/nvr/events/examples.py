"""Full examples of each message, for the generated documents, the guide and the tests."""

from datetime import UTC, datetime, timedelta

from nvr.events.message import SCHEMA_VERSION
from nvr.events.recording_event import SegmentEvent
from nvr.events.schema import BoundingBox, Detection, DetectionEvent
from nvr.events.track_event import BestLook, LineCrossing, PathPoint, TrackEvent, ZoneVisit


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
                held=False,
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


def example_track_start() -> TrackEvent:
    """Return the start of a track with what is known by then."""
    first_seen = datetime(2026, 11, 20, 9, 30, 4, 723456, tzinfo=UTC)
    bbox = BoundingBox(x=118.25, y=402.0, width=88.5, height=231.0)
    return TrackEvent(
        schema_version=SCHEMA_VERSION,
        source_id=3,
        kind="start",
        track_id=1795166984000001,
        frame_id=1482,
        timestamp=first_seen + timedelta(milliseconds=400),
        first_seen=first_seen,
        last_seen=first_seen + timedelta(milliseconds=400),
        class_name="person",
        confidence=0.84,
        bbox=bbox,
        state="moving",
        speed_px_s=132.4,
        speed_heights_s=0.1839,
        best=BestLook(frame_id=1482, timestamp=first_seen + timedelta(milliseconds=400), bbox=bbox, confidence=0.87),
        path=(PathPoint(x=0.0511, y=0.7188, offset_s=0.0), PathPoint(x=0.0924, y=0.7188, offset_s=0.4)),
        frame_width=1280,
        frame_height=720,
        timestamp_source="rtcp",
        model_id="yolox-nano",
        instance_id="gate-house",
    )


def example_track_end() -> TrackEvent:
    """Return the end of a track, in which every field is set."""
    first_seen = datetime(2026, 11, 20, 9, 30, 4, 723456, tzinfo=UTC)
    last_seen = first_seen + timedelta(milliseconds=11_400)
    return TrackEvent(
        schema_version=SCHEMA_VERSION,
        source_id=3,
        kind="end",
        track_id=1795166984000001,
        frame_id=1547,
        timestamp=last_seen + timedelta(milliseconds=2_200),
        first_seen=first_seen,
        last_seen=last_seen,
        class_name="person",
        confidence=0.88,
        bbox=BoundingBox(x=1031.75, y=360.5, width=84.0, height=226.5),
        state="moving",
        speed_px_s=96.7,
        speed_heights_s=0.1343,
        best=BestLook(
            frame_id=1509,
            timestamp=first_seen + timedelta(milliseconds=5_400),
            bbox=BoundingBox(x=641.5, y=380.0, width=96.0, height=244.0),
            confidence=0.93,
        ),
        path=(
            PathPoint(x=0.0511, y=0.7188, offset_s=0.0),
            PathPoint(x=0.5012, y=0.6972, offset_s=5.4),
            PathPoint(x=0.806, y=0.658, offset_s=11.4),
        ),
        zones=("entrance",),
        zone_visits=(ZoneVisit(zone="entrance", entered_at=first_seen + timedelta(seconds=8), left_at=last_seen),),
        line_crossings=(
            LineCrossing(line="gate", direction="in", crossed_at=first_seen + timedelta(milliseconds=7_600)),
        ),
        frame_width=1280,
        frame_height=720,
        timestamp_source="rtcp",
        model_id="yolox-nano",
        instance_id="gate-house",
        end_reason="lost",
    )
