from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from nvr.core.errors import InvalidInputError
from nvr.tracking.track_ids import first_track_id
from nvr.tracking.tracker import MAX_ENDED, Tracker
from nvr.tracking.tracker_options import TrackerOptions
from tests.tracking.tracker_scenes import CAR, PERSON, TRUCK, arrays, look, person_at, walk

NONE = arrays([])
FPS_5 = [i / 5 for i in range(20)]


def test_a_walker_is_told_from_the_second_look_on_and_keeps_the_id() -> None:
    assert walk(Tracker(7), FPS_5) == [0] + [7] * 19


@pytest.mark.parametrize("fps", [0.5, 1, 2, 5, 25, 240])
def test_the_id_is_kept_at_any_rate_at_which_looks_still_meet(fps: float) -> None:
    times = [i / fps for i in range(12)]
    assert set(walk(Tracker(1), times, speed_px_s=min(80.0, 40 * fps))[1:]) == {1}


def test_the_id_is_kept_while_the_time_between_frames_varies() -> None:
    times = np.cumsum([0, 0.04, 0.2, 0.04, 1.0, 0.2, 0.6, 0.04, 0.04, 2.0, 0.2]).tolist()
    assert set(walk(Tracker(1), times, speed_px_s=40)[1:]) == {1}


def test_a_track_tells_where_how_fast_and_since_when() -> None:
    tracker = Tracker(1)
    walk(tracker, FPS_5, speed_px_s=80)
    (track,) = tracker.tracks
    assert track.xyxy_px == pytest.approx(person_at(100 + 80 * FPS_5[-1]), abs=3)
    assert track.velocity_px_s == pytest.approx([80, 0], rel=0.05)
    assert (track.first_seen_s, track.last_seen_s, track.hits) == (0.0, FPS_5[-1], 20)
    assert track.is_confirmed
    assert not track.is_lost
    assert track.confidence == pytest.approx(0.8)
    with pytest.raises(ValueError, match="read-only"):
        track.xyxy_px[0] = 0


def test_the_prediction_is_where_a_walker_will_be() -> None:
    tracker = Tracker(1)
    assert tracker.predict(0).shape == (0, 4)
    walk(tracker, FPS_5, speed_px_s=80)
    later_s = FPS_5[-1] + 0.5
    assert tracker.predict(later_s)[0] == pytest.approx(person_at(100 + 80 * later_s), abs=6)


def test_who_was_hidden_for_a_second_is_known_again() -> None:
    tracker = Tracker(1)
    walk(tracker, FPS_5)
    for i in range(20, 25):
        tracker.update(*NONE, i / 5)
    assert tracker.tracks[0].is_lost
    assert walk(tracker, [5.0]) == [1]


def test_who_is_looked_for_in_vain_too_long_has_ended_once() -> None:
    tracker = Tracker(1)
    walk(tracker, FPS_5)
    for i in range(20, 32):
        tracker.update(*NONE, i / 5)
    assert tracker.tracks == ()
    (ended,) = tracker.take_ended()
    assert (ended.track_id, ended.last_seen_s) == (1, FPS_5[-1])
    assert tracker.take_ended() == ()


def test_what_was_never_told_ends_without_a_word() -> None:
    tracker = Tracker(1)
    walk(tracker, [0.0])
    for i in range(1, 5):
        tracker.update(*NONE, i / 5)
    assert tracker.tracks == tracker.take_ended() == ()


def test_ids_follow_their_persons_when_they_cross() -> None:
    tracker = Tracker(1)
    for t in FPS_5:
        ids = look(tracker, t, person_at(100 + 80 * t), person_at(420 - 80 * t, y=130))
    assert ids == [1, 2]


def test_an_unsure_detection_continues_a_track_but_begins_none() -> None:
    tracker = Tracker(1)
    assert walk(tracker, FPS_5[:5], confidence=0.4) == [0] * 5
    assert walk(tracker, [1.0, 1.2]) == [0, 1]
    assert walk(tracker, [1.4, 1.6], confidence=0.2) == [1, 1]


def test_what_is_weak_and_never_moves_is_not_told() -> None:
    assert set(walk(Tracker(1), [i / 5 for i in range(200)], speed_px_s=0, confidence=0.55)) == {0}


def test_what_is_weak_is_told_once_it_has_moved_by_its_height() -> None:
    ids = walk(Tracker(1), FPS_5, speed_px_s=50, confidence=0.55)
    assert ids.index(1) == FPS_5.index(2.0)


