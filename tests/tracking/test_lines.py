from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from nvr.config.zones import LineConfig
from nvr.tracking.geometry import Point, crossing
from nvr.tracking.lines import Line, LineWatch

LINE = Line("gate", (0.5, 0.2), (0.5, 0.8), frozenset())
"""Down the picture: the right hand of somebody who walks it is the left side of the picture."""
MARGIN = 0.05


def crossings(feet: list[Point], frame_s: float = 0.2, margin: float = MARGIN) -> list[tuple[float, str]]:
    watch = LineWatch()
    found = [watch.update(LINE, foot, margin, i * frame_s) for i, foot in enumerate(feet)]
    return [(round(each.crossed_s, 6), each.direction) for each in found if each is not None]


def along(*xs: float, y: float = 0.5) -> list[Point]:
    return [(x, y) for x in xs]


def test_in_is_from_the_left_hand_to_the_right() -> None:
    assert crossings(along(0.7, 0.3)) == [(0.2, "in")]
    assert crossings(along(0.3, 0.7)) == [(0.2, "out")]


def test_back_and_forth_counts_one_each_way() -> None:
    assert crossings(along(0.3, 0.7, 0.3)) == [(0.2, "out"), (0.4, "in")]


def test_who_touches_the_line_and_turns_around_counts_nothing() -> None:
    assert crossings(along(0.3, 0.5, 0.3)) == []
    assert crossings(along(0.7, 0.5, 0.7)) == []


def test_who_stands_on_the_line_for_long_and_turns_around_counts_nothing() -> None:
    assert crossings(along(0.3, *[0.5] * 50, 0.3)) == []
    assert crossings(along(0.7, *[0.5] * 50, 0.7)) == []


def test_who_goes_through_the_line_counts_once_wherever_the_frames_fall() -> None:
    assert [way for _, way in crossings(along(0.3, 0.5, 0.7))] == ["out"]
    assert [way for _, way in crossings(along(0.7, 0.5, 0.3))] == ["in"]


def test_a_box_that_trembles_over_the_line_counts_nothing() -> None:
    assert crossings(along(0.3, *[0.49, 0.52] * 50, 0.3)) == []


def test_who_trembles_over_the_line_and_goes_on_counts_once() -> None:
    assert [way for _, way in crossings(along(0.3, *[0.49, 0.52] * 50, 0.7))] == ["out"]


def test_who_stops_just_behind_the_line_counts_after_a_while_with_the_time_of_the_step() -> None:
    assert crossings(along(0.3, *[0.52] * 4)) == []
    assert crossings(along(0.3, *[0.52] * 7)) == [(0.2, "out")]


def test_who_walks_around_its_end_does_not_cross_it() -> None:
    assert crossings([(0.3, 0.5), (0.45, 0.9), (0.6, 0.9), (0.7, 0.5)]) == []


def test_who_crosses_it_and_comes_back_around_its_end_counts_once() -> None:
    assert crossings([(0.3, 0.5), (0.7, 0.5), (0.7, 0.9), (0.3, 0.9), (0.3, 0.5)]) == [(0.2, "out")]


def test_a_long_gap_between_two_looks_is_one_step() -> None:
    assert crossings(along(0.1, 0.9), frame_s=60) == [(60, "out")]


def test_a_swapped_line_swaps_the_directions() -> None:
    config = LineConfig(name="gate", start=(0.5, 0.8), end=(0.5, 0.2))
    watch = LineWatch()
    line = Line.from_config(config, 1.0)
    assert watch.update(line, (0.7, 0.5), MARGIN, 0) is None
    crossing = watch.update(line, (0.3, 0.5), MARGIN, 0.2)
    assert crossing is not None
    assert crossing.direction == "out"


@given(st.lists(st.floats(0, 1), min_size=2, max_size=60), st.floats(0, 0.2))
def test_directions_alternate_and_add_up_to_the_side_where_it_ends(xs: list[float], margin: float) -> None:
    feet = along(0.0, *xs, 0.0 if xs[-1] < 0.5 else 1.0)
    ways = [way for _, way in crossings(feet, margin=margin)]
    assert ways == ["out" if i % 2 == 0 else "in" for i in range(len(ways))]
    assert (len(ways) % 2 == 1) == (feet[-1][0] == 1)


@given(st.lists(st.floats(0.46, 0.54), max_size=60), st.booleans())
def test_whatever_happens_within_the_margin_counts_at_most_once(xs: list[float], is_back: bool) -> None:
    feet = along(0.3, *xs, 0.3 if is_back else 0.7)
    # frames so close that nobody stays on one side for a second
    assert [way for _, way in crossings(feet, frame_s=0.01)] == ([] if is_back else ["out"])


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=40))
def test_crossings_of_a_path_without_a_margin_are_those_of_its_steps(feet: list[Point]) -> None:
    path = [(0.0, 0.5), *feet]
    steps = [crossing(LINE.start, LINE.end, before, after) for before, after in pairwise(path)]
    expected = ["in" if step > 0 else "out" for step in steps if step]
    settled = [foot for foot in feet if foot[0] != 0.5]
    if len(settled) == len(feet):
        assert [way for _, way in crossings(path, margin=0.0)] == expected
