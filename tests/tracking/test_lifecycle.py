import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from nvr.config.zones import ZoneConfig
from nvr.core.errors import InvalidInputError
from nvr.events.track_event import TrackEvent
from nvr.tracking.lifecycle import LifecycleOptions, TrackLifecycle
from nvr.tracking.track import Track
from nvr.tracking.track_record import MAX_VISITS
from nvr.tracking.tracker import Tracker
from tests.tracking.walks import FRAME_S, LEFT_HALF, MIDDLE, SIZE_PX, START, Site, facts, line_of, track, wall

STANDING = [(0.7, 0.5)]


def kinds(events: Sequence[TrackEvent]) -> list[str]:
    return [event.kind for event in events]


def test_a_track_starts_once_it_is_confirmed_and_what_came_before_counts() -> None:
    site = Site.of()
    assert site.walk([(0.3, 0.5), (0.31, 0.5)], is_confirmed=False) == []
    (start,) = site.walk([(0.32, 0.5)])
    assert (start.kind, start.first_seen, start.last_seen, start.timestamp) == ("start", wall(0), wall(0.4), wall(0.4))
    assert [visit.entered_at for visit in start.zone_visits] == [wall(0)]
    assert next((point.x, point.y, point.offset_s) for point in start.path) == (0.3, 0.5, 0.0)
    assert site.lifecycle.counts().zones["left"].entered == {"person": 1}


def test_a_track_that_was_never_confirmed_leaves_no_trace() -> None:
    site = Site.of()
    assert site.walk([(0.3, 0.5)] * 3, is_confirmed=False) == []
    assert site.see([]) == []
    assert site.lifecycle.finish("shutdown") == ()
    assert site.lifecycle.counts().zones["left"].entered == {}


def test_a_moving_track_is_told_once_a_second() -> None:
    events = Site.of().walk(line_of((0.6, 0.5), (0.95, 0.5), 101))
    assert kinds(events) == ["start"] + ["update"] * 20
    assert {round((b.timestamp - a.timestamp).total_seconds(), 3) for a, b in pairwise(events)} == {1}


def test_a_stationary_track_is_told_when_it_comes_to_rest_and_then_seldom() -> None:
    events = Site.of().walk(STANDING * 251)
    assert [event.state for event in events] == ["moving"] * 3 + ["stationary"] * 5
    assert [(event.timestamp - START).total_seconds() for event in events] == [0, 1, 2, 3, 13, 23, 33, 43]


def test_the_interval_of_updates_can_be_chosen() -> None:
    events = Site.of(options=LifecycleOptions(update_s=0.4)).walk(line_of((0.6, 0.5), (0.95, 0.5), 11))
    assert kinds(events) == ["start"] + ["update"] * 5


def test_a_change_of_zone_and_a_crossing_are_told_at_once() -> None:
    feet = [((x + 0.5) / 100, 0.5) for x in range(60, 39, -1)]
    site = Site.of()
    events = site.walk(feet)
    entered = next(event for event in events if event.zones)
    assert (entered.kind, entered.zones) == ("update", ("left",))
    assert [(visit.zone, visit.entered_at) for visit in entered.zone_visits] == [("left", wall(2.2))]
    assert [(each.line, each.direction, each.crossed_at) for each in entered.line_crossings] == [
        ("middle", "in", wall(2.2))
    ]
    assert (entered.timestamp - wall(2.2)).total_seconds() <= 2 * FRAME_S
    assert site.lifecycle.zones_of(1) == ("left",)


def test_a_stay_in_a_zone_has_its_end() -> None:
    events = Site.of().walk(line_of((0.305, 0.5), (0.705, 0.5), 41))
    (visit,) = events[-1].zone_visits
    assert visit.left_at is not None
    assert (visit.entered_at, visit.left_at) == (wall(0), wall(4))
    assert events[-1].zones == ()


def test_of_a_track_that_is_not_seen_no_more_is_told_than_what_was_seen() -> None:
    site = Site.of()
    site.walk(STANDING * 3)
    lost = replace(track((0.9, 0.5), 0.4), is_lost=True)
    events = [event for _ in range(50) for event in site.see([lost])]
    assert [(event.kind, event.last_seen, event.bbox.x) for event in events] == [("update", wall(0.4), 700)]