def test_what_comes_from_above_the_frame_is_told_later() -> None:
    tracker = Tracker(1)
    ids = [int(tracker.update(*arrays([(50, 1, 200, 150)]), t, size_px=(640, 480))[0]) for t in FPS_5]
    assert ids.index(1) == FPS_5.index(2.0)
    tracker = Tracker(1)
    ids = [int(tracker.update(*arrays([(50, 200, 200, 479)]), t, size_px=(640, 480))[0]) for t in FPS_5]
    assert ids.index(1) == 1


def test_a_class_that_flickers_is_voted_on() -> None:
    tracker = Tracker(1)
    for i, t in enumerate(FPS_5):
        what = TRUCK if i % 3 == 1 else CAR
        ids = tracker.update(*arrays([(100 + 10 * i, 100, 250 + 10 * i, 200)], class_id=what), t)
    assert ids.tolist() == [1]
    (track,) = tracker.tracks
    assert track.class_id == CAR
    assert track.class_votes == pytest.approx({CAR: 13 * 0.8, TRUCK: 7 * 0.8})


def test_a_person_does_not_become_the_car_behind() -> None:
    tracker = Tracker(1)
    walk(tracker, FPS_5[:5])
    car = arrays([(60, 80, 300, 210)], class_id=CAR)
    assert tracker.update(*car, 1.0).tolist() == [0]
    assert tracker.update(*car, 1.2).tolist() == [2]


def test_one_object_of_two_classes_is_one_track() -> None:
    tracker = Tracker(1)
    box = (100, 100, 250, 200)
    for t in FPS_5:
        ids = tracker.update(*arrays([box, box], [0.7, 0.8], [CAR, TRUCK]), t)
    assert sorted(ids.tolist()) == [0, 1]
    assert len(tracker.tracks) == 1


def test_what_was_not_looked_at_is_not_missed_and_stays() -> None:
    tracker = Tracker(1)
    walk(tracker, FPS_5)
    before = tracker.tracks[0].xyxy_px
    elsewhere = np.array([[500, 0, 700, 400]], np.float32)
    for i in range(20, 120):
        tracker.update(*NONE, i / 5, looked_at_xyxy_px=elsewhere if i % 2 else np.empty((0, 4), np.float32))
    (track,) = tracker.tracks
    assert not track.is_lost
    assert track.xyxy_px == pytest.approx(before, abs=20)
    assert tracker.predict(30.0)[0] == pytest.approx(track.xyxy_px)
    for i in range(120, 132):
        tracker.update(*NONE, i / 5, looked_at_xyxy_px=np.array([[0, 0, 600, 400]], np.float32))
    assert tracker.tracks == ()


def test_a_sleeping_camera_keeps_its_tracks_where_they_are() -> None:
    tracker = Tracker(1)
    walk(tracker, FPS_5)
    before = tracker.tracks[0].xyxy_px
    for i in range(1, 60):
        tracker.hold(FPS_5[-1] + 5 * i)
    (track,) = tracker.tracks
    assert track.xyxy_px == pytest.approx(before)
    assert track.velocity_px_s.tolist() == [0, 0]
    assert look(tracker, 300.0, person_at(100 + 80 * FPS_5[-1])) == [1]


def test_a_camera_that_was_away_begins_anew() -> None:
    tracker = Tracker(1)
    walk(tracker, FPS_5)
    place = person_at(100 + 80 * FPS_5[-1])
    assert look(tracker, 60.0, place) == [0]
    assert [track.track_id for track in tracker.take_ended()] == [1]
    assert look(tracker, 60.2, place) == [2]
    tracker.hold(200.0)
    assert tracker.tracks == ()


def test_a_replay_of_the_last_seconds_goes_on_with_the_track() -> None:
    tracker = Tracker(1)
    walk(tracker, FPS_5)
    assert walk(tracker, [2.2, 2.4, 2.6, 2.8, 3.0]) == [1] * 5
    (track,) = tracker.tracks
    assert track.last_seen_s == FPS_5[-1]
    assert track.velocity_px_s == pytest.approx([80, 0], abs=10)
    assert walk(tracker, [3.2, 4.0]) == [1, 1]


def test_two_pictures_of_one_moment_are_no_trouble() -> None:
    assert walk(Tracker(1), [0.0, 0.0, 0.2, 0.2, 0.2]) == [0, 1, 1, 1, 1]


def test_a_clock_that_was_set_back_an_hour_begins_anew() -> None:
    tracker = Tracker(1)
    walk(tracker, [3600.0, 3600.2])
    assert walk(tracker, [0.0, 0.2]) == [0, 2]
    assert [track.track_id for track in tracker.take_ended()] == [1]


