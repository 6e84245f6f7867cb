from datetime import timedelta

import pytest

from nvr.events.examples import example_detection_event
from nvr.events.schema import BoundingBox, Detection, DetectionEvent
from nvr.recording.best_frame import LOOK_S, OVER_S, BestFrame, Candidate, candidate, score
from tests.recording.packets import at


def seen(
    left: float, top: float, right: float, bottom: float, *, confidence: float = 0.8, name: str = "car"
) -> Detection:
    return Detection(class_name=name, confidence=confidence, bbox=BoundingBox.from_xyxy_px(left, top, right, bottom))


def event(*detections: Detection) -> DetectionEvent:
    return example_detection_event().model_copy(
        update={"detections": detections, "frame_width": 1000, "frame_height": 500}
    )


def found(second: float, value: float) -> Candidate:
    return Candidate(at(second), value, "car", 0.5)


def test_the_score_is_confidence_times_the_part_of_the_frame() -> None:
    assert score(seen(100, 100, 300, 350), 1000, 500) == pytest.approx(0.8 * 0.4 * 0.25)


@pytest.mark.parametrize(
    "cut_off", [(0, 100, 200, 200), (100, 0, 300, 100), (800, 100, 1000, 200), (100, 400, 300, 500)]
)
def test_what_the_edge_cuts_off_counts_half(cut_off: tuple[float, float, float, float]) -> None:
    whole = score(seen(100, 100, 300, 200), 1000, 500)
    assert score(seen(*cut_off), 1000, 500) == pytest.approx(whole / 2)


def test_what_lies_outside_of_the_frame_does_not_count() -> None:
    assert score(seen(-300, 100, -100, 200), 1000, 500) == 0
    assert score(seen(-100, 100, 100, 200), 1000, 500) == pytest.approx(0.8 * 0.1 * 0.2 / 2)


def test_without_the_size_of_the_frame_areas_are_compared() -> None:
    assert score(seen(0, 0, 20, 10), None, None) > score(seen(0, 0, 10, 10), None, None)


def test_a_frame_is_as_good_as_its_best_object() -> None:
    chosen = candidate(event(seen(100, 100, 200, 200), seen(300, 100, 600, 400, confidence=0.7, name="person")))
    assert chosen is not None
    assert (chosen.class_name, chosen.confidence) == ("person", 0.7)
    assert candidate(event()) is None


def test_the_best_is_chosen_some_seconds_after_the_first() -> None:
    best = BestFrame(10)
    for second, value in [(0, 1), (0.5, 3), (1.0, 2), (1.5, 1), (2.0, 1), (2.5, 1)]:
        best.note(found(second, value), second)
        assert best.choose(second) is None
    assert best.choose(LOOK_S) == found(0.5, 3)
    assert best.choose(LOOK_S) is None


def test_an_event_that_is_over_is_not_waited_for() -> None:
    best = BestFrame(10)
    best.note(found(0, 1), 0)
    assert best.choose(OVER_S - 0.01) is None
    assert best.choose(OVER_S) == found(0, 1)


def test_each_event_has_one_choice() -> None:
    best = BestFrame(10)
    for second in range(30):
        best.note(found(second, second), second)
        assert (best.choose(second) is None) == (second != LOOK_S)
    best.note(found(39.0, 1), 39.0)
    assert best.choose(45) == found(39.0, 1), "ten seconds after the last: another event"


def test_time_is_that_of_our_clock_whatever_the_camera_says() -> None:
    best = BestFrame(10)
    early = Candidate(at(0) - timedelta(days=4000), 1, "car", 0.5)
    best.note(early, 100)
    assert best.choose(100 + OVER_S) == early
