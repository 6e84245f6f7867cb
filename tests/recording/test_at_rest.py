"""What is news, from boxes that are written down here."""

from nvr.events.schema import BoundingBox, Detection, DetectionEvent
from nvr.recording.at_rest import MAX_PLACES, AtRest
from tests.recording.packets import at


def event(second: float, *detections: Detection) -> DetectionEvent:
    return DetectionEvent(
        source_id=1, frame_id=0, timestamp=at(second), model_id="m", inference_time_ms=1, detections=detections
    )


def car(x: float = 100, *, held: bool | None = None, class_name: str = "car", y: float = 100) -> Detection:
    return Detection(class_name=class_name, confidence=0.4, bbox=BoundingBox(x=x, y=y, width=60, height=40), held=held)


def count_news(watch: AtRest, seconds: range, detection: Detection) -> int:
    return sum(len(watch.news(event(second, detection))) for second in seconds)


def test_what_stands_still_is_news_for_some_seconds_only() -> None:
    watch = AtRest()
    assert count_news(watch, range(100), car()) == 3
    assert watch.news(event(100, car(x=103, y=99))) == (), "a detector trembles"
    assert watch.news(event(101)) == ()


def test_what_moves_is_news_all_the_time_and_what_comes_beside_it_as_well() -> None:
    watch = AtRest()
    walker = [car(x=100 + 20 * step, class_name="person") for step in range(30)]
    found = [watch.news(event(step, car(), walker[step])) for step in range(30)]
    assert [walker[step] in news for step, news in enumerate(found)] == [True] * 30
    assert sum(car() in news for news in found) == 3


def test_what_starts_to_move_is_news_again() -> None:
    watch = AtRest()
    count_news(watch, range(20), car())
    assert len(watch.news(event(20, car(x=130)))) == 1


def test_what_is_held_is_no_news_and_stays_known() -> None:
    watch = AtRest()
    assert len(watch.news(event(0, car()))) == 1
    assert count_news(watch, range(1, 300), car(held=True)) == 0
    assert watch.news(event(300, car())) == (), "the whole picture is looked at again"
    assert AtRest().news(event(0, car(held=True))) == ()


def test_another_class_or_a_long_absence_is_news() -> None:
    watch = AtRest()
    count_news(watch, range(10), car())
    assert len(watch.news(event(10, car(class_name="person")))) == 1
    assert len(watch.news(event(200, car()))) == 1
    assert len(watch.news(event(10, car()))) == 1, "the camera's clock was set back"


def test_what_is_remembered_is_bounded() -> None:
    watch = AtRest()
    crowd = [car(x=100.0 * place) for place in range(3 * MAX_PLACES)]
    assert len(watch.news(event(0, *crowd))) == len(crowd)
    assert len(watch._places) == MAX_PLACES
