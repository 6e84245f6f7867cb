"""Hypothesis strategies for every valid message."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from nvr.events.message import MAX_INT64
from nvr.events.schema import MAX_SIDE_PX, BoundingBox, Detection, DetectionEvent

finite = st.floats(allow_nan=False, allow_infinity=False)
not_negative = st.floats(min_value=0, allow_nan=False, allow_infinity=False)
int64 = st.integers(-MAX_INT64 - 1, MAX_INT64)
names = st.text(st.characters(codec="utf-8"))
instants = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.timezones() | st.just(UTC))  # noqa: DTZ001 - hypothesis wants naive bounds

boxes = st.builds(BoundingBox, x=finite, y=finite, width=not_negative, height=not_negative)
detections = st.builds(
    Detection,
    class_name=names,
    confidence=st.floats(0, 1),
    bbox=boxes,
    tracker_id=st.none() | int64,
    class_id=st.none() | int64,
    zones=st.lists(names, max_size=3).map(tuple),
)
detection_events = st.builds(
    DetectionEvent,
    schema_version=st.just("1.0"),
    source_id=st.integers(0, MAX_INT64),
    frame_id=int64,
    timestamp=instants,
    model_id=names,
    inference_time_ms=not_negative,
    detections=st.lists(detections, max_size=4).map(tuple),
    fps=st.none() | not_negative,
    latency_ms=st.none() | finite,
    frame_width=st.none() | st.integers(1, MAX_SIDE_PX),
    frame_height=st.none() | st.integers(1, MAX_SIDE_PX),
    pts=st.none() | int64,
    rtp_timestamp=st.none() | st.integers(0, 2**32 - 1),
    timestamp_source=st.none() | st.sampled_from(["rtcp", "arrival", "file"]),
    instance_id=st.none() | names,
)
