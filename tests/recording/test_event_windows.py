from hypothesis import given
from hypothesis import strategies as st

from nvr.recording.event_windows import MAX_WINDOWS, EventWindows
from tests.recording.packets import at


def test_a_window_reaches_from_pre_roll_to_post_roll() -> None:
    window = EventWindows(2, 3).note(at(10))
    assert (window.start, window.end) == (at(8), at(13))


def test_detections_that_follow_each_other_are_one_window() -> None:
    windows = EventWindows(2, 3)
    windows.note(at(10))
    windows.note(at(20))
    window = windows.note(at(15))
    assert (window.start, window.end) == (at(8), at(23))
    assert windows.oldest_pending() is window


def test_a_taken_window_is_pending_again_once_it_grows_at_its_end() -> None:
    windows = EventWindows(2, 3)
    windows.note(at(10))
    assert windows.take_at(at(11))
    windows.note(at(9))
    assert windows.oldest_pending() is None
    windows.note(at(10.5))
    assert windows.oldest_pending() is not None


def test_what_lies_around_a_window_is_not_in_it() -> None:
    windows = EventWindows(2, 3)
    windows.note(at(10))
    assert not windows.take_at(at(7.9))
    assert not windows.take_at(at(13.1))
    assert not windows.overlap(at(0), at(7.9))
    assert windows.overlap(at(0), at(8))
    assert windows.overlap(at(9), at(9.1))


def test_the_oldest_of_too_many_are_forgotten() -> None:
    windows = EventWindows(1, 1)
    for number in range(MAX_WINDOWS + 5):
        windows.note(at(10 * number))
    pending = windows.oldest_pending()
    assert pending is not None
    assert pending.start == at(49)


@given(st.lists(st.integers(0, 300), min_size=1, max_size=40))
def test_windows_hold_exactly_what_is_near_a_detection_in_whatever_order_they_come(notes: list[int]) -> None:
    windows = EventWindows(4, 6)
    for second in notes:
        windows.note(at(second))
    for second in range(-10, 320):
        assert windows.take_at(at(second)) == any(note - 4 <= second <= note + 6 for note in notes)
