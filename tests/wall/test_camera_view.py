import pytest

from nvr.core.clock import ManualClock
from nvr.media import StreamState
from nvr.wall.camera_view import Camera, TileState, duration, notice_of, state_of
from nvr.wall.detection_cache import DetectionCache
from tests.wall.fakes import FakeCamera, event_of


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def source(clock: ManualClock) -> FakeCamera:
    return FakeCamera(0, clock)


@pytest.fixture
def cache(clock: ManualClock) -> DetectionCache:
    return DetectionCache(1.0, clock=clock)


@pytest.fixture
def camera(source: FakeCamera, cache: DetectionCache, clock: ManualClock) -> Camera:
    return Camera(source, cache, stale_after_s=3.0, clock=clock)


@pytest.mark.parametrize(
    ("stream", "age_s", "state"),
    [
        (StreamState.CONNECTING, None, TileState.CONNECTING),
        (StreamState.RUNNING, None, TileState.CONNECTING),
        (StreamState.OFFLINE, None, TileState.OFFLINE),
        (StreamState.RUNNING, 0.1, TileState.LIVE),
        (StreamState.STALLED, 2.9, TileState.LIVE),
        (StreamState.OFFLINE, 2.9, TileState.LIVE),  # it has just dropped: the picture is still true
        (StreamState.STALLED, 3.1, TileState.STALE),
        (StreamState.CONNECTING, 3.1, TileState.STALE),
        (StreamState.OFFLINE, 3.1, TileState.OFFLINE),
        (StreamState.ENDED, 3.1, TileState.ENDED),
    ],
)
def test_a_camera_is_shown_by_the_age_of_its_picture_first(
    stream: StreamState, age_s: float | None, state: TileState
) -> None:
    assert state_of(stream, age_s, 3.0) is state


@pytest.mark.parametrize("state", [state for state in TileState if state is not TileState.LIVE])
def test_every_camera_without_a_live_picture_has_words_for_it(state: TileState) -> None:
    assert notice_of(state, 12.7)


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0 s"), (7.9, "7 s"), (119, "119 s"), (180, "3 min"), (7200, "2 h")]
)
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_live_camera_shows_its_event_and_rates(
    camera: Camera, source: FakeCamera, cache: DetectionCache, clock: ManualClock
) -> None:
    source.show()
    cache.put(event_of(0, (1, 1, 9, 9), timestamp=clock.now(), extra={"fps": 4.96}))
    clock.advance(0.087)
    view = camera.look()
    assert (view.state, view.notice, view.reason) == (TileState.LIVE, None, None)
    assert view.event is cache.get(0)
    assert view.facts == "25 fps  ·  5.0 det/s  ·  87 ms"


def test_the_latency_is_that_of_the_first_look_and_does_not_grow_while_the_boxes_stand(
    camera: Camera, source: FakeCamera, cache: DetectionCache, clock: ManualClock
) -> None:
    source.show()
    cache.put(event_of(0, timestamp=clock.now()))
    clock.advance(0.1)
    first = camera.look().latency_ms
    clock.advance(0.5)
    assert first == pytest.approx(100)
    assert camera.look().latency_ms == first


@pytest.mark.parametrize("later_s", [5.0, -3600.0])
def test_a_latency_that_only_clocks_that_differ_can_explain_is_not_shown(
    camera: Camera, source: FakeCamera, cache: DetectionCache, later_s: float
) -> None:
    source.show()
    cache.put(event_of(0, later_s=later_s))
    view = camera.look()
    assert view.latency_ms is None
    assert view.facts == "25 fps"


def test_boxes_are_never_put_on_a_picture_that_is_no_longer_true(
    camera: Camera, source: FakeCamera, cache: DetectionCache, clock: ManualClock
) -> None:
    source.show()
    source.state, source.last_error = StreamState.OFFLINE, "closed the connection"
    clock.advance(4.5)
    cache.put(event_of(0, (1, 1, 9, 9)))
    view = camera.look()
    assert (view.state, view.event, view.notice) == (TileState.OFFLINE, None, "offline for 4 s")
    assert view.reason == "closed the connection"


def test_the_wait_for_a_first_picture_is_counted_from_the_start_of_the_wall(camera: Camera, clock: ManualClock) -> None:
    clock.advance(9)
    assert camera.look().notice == "connecting, 9 s"


def test_a_silent_processor_is_mentioned_once_it_is_certain(
    camera: Camera, source: FakeCamera, cache: DetectionCache, clock: ManualClock
) -> None:
    clock.advance(4)
    source.show()
    assert camera.look().footnote is None
    clock.advance(2)
    source.show()
    assert camera.look().footnote == "no detections from a processor for 6 s"
    cache.put(event_of(0))
    assert camera.look().footnote is None
