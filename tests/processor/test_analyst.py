"""One camera's knowledge, on pictures that are drawn here and tracks that are really followed."""

from dataclasses import replace

import av
import numpy as np
import pytest

from nvr.config.camera import CameraConfig
from nvr.core.clock import ManualClock
from nvr.core.errors import InvalidInputError
from nvr.detection.detections import Detections
from nvr.detection.region_planner import RegionPlan
from nvr.detection.regions import Region
from nvr.events.schema import DetectionEvent
from nvr.events.track_event import TrackEvent
from nvr.media.frame import Frame
from nvr.processor.analyst import AnalystSettings, CameraAnalyst, ModelFacts
from tests.media.frames import make_frame

MODEL = ModelFacts("m", ("person", "car"), inference_time_ms=12.0)
SIZE = (640, 480)
LEFT = {"name": "left", "polygon": ((0, 0), (0.5, 0), (0.5, 1), (0, 1))}


def analyst(**camera: object) -> CameraAnalyst:
    config = CameraConfig.model_validate({"uri": "rtsp://192.0.2.1/live", **camera})
    settings = AnalystSettings(config, "p", frozenset({"person"}))
    return CameraAnalyst(3, lambda: settings, clock=ManualClock())


def frame(number: int) -> Frame:
    return make_frame(source_id=3, frame_id=number, received_s=number * 0.2, size=SIZE)


def plan(watcher: CameraAnalyst, shown: Frame) -> RegionPlan:
    return watcher.plan(shown, shown, (416, 416))


def person_at(x: float, class_id: int = 0) -> Detections:
    return Detections(
        np.array([[x, 200, x + 40, 300]], np.float32), np.array([0.9], np.float32), np.array([class_id], np.int32)
    )


def follow(watcher: CameraAnalyst, n: int = 5) -> tuple[list[DetectionEvent], list[TrackEvent]]:
    events, tracks = list[DetectionEvent](), list[TrackEvent]()
    for number in range(n):
        event, told = watcher.conclude(frame(number), person_at(100 + 4 * number), None, MODEL)
        events.append(event)
        tracks += told
    return events, tracks


def test_a_person_becomes_a_track_that_detections_name() -> None:
    events, tracks = follow(analyst(zones=(LEFT,)))
    [start] = [track for track in tracks if track.kind == "start"]
    detection = events[-1].detections[0]
    assert (detection.tracker_id, detection.zones, detection.held) == (start.track_id, ("left",), None)
    assert (start.source_id, start.class_name, start.zones, start.model_id) == (3, "person", ("left",), "m")
    assert events[0].detections[0].tracker_id is None, "not confirmed yet"


def test_where_nothing_moves_objects_are_held_and_no_inference_is_claimed() -> None:
    watcher = analyst()
    events, _ = follow(watcher)
    event, _ = watcher.conclude(frame(6), None, None, replace(MODEL, inference_time_ms=0.0))
    [held] = event.detections
    assert (held.held, held.tracker_id, held.class_name) == (True, events[-1].detections[0].tracker_id, "person")
    assert event.inference_time_ms == 0


def test_what_belongs_to_no_track_is_held_as_well_until_it_is_looked_at_again() -> None:
    watcher = analyst()
    weak = replace(person_at(300), confidence=np.array([0.4], np.float32))
    assert watcher.conclude(frame(0), weak, None, MODEL)[0].detections[0].held is None
    elsewhere = RegionPlan((Region((0, 0, 100, 100), 1.0),), np.empty((0, 4), np.float32))
    for number, (found, where) in enumerate(((None, None), (Detections.empty(), elsewhere)), start=1):
        [held] = watcher.conclude(frame(number), found, where, MODEL)[0].detections
        assert (held.held, held.tracker_id, held.confidence) == (True, None, 0.4)
    there = RegionPlan((Region((300, 200, 400, 300), 1.0),), np.empty((0, 4), np.float32))
    assert watcher.conclude(frame(3), Detections.empty(), there, MODEL)[0].detections == ()
    assert watcher.conclude(frame(4), None, None, MODEL)[0].detections == ()


def test_who_was_looked_for_in_vain_is_not_held() -> None:
    watcher = analyst()
    follow(watcher)
    event, _ = watcher.conclude(frame(6), Detections.empty(), None, MODEL)
    assert event.detections == ()


def test_other_classes_masks_and_filters_count_before_tracking() -> None:
    unwanted = analyst()
    assert unwanted.conclude(frame(0), person_at(100, class_id=1), None, MODEL)[0].detections == ()
    masked = analyst(object_masks=(LEFT,))
    assert [event.detections for event in follow(masked)[0]] == [()] * 5
    filtered = analyst(filters=({"min_confidence": 0.95},))
    assert follow(filtered)[1] == []


def test_a_model_that_knows_no_classes_shows_all_that_moves() -> None:
    facts = ModelFacts("motion", ("motion",), has_classes=False)
    event, _ = analyst().conclude(frame(0), person_at(100), None, facts)
    assert [found.class_name for found in event.detections] == ["motion"]


def test_tracks_end_with_the_camera_and_with_a_cut() -> None:
    watcher = analyst()
    _, tracks = follow(watcher)
    other_size = make_frame(source_id=3, frame_id=6, received_s=1.2, size=(320, 240))
    _, told = watcher.conclude(other_size, Detections.empty(), None, MODEL)
    assert [(track.kind, track.end_reason, track.track_id) for track in told] == [("end", "cut", tracks[0].track_id)]
    _, tracks = follow(again := analyst())
    assert [(track.kind, track.end_reason) for track in again.finish("removed")] == [("end", "removed")]
    assert again.finish("removed") == ()