def test_a_lost_track_ends_with_its_last_box_and_the_reason() -> None:
    site = Site.of()
    site.walk(line_of((0.3, 0.5), (0.4, 0.5), 6))
    predicted = replace(track((0.9, 0.5), 1.0), is_lost=True)
    for _ in range(5):
        site.see([predicted])
    (end,) = site.lifecycle.observe([], [predicted], facts(site.now_s))
    assert (end.kind, end.end_reason, end.last_seen, end.timestamp) == ("end", "lost", wall(1), wall(site.now_s))
    assert (end.bbox.x, end.bbox.y) == (400, 200), "where it was seen, not where it was thought to be"
    assert (end.zones, [visit.left_at for visit in end.zone_visits]) == (("left",), [wall(1)])
    assert site.lifecycle.counts().zones["left"].now == {}


def test_a_track_that_is_in_neither_list_has_ended_too() -> None:
    site = Site.of()
    site.walk(STANDING)
    assert [(event.kind, event.end_reason) for event in site.see([], "cut")] == [("end", "cut")]
    assert site.see([]) == []


def test_what_ended_is_told_before_what_begins() -> None:
    site = Site.of()
    site.see([track(track_id=1), track(track_id=2)])
    events = site.lifecycle.observe([track(at_s=0.2, track_id=3)], [track(track_id=1), track(track_id=2)], facts(0.2))
    assert [(event.track_id, event.kind) for event in events] == [(1, "end"), (2, "end"), (3, "start")]


def test_a_removed_camera_ends_its_tracks() -> None:
    site = Site.of()
    assert site.lifecycle.finish("removed") == ()
    site.walk([(0.3, 0.5)] * 3)
    (end,) = site.lifecycle.finish("removed")
    assert (end.kind, end.end_reason, end.timestamp) == ("end", "removed", wall(0.4))
    assert site.lifecycle.finish("removed") == ()
    assert site.lifecycle.zones_of(1) == ()
    assert site.lifecycle.counts().zones["left"].now == {}


def test_counts_tell_who_is_there_and_who_has_been() -> None:
    site = Site.of()
    for n in range(3):
        feet = line_of((0.9, 0.5), (0.1, 0.5), 30)
        site.walk(feet, track_id=n, class_id=n % 2, class_votes={n % 2: 2.0})
    counts = site.lifecycle.counts()
    assert counts.zones["left"].now == {"person": 1}
    assert counts.zones["left"].entered == {"person": 2, "bicycle": 1}
    assert counts.lines["middle"].crossed_in == {"person": 2, "bicycle": 1}
    assert counts.lines["middle"].crossed_out == {}


def test_a_class_that_changes_within_a_zone_leaves_it_as_what_it_entered() -> None:
    site = Site.of()
    site.walk([(0.3, 0.5)] * 2)
    site.walk([(0.3, 0.5)] * 2, class_id=2, class_votes={0: 0.1, 2: 1.1})
    site.walk([(0.9, 0.5)] * 2, class_id=2, class_votes={0: 0.1, 2: 1.1})
    assert (site.lifecycle.counts().zones["left"].now, site.lifecycle.zones_of(1)) == ({}, ())


def test_zones_and_lines_for_other_classes_are_left_out() -> None:
    cars = Site.of(
        [LEFT_HALF.model_copy(update={"classes": ("car",)})], [MIDDLE.model_copy(update={"classes": ("car",)})]
    )
    events = cars.walk(line_of((0.9, 0.5), (0.1, 0.5), 30))
    assert (events[-1].zone_visits, events[-1].line_crossings) == ((), ())


def test_class_and_confidence_are_those_of_all_looks() -> None:
    (start,) = Site.of().walk(STANDING, class_id=1, class_votes={0: 0.5, 1: 2.6}, hits=4)
    assert (start.class_name, start.confidence) == ("bicycle", 0.65)


def test_a_class_beyond_the_models_names_goes_by_its_number() -> None:
    (start,) = Site.of().walk(STANDING, class_id=9, class_votes={9: 1.0}, hits=1)
    assert (start.class_name, start.confidence) == ("9", 1.0)


def test_the_best_look_is_sure_large_and_whole() -> None:
    site = Site.of()
    site.walk([(0.5, 0.999)], confidence=0.99, size_px=(200, 400))
    assert site.lifecycle.finish("shutdown")[0].best is not None, "a cut look is better than none"
    site.walk([(0.01, 0.5)], confidence=0.99, size_px=(200, 200))
    site.walk([(0.5, 0.9)], confidence=0.5, size_px=(40, 100))
    site.walk([(0.5, 0.8)], confidence=0.6, size_px=(60, 150))
    site.walk([(0.5, 0.7)], confidence=0.9, size_px=(40, 90))
    site.walk([(0.9, 0.999)], confidence=0.99, size_px=(300, 400))
    best = site.lifecycle.finish("shutdown")[0].best
    assert best is not None
    assert (best.frame_id, best.timestamp, best.confidence) == (3, wall(0.6), 0.6)
    assert (best.bbox.x, best.bbox.y, best.bbox.width, best.bbox.height) == (500, 325, 60, 150)


