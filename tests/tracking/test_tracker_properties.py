"""What holds for any detections whatsoever."""

from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nvr.tracking.tracker import Tracker
from tests.tracking.tracker_scenes import Box, arrays

COORDINATE = st.integers(0, 60).map(lambda value: value * 10.0)


@st.composite
def a_box(draw: st.DrawFn) -> Box:
    left, top = draw(COORDINATE), draw(COORDINATE)
    return (left, top, left + draw(COORDINATE), top + draw(COORDINATE))


@dataclass(frozen=True)
class Step:
    """One frame of a camera that may do anything."""

    passed_s: float
    boxes: list[Box]
    confidence: list[float]
    class_id: list[int]
    regions: list[Box] | None
    is_cut: bool
    is_held: bool


@st.composite
def a_step(draw: st.DrawFn) -> Step:
    boxes = draw(st.lists(a_box(), max_size=6))
    n = len(boxes)
    return Step(
        draw(st.sampled_from([0.04, 0.2, 0.2, 0.2, 3.0, 60.0, 0.0, -0.4, -100.0])),
        boxes,
        draw(st.lists(st.sampled_from([0.0, 0.3, 0.55, 0.7, 1.0]), min_size=n, max_size=n)),
        draw(st.lists(st.sampled_from([0, 2, 7]), min_size=n, max_size=n)),
        draw(st.none() | st.lists(a_box(), max_size=2)),
        draw(st.sampled_from([False] * 9 + [True])),
        draw(st.sampled_from([False] * 9 + [True])),
    )


STEPS = st.lists(a_step(), max_size=16)
FEW = settings(deadline=None, max_examples=50)


def play_one(tracker: Tracker, step: Step, now_s: float) -> NDArray[np.int64]:
    if step.is_held:
        tracker.hold(now_s)
    if step.is_cut:
        tracker.reset()
    regions = None if step.regions is None else np.array(step.regions, np.float32).reshape(-1, 4)
    return tracker.update(*arrays(step.boxes, step.confidence, step.class_id), now_s, regions)


def times_s(steps: list[Step]) -> list[float]:
    return list(accumulate((step.passed_s for step in steps), initial=1000.0))[1:]


def play(tracker: Tracker, steps: list[Step]) -> list[NDArray[np.int64]]:
    return [play_one(tracker, step, now_s) for step, now_s in zip(steps, times_s(steps), strict=True)]


@given(STEPS)
@FEW
def test_no_two_detections_of_one_frame_share_an_id(steps: list[Step]) -> None:
    for ids, step in zip(play(Tracker(10), steps), steps, strict=True):
        assert ids.dtype == np.int64
        assert len(ids) == len(step.boxes)
        told = ids[ids != 0].tolist()
        assert len(set(told)) == len(told)
        assert all(track_id >= 10 for track_id in told)


@given(STEPS)
@FEW
def test_an_id_that_has_ended_never_comes_back(steps: list[Step]) -> None:
    tracker, over, live = Tracker(10), set[int](), set[int]()
    for step, now_s in zip(steps, times_s(steps), strict=True):
        ids = play_one(tracker, step, now_s)
        now_live = {track.track_id for track in tracker.tracks}
        over |= live - now_live
        live = now_live
        assert not over & (live | set(ids[ids != 0].tolist()))


@given(STEPS)
@FEW
def test_each_told_track_is_live_or_has_ended_once(steps: list[Step]) -> None:
    tracker = Tracker(10)
    told = {track_id for ids in play(tracker, steps) for track_id in ids[ids != 0].tolist()}
    ended = [track.track_id for track in tracker.take_ended()]
    live = {track.track_id for track in tracker.tracks if track.is_confirmed}
    assert len(set(ended)) == len(ended)
    assert not set(ended) & live
    assert told == set(ended) | live


@given(STEPS, st.floats(-20, 20))
@FEW
def test_boxes_and_velocities_are_finite_and_right_side_out(steps: list[Step], ahead_s: float) -> None:
    tracker = Tracker(10)
    play(tracker, steps)
    predicted = tracker.predict(1000.0 + ahead_s)
    boxes = np.array([track.xyxy_px for track in tracker.tracks]).reshape(-1, 4)
    assert len(predicted) == len(boxes)
    for xyxy_px in (predicted, boxes):
        assert np.isfinite(xyxy_px).all()
        assert (xyxy_px[:, 2:] > xyxy_px[:, :2]).all()
    assert all(np.isfinite(track.velocity_px_s).all() for track in tracker.tracks)


@given(STEPS)
@FEW
def test_what_was_seen_has_votes_hits_and_times_in_order(steps: list[Step]) -> None:
    tracker = Tracker(10)
    play(tracker, steps)
    for track in tracker.tracks:
        assert track.hits >= 1
        assert track.first_seen_s <= track.last_seen_s
        assert track.class_votes[track.class_id] == max(track.class_votes.values())
