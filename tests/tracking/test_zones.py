from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from nvr.config.zones import ZoneConfig
from nvr.tracking.zone_map import ZoneMap
from nvr.tracking.zones import DWELL_S, Membership, Zone

ZONE = Zone("left", ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)), frozenset())
MARGIN = 0.05


def changes(xs: list[float], frame_s: float = 0.2, margin: float = MARGIN) -> list[tuple[float, bool]]:
    """Return when an object at these places, one a frame, is told to have come in or left, and which."""
    membership = Membership()
    return [
        (round(membership.changed_s, 6), membership.is_inside)
        for i, x in enumerate(xs)
        if membership.update(ZONE, (x, 0.5), "person", margin, i * frame_s)
    ]


def test_who_is_first_seen_inside_has_entered() -> None:
    assert changes([0.49, 0.49]) == [(0.0, True)]


def test_who_is_first_seen_outside_has_not() -> None:
    assert changes([0.51, 0.6]) == []


def test_who_goes_well_beyond_the_border_has_crossed_it_at_once() -> None:
    assert changes([0.7, 0.6, 0.44, 0.3, 0.6]) == [(0.4, True), (0.8, False)]


def test_a_slow_entry_is_dated_to_when_the_foot_went_over() -> None:
    assert changes([0.6, 0.49, 0.48, 0.47, 0.44]) == [(0.2, True)]


def test_who_stays_just_beyond_the_border_has_crossed_it_after_a_while() -> None:
    assert changes([0.6, 0.49, 0.49, 0.49, 0.49, 0.49]) == []
    assert changes([0.6, 0.49, 0.49, 0.49, 0.49, 0.49, 0.49]) == [(0.2, True)]


def test_a_box_that_trembles_over_the_border_changes_nothing() -> None:
    assert changes([0.3] + [0.49, 0.52] * 50) == [(0.0, True)]


def test_a_class_that_does_not_count_is_not_in_it() -> None:
    zone = Zone("left", ZONE.polygon, frozenset({"car"}))
    assert not Membership().update(zone, (0.2, 0.5), "person", MARGIN, 0.0)
    assert Membership().update(zone, (0.2, 0.5), "car", MARGIN, 0.0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.floats(0, 0.2), st.sampled_from([0.04, 0.2, 2.0]))
def test_comings_and_goings_alternate_and_end_at_the_truth(xs: list[float], margin: float, frame_s: float) -> None:
    settled = xs + [xs[-1]] * (round(DWELL_S / frame_s) + 2)
    found = changes(settled, frame_s, margin)
    assert [is_inside for _, is_inside in found] == [i % 2 == 0 for i in range(len(found))]
    assert all(before <= after for (before, _), (after, _) in pairwise(found))
    assert (len(found) % 2 == 1) == (xs[-1] < 0.5)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_without_a_margin_membership_is_what_the_polygon_says(xs: list[float]) -> None:
    membership = Membership()
    for i, x in enumerate(xs):
        membership.update(ZONE, (x, 0.5), "person", 0.0, i * 0.2)
        assert membership.is_inside == (x < 0.5)


def test_shares_of_the_picture_hold_whatever_its_size() -> None:
    config = ZoneConfig(name="strip", polygon=((0.5, 0.5), (1, 0.5), (1, 1), (0.5, 1)))
    for width, height in ((1920, 1080), (352, 288), (480, 640)):
        zone_map = ZoneMap.of([config], [], (width, height))
        inside, outside = (0.7 * width, 0, 0.9 * width, 0.6 * height), (0.7 * width, 0, 0.9 * width, 0.4 * height)
        assert zone_map.zones_at(inside, "person") == ("strip",)
        assert zone_map.zones_at(outside, "person") == ()


def test_a_zone_along_the_lower_edge_holds_who_is_cut_by_it() -> None:
    zone_map = ZoneMap.of([ZoneConfig(name="z", polygon=((0, 0.5), (1, 0.5), (1, 1), (0, 1)))], [], (640, 480))
    assert zone_map.zones_at((600, 200, 640, 480), "person") == ("z",)
    assert zone_map.zones_at((600, 200, 700, 530), "person") == ("z",)