def test_a_cut_and_another_size_of_the_picture_end_all_tracks() -> None:
    tracker = Tracker(1)
    walk(tracker, FPS_5)
    tracker.reset()
    assert [track.track_id for track in tracker.take_ended()] == [1]
    box = arrays([person_at(100)])
    ids = [
        tracker.update(*box, 4 + i / 5, size_px=size)[0] for i, size in enumerate([(640, 360)] * 3 + [(320, 180)] * 2)
    ]
    assert ids == [0, 2, 2, 0, 3]
    assert [track.track_id for track in tracker.take_ended()] == [2]


@pytest.mark.parametrize(
    "wrong",
    [
        ([[np.nan, 0, 1, 1]], [0.5], [0]),
        ([[0, 0, np.inf, 1]], [0.5], [0]),
        ([[5, 0, 1, 1]], [0.5], [0]),
        ([[0, 5, 1, 1]], [0.5], [0]),
        ([[0, 0, 1e9, 1]], [0.5], [0]),
        ([0, 0, 1, 1], [0.5], [0]),
        ([[0, 0, 1, 1]], [np.nan], [0]),
        ([[0, 0, 1, 1]], [1.5], [0]),
        ([[0, 0, 1, 1]], [-0.1], [0]),
        ([[0, 0, 1, 1]], [0.5, 0.5], [0]),
        ([[0, 0, 1, 1]], [0.5], []),
    ],
)
def test_what_is_no_detection_is_refused_and_changes_nothing(wrong: tuple[object, object, object]) -> None:
    tracker = Tracker(1)
    walk(tracker, FPS_5)
    xyxy_px, confidence, class_id = wrong
    with pytest.raises(InvalidInputError, match=r"expected .*, got"):
        tracker.update(np.array(xyxy_px, np.float32), np.array(confidence, np.float32), np.array(class_id, np.int32), 5)
    assert walk(tracker, [4.0]) == [1]


@pytest.mark.parametrize("time_s", [float("nan"), float("inf")])
def test_what_is_no_time_is_refused(time_s: float) -> None:
    for call in (
        lambda: Tracker(1).update(*NONE, time_s),
        lambda: Tracker(1).hold(time_s),
        lambda: Tracker(1).predict(time_s),
    ):
        with pytest.raises(InvalidInputError, match="captured_s"):
            call()


def test_a_region_that_is_no_rectangle_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="looked_at_xyxy_px"):
        Tracker(1).update(*NONE, 0.0, looked_at_xyxy_px=np.array([[5, 0, 1, 1]], np.float32))


def test_a_box_without_area_gets_no_id() -> None:
    tracker = Tracker(1)
    for t in FPS_5:
        assert look(tracker, t, (10, 10, 10, 50), (10, 10, 50, 10)) == [0, 0]


def test_tracks_are_never_more_than_allowed() -> None:
    rng = np.random.default_rng(1)
    tracker = Tracker(1, TrackerOptions(max_tracks=100, max_detections=200))
    for i in range(20):
        left_top = rng.uniform(0, 3000, (500, 2))
        boxes = np.concatenate([left_top, left_top + rng.uniform(20, 400, (500, 2))], axis=1)
        ids = tracker.update(*arrays(boxes.tolist(), rng.uniform(0.5, 1, 500).tolist()), i / 5)
        assert len(ids) == 500
        assert len(tracker.tracks) <= 100


def test_ended_tracks_that_nobody_takes_are_bounded() -> None:
    tracker = Tracker(1)
    for i in range(MAX_ENDED + 5):
        look(tracker, 20.0 * i, person_at(100))
        look(tracker, 20.0 * i + 0.1, person_at(100))
        tracker.reset()
    ended = tracker.take_ended()
    assert [ended[0].track_id, ended[-1].track_id] == [6, MAX_ENDED + 5]


def test_the_same_frames_give_the_same_tracks() -> None:
    def run() -> list[list[int]]:
        rng = np.random.default_rng(5)
        tracker = Tracker(1)
        return [look(tracker, t, *(person_at(x) for x in rng.uniform(0, 500, 12))) for t in FPS_5]

    assert run() == run()


NOW = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)


def test_ids_of_a_tracker_that_starts_later_are_larger_and_javascript_reads_them() -> None:
    first, later = first_track_id(NOW), first_track_id(NOW + timedelta(milliseconds=1))
    assert later - first == 1000
    assert str(first).startswith(str(int(NOW.timestamp() * 1000)))
    assert 0 < first_track_id(datetime(2250, 1, 1, tzinfo=UTC)) < 2**53


@pytest.mark.parametrize("first_id", [0, -1, 2**53])
def test_a_first_id_that_readers_cannot_hold_is_refused(first_id: int) -> None:
    with pytest.raises(InvalidInputError, match="first_id"):
        Tracker(first_id)


def test_the_person_class_is_the_default_of_these_tests() -> None:
    tracker = Tracker(1)
    walk(tracker, FPS_5)
    assert tracker.tracks[0].class_id == PERSON
