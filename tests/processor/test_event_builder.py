from datetime import timedelta

import numpy as np

from nvr.detection.detections import Detections
from nvr.processor.event_builder import build_event, to_detections
from tests.media.frames import make_frame

FOUND = Detections(
    np.array([[10, 20, 30, 60], [0, 0, 5, 5], [1, 1, 2, 2]], np.float32),
    np.array([0.9, 0.6, 0.5], np.float32),
    np.array([1, 0, 7], np.int32),
)


def test_boxes_become_centres_and_sizes_in_source_pixels() -> None:
    first = to_detections(FOUND, ("car", "person"))[0]
    assert (first.class_name, first.class_id, round(first.confidence, 6)) == ("person", 1, 0.9)
    assert (first.bbox.x, first.bbox.y, first.bbox.width, first.bbox.height) == (20, 40, 20, 40)


def test_an_id_without_a_name_is_named_by_its_number() -> None:
    assert [found.class_name for found in to_detections(FOUND, ("car", "person"))] == ["person", "car", "7"]


def test_a_detection_says_its_track_its_zones_and_whether_it_was_only_held() -> None:
    first, second, _ = to_detections(
        FOUND,
        ("car", "person"),
        track_ids=[7, 0, 9],
        zones_at=lambda xyxy, name, track: (f"{name} {track} at {xyxy[0]:g}",),
    )
    assert (first.tracker_id, first.zones, first.held) == (7, ("person 7 at 10",), None)
    assert second.tracker_id is None
    assert to_detections(FOUND, ("car", "person"), is_held=True)[0].held


def test_an_event_says_when_where_and_how_long() -> None:
    frame = make_frame(source_id=3, frame_id=17, received_s=5.0, size=(64, 48))
    event = build_event(
        frame,
        [],
        model_id="m",
        instance_id="p",
        inference_time_ms=12.5,
        fps=5.0,
        now=frame.captured_at + timedelta(milliseconds=80),
    )
    assert (event.source_id, event.frame_id, event.timestamp) == (3, 17, frame.captured_at)
    assert (event.frame_width, event.frame_height, event.latency_ms) == (64, 48, 80.0)
    assert (event.instance_id, event.timestamp_source, event.pts) == ("p", "arrival", 17)