def test_speed_is_told_in_pixels_and_in_heights_of_the_picture() -> None:
    events = Site.of().walk(line_of((0.6, 0.5), (0.9, 0.5), 31))
    assert events[0].speed_px_s is None
    assert (events[-1].speed_px_s, events[-1].speed_heights_s) == (50.0, 0.1)


def test_another_resolution_keeps_zones_and_path() -> None:
    site = Site.of()
    site.walk(line_of((0.3, 0.5), (0.4, 0.5), 6))
    half = replace(track((0.42, 0.5), site.now_s), xyxy_px=(track((0.42, 0.5)).xyxy_px / 2).astype(np.float32))
    site.lifecycle.observe([half], (), facts(site.now_s, (SIZE_PX[0] // 2, SIZE_PX[1] // 2)))
    (end,) = site.lifecycle.finish("removed")
    assert (end.zones, end.frame_width, end.path[-1].x, len(end.zone_visits)) == (("left",), 500, 0.42, 1)
    assert end.best is not None
    assert end.best.bbox == end.bbox, "boxes of another size are no measure"


def test_after_a_cut_tracks_end_in_the_pixels_and_names_that_they_were_seen_in() -> None:
    site = Site.of()
    site.walk(STANDING * 3)
    other = replace(facts(site.now_s, (640, 480)), model_id="motion", class_names=("motion",))
    (end,) = site.lifecycle.observe([], (), other, "cut")
    assert (end.timestamp, end.end_reason, end.class_name) == (other.captured_at, "cut", "person")
    assert ((end.frame_width, end.frame_height), end.model_id, end.bbox.x) == (SIZE_PX, "yolox-nano", 700)


def test_a_restless_track_stays_bounded() -> None:
    site = Site.of()
    feet = [(0.1 + 0.8 * (i % 2), 0.1 + 0.8 * (i * 7 % 11) / 11) for i in range(500)]
    events = site.walk(feet)
    last = events[-1]
    assert (len(last.zone_visits), len(last.line_crossings)) == (MAX_VISITS, MAX_VISITS)
    assert max(len(event.to_json()) for event in events) < 10_000
    assert last.zone_visits[0].entered_at < last.zone_visits[-1].entered_at
    assert site.lifecycle.counts().zones["left"].entered == {"person": 250}


def test_a_replay_of_the_past_changes_nothing_but_the_first_sight() -> None:
    site = Site.of()
    site.walk(STANDING * 11)
    seen = track((0.7, 0.5), 2.0, first_seen_s=-0.6)
    assert site.lifecycle.observe([seen], (), facts(1.0)) == ()
    (end,) = site.lifecycle.finish("removed")
    assert (end.first_seen, end.last_seen) == (wall(-0.6), wall(2))


def test_a_frame_without_a_size_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"got \(0, 500\)"):
        Site.of().lifecycle.observe([], (), facts(0, (0, 500)))


def test_a_box_without_a_track_has_zones_too() -> None:
    lifecycle = TrackLifecycle(
        3, zones=[LEFT_HALF, ZoneConfig(name="low", polygon=((0, 0.5), (1, 0.5), (1, 1), (0, 1)))]
    )
    assert lifecycle.zones_at((100, 0, 200, 400), "person", SIZE_PX) == ("left", "low")
    assert lifecycle.zones_at((600, 0, 700, 100), "person", SIZE_PX) == ()


def passers_by() -> list[TrackEvent]:
    """Return the events of five persons who cross the picture one after the other, through a real tracker."""
    tracker, lifecycle = Tracker(1), TrackLifecycle(3, zones=[LEFT_HALF], lines=[MIDDLE])
    rng = np.random.default_rng(7)
    events: list[TrackEvent] = []
    for i in range(5 * 60):
        foot = (0.95 - 0.9 * (i % 60) / 40, 0.6)
        box = track(foot).xyxy_px + rng.normal(0, 1.5, 4).astype(np.float32)
        found = np.array([box] if foot[0] > 0.05 and rng.random() > 0.1 else [], np.float32).reshape(-1, 4)
        at_s = i * FRAME_S
        tracker.update(found, np.full(len(found), 0.8, np.float32), np.zeros(len(found), np.int32), at_s)
        events += lifecycle.observe(tracker.tracks, tracker.take_ended(), facts(at_s))
    return [*events, *lifecycle.finish("shutdown")]


def test_who_passes_is_told_once_with_the_way_across_the_line() -> None:
    events = passers_by()
    assert Counter(event.kind for event in events)["start"] == Counter(event.kind for event in events)["end"] == 5
    for end in (event for event in events if event.kind == "end"):
        assert [(each.line, each.direction) for each in end.line_crossings] == [("middle", "in")]
        assert [visit.zone for visit in end.zone_visits] == ["left"]
        assert end.class_name == "person"
    for track_id in {event.track_id for event in events}:
        of_one = kinds([event for event in events if event.track_id == track_id])
        assert of_one == ["start", *["update"] * (len(of_one) - 2), "end"]


def test_the_same_frames_give_the_same_events_and_each_survives_the_wire() -> None:
    events = passers_by()
    assert events == passers_by()
    for event in events:
        assert TrackEvent.from_json(event.to_json()) == event
    assert "end_reason" not in json.loads(events[0].to_json())


def test_tracks_that_share_a_frame_do_not_share_their_memory() -> None:
    site = Site.of()

    def pair(x: float) -> list[Track]:
        return [track((x, 0.4), site.now_s, track_id=1), track((1 - x, 0.8), site.now_s, track_id=2)]

    events = [event for x, _ in line_of((0.1, 0), (0.9, 0), 40) for event in site.see(pair(x))]
    ways = {event.track_id: [each.direction for each in event.line_crossings] for event in events}
    assert ways == {1: ["out"], 2: ["in"]}


def test_other_zones_and_lines_hold_from_the_next_frame_on_and_tracks_stay() -> None:
    site = Site.of(zones=[LEFT_HALF])
    (start,) = site.walk([(0.3, 0.5)])
    right = ZoneConfig(name="right", polygon=((0.5, 0), (1, 0), (1, 1), (0.5, 1)))
    site.lifecycle.retune([right], [], "barn")
    assert site.lifecycle.zones_of(start.track_id) == ()
    assert set(site.lifecycle.counts().zones) == {"right"}
    assert site.lifecycle.counts().lines == {}
    events = site.walk([(0.4, 0.5), (0.6, 0.5), (0.8, 0.5)])
    assert {event.track_id for event in events} == {start.track_id}
    assert events[-1].zones == ("right",)
    assert [(visit.zone, visit.left_at) for visit in events[-1].zone_visits] == [("left", wall(0)), ("right", None)]
    assert events[-1].instance_id == "barn"
    assert site.lifecycle.counts().zones["right"].now == {"person": 1}


def test_a_zone_that_stays_as_it_is_keeps_who_stands_in_it_and_its_counts() -> None:
    site = Site.of(zones=[LEFT_HALF], lines=[MIDDLE])
    site.walk(line_of((0.3, 0.5), (0.7, 0.5), 9))
    site.walk(line_of((0.7, 0.5), (0.3, 0.5), 9))
    before = site.lifecycle.counts()
    assert before.lines["middle"].crossed_in or before.lines["middle"].crossed_out
    more = ZoneConfig(name="more", polygon=((0, 0), (1, 0), (1, 1), (0, 1)))
    site.lifecycle.retune([LEFT_HALF, more], [MIDDLE], "barn")
    after = site.lifecycle.counts()
    assert (after.zones["left"], after.lines) == (before.zones["left"], before.lines)
    smaller = ZoneConfig(name="left", polygon=((0, 0), (0.1, 0), (0.1, 1), (0, 1)))
    site.lifecycle.retune([smaller], [MIDDLE], "barn")
    assert site.lifecycle.counts().zones["left"].now == {}, "it has left what the zone was"
    assert site.lifecycle.counts().zones["left"].entered == before.zones["left"].entered


def test_what_a_track_did_in_a_zone_that_is_gone_is_not_counted_once_it_is_confirmed() -> None:
    site = Site.of(zones=[LEFT_HALF], lines=[MIDDLE])
    site.walk(line_of((0.3, 0.5), (0.7, 0.5), 9), is_confirmed=False)
    site.lifecycle.retune([], [], "barn")
    (start,) = site.walk([(0.72, 0.5)])
    assert start.kind == "start"
    assert [visit.zone for visit in start.zone_visits] == ["left"]
    assert site.lifecycle.counts().zones == {}