def test_tracks_are_cut_off_by_a_gap_and_by_other_classes_and_then_all_is_looked_at() -> None:
    for later, model in ((frame(100), MODEL), (frame(6), replace(MODEL, class_names=("car", "person")))):
        watcher = analyst()
        plan(watcher, frame(0))
        follow(watcher)
        _, told = watcher.conclude(later, None, None, model)
        assert [(track.kind, track.end_reason) for track in told] == [("end", "cut")]
        assert plan(watcher, later).is_full_look


def test_what_all_cameras_look_at_anew_each_looks_at_in_its_turn_and_once() -> None:
    watcher = analyst()
    assert plan(watcher, frame(0)).is_full_look
    watcher.look_again(in_turn=True)
    other = replace(MODEL, class_names=("car", "person"))
    looks = []
    for number in range(1, 10):
        planned = plan(watcher, frame(number))
        watcher.conclude(frame(number), Detections.empty() if planned.regions else None, planned, other)
        looks += [number] if planned.is_full_look else []
    assert looks == [4], "0.43 s after the first at 5 frames a second"


def test_what_was_planned_and_not_looked_at_is_planned_anew() -> None:
    watcher = analyst()
    assert plan(watcher, frame(0)).is_full_look
    watcher.look_again()
    assert plan(watcher, frame(1)).is_full_look
    assert plan(watcher, frame(2)).regions == ()


def test_the_first_plan_is_the_whole_picture_and_a_calm_one_is_none() -> None:
    watcher = analyst()
    assert plan(watcher, frame(0)).is_full_look
    assert plan(watcher, frame(1)).regions == ()


def test_motion_under_a_mask_is_no_reason_to_look() -> None:
    everything = {"name": "all", "polygon": ((0, 0), (1, 0), (1, 1), (0, 1))}
    for masks, n_regions in (((), 1), ((everything,), 0)):
        watcher = analyst(motion_masks=masks)
        plan(watcher, blob(0, None))
        assert len(plan(watcher, blob(1, 200)).regions) == n_regions


def blob(number: int, left: int | None) -> Frame:
    """A grey picture, maybe with something bright in it."""
    image = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    if left is not None:
        image[200:300, left : left + 60] = 220
    picture = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format="yuv420p")
    return replace(frame(number), picture=picture)


def test_a_box_that_is_none_is_refused_and_changes_nothing() -> None:
    watcher = analyst()
    bad = Detections(np.array([[9, 0, 1, 5]], np.float32), np.array([0.9], np.float32), np.array([0], np.int32))
    with pytest.raises(InvalidInputError, match="expected left <= right"):
        watcher.conclude(frame(0), bad, None, MODEL)
    assert len(follow(watcher)[1]) >= 1


def test_new_settings_take_effect_between_two_frames_and_tracks_go_on() -> None:
    settings = AnalystSettings(CameraConfig(uri="rtsp://192.0.2.1/live"), "p")
    current = [settings]
    watcher = CameraAnalyst(3, lambda: current[0], clock=ManualClock())
    events, _ = follow(watcher)
    track_id = events[-1].detections[0].tracker_id

    def look(number: int, **changes: object) -> DetectionEvent:
        camera = CameraConfig.model_validate({"uri": "rtsp://192.0.2.1/live", **changes})
        current[0] = replace(current[0], camera=camera)
        return watcher.conclude(frame(number), person_at(100 + 4 * number), None, MODEL)[0]

    [found] = look(5, zones=(LEFT,)).detections
    assert (found.tracker_id, found.zones) == (track_id, ("left",))
    assert look(6).detections[0].zones == ()
    everywhere = {"name": "all", "polygon": ((0, 0), (1, 0), (1, 1), (0, 1))}
    assert look(7, object_masks=(everywhere,)).detections == ()
    assert look(8, confidence_threshold=0.95).detections == ()
    assert look(9, confidence_threshold=0.5).detections[0].tracker_id == track_id
    current[0] = replace(current[0], classes=frozenset({"car"}), instance_id="q")
    event, _ = watcher.conclude(frame(10), person_at(140), None, MODEL)
    assert (event.detections, event.instance_id) == ((), "q")


def test_what_is_weaker_than_the_model_is_asked_for_does_not_count_but_for_who_asks_for_it() -> None:
    unsure = replace(MODEL, confidence_threshold=0.95)
    assert analyst().conclude(frame(0), person_at(100), None, unsure)[0].detections == ()
    [found] = analyst(confidence_threshold=0.9).conclude(frame(0), person_at(100), None, unsure)[0].detections
    assert found.confidence == 0.9


def test_another_mask_of_motion_makes_it_look_at_the_whole() -> None:
    everywhere = {"name": "all", "polygon": ((0, 0), (1, 0), (1, 1), (0, 1))}
    current = [AnalystSettings(CameraConfig(uri="rtsp://192.0.2.1/live"), "p")]
    watcher = CameraAnalyst(3, lambda: current[0], clock=ManualClock())
    for number in range(3):
        watcher.conclude(frame(number), Detections.empty(), plan(watcher, frame(number)), MODEL)
    assert not plan(watcher, frame(3)).is_full_look
    current[0] = replace(current[0], instance_id="q")
    assert not plan(watcher, frame(4)).is_full_look, "a name is no reason"
    masked = CameraConfig.model_validate({"uri": "rtsp://192.0.2.1/live", "motion_masks": (everywhere,)})
    current[0] = replace(current[0], camera=masked)
    assert [plan(watcher, frame(number)).is_full_look for number in range(5, 10)].count(True) == 1
