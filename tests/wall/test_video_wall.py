import subprocess
import sys
import threading
from collections.abc import Mapping

import numpy as np
import pytest

import nvr.wall
from nvr.bus import MqttConnection
from nvr.bus.local_broker import LocalBroker
from nvr.config import BrokerConfig
from nvr.config.wall import WallCamera
from nvr.core.clock import SystemClock
from nvr.core.errors import ConfigurationError
from nvr.events import DetectionEvent
from nvr.media.pixels import Picture
from nvr.wall import VideoWall, VideoWallConfig
from nvr.wall.compositor import Composition
from nvr.wall.palette import colour_of_object
from tests.conftest import require_program
from tests.waiting import wait_until
from tests.wall.conftest import MakeWall
from tests.wall.fakes import FakeCamera, event_of, unused_port


def test_importing_the_wall_loads_neither_decoder_nor_opencv_nor_a_model_runtime() -> None:
    script = "import sys, nvr.wall; print([m for m in ('av', 'cv2', 'onnxruntime', 'pygame') if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout.strip() == "[]"


def test_an_unknown_name_of_the_package_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Nonsense"):
        nvr.wall.Nonsense  # noqa: B018 - the look-up is the test


def test_a_wall_without_cameras_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="the wall has no camera"):
        VideoWall(VideoWallConfig())


def test_composes_without_being_started(make_wall: MakeWall) -> None:
    wall, sources = make_wall(3, tile_width=160, tile_height=90)
    sources[0].show(luma=200)
    picture = wall.compose()
    assert picture.shape == (2 * 90 + 6, 2 * 160 + 6, 3)
    assert picture[47, 82].min() > 180


def test_starts_its_cameras_and_ends_everything_in_time(make_wall: MakeWall) -> None:
    wall, sources = make_wall(2)
    wall.start()
    assert all(source.was_started for source in sources)
    with pytest.raises(RuntimeError, match="started before"):
        wall.start()
    assert not wall.join(0)
    wall.stop()
    assert wall.join(0)
    assert all(source.was_stopped for source in sources)
    assert "wall-compose" not in [thread.name for thread in threading.enumerate()]
    wall.stop()


def test_a_camera_that_hangs_does_not_hold_the_stop_of_the_others() -> None:
    class Hanging(FakeCamera):
        waited_s: float = 0.0

        def stop(self, timeout_s: float = 1.0) -> bool:
            self.waited_s += timeout_s
            threading.Event().wait(timeout_s)
            return False

    clock = SystemClock()
    hanging = [Hanging(i, clock) for i in range(8)]
    config = VideoWallConfig(
        mqtt_host="127.0.0.1",
        mqtt_port=unused_port(),
        stream_uris=tuple(f"rtsp://camera.example/{i}" for i in range(8)),
    )
    wall = VideoWall(config, make_source=lambda camera: hanging[camera.source_id])
    wall.start()
    wall.stop()
    assert sum(camera.waited_s for camera in hanging) < 2
    assert all(camera.was_stopped for camera in hanging)


def test_watchers_get_the_present_picture_and_each_new_one(make_wall: MakeWall) -> None:
    wall, sources = make_wall(1)
    sources[0].show(luma=30)
    wall.start()
    seen: list[int] = []
    with wall.view().watch(lambda composition: seen.append(int(composition.picture[150, 240, 0]))):
        wait_until(lambda: len(seen) > 0, "the present picture")
        sources[0].show(luma=220)
        wait_until(lambda: seen[-1] > 200, "the new picture")
    assert seen[0] < 40


def test_nothing_is_composed_while_nobody_watches(make_wall: MakeWall) -> None:
    wall, sources = make_wall(1)
    wall.start()
    version = wall.view().compose().version
    first, second = threading.Event(), threading.Event()
    with wall.view(0).watch(lambda _: (first if not first.is_set() else second).set()):
        sources[0].show()
        assert first.wait(30)  # the loop runs, for another view than the grid
        sources[0].show(luma=50)
        assert second.wait(30)
    assert wall.view().compose().version == version + 1


def test_a_watcher_that_fails_is_logged_and_counted_and_the_wall_goes_on(
    make_wall: MakeWall, caplog: pytest.LogCaptureFixture
) -> None:
    wall, sources = make_wall(1)
    seen: list[int] = []

    def fail_at_first(composition: Composition) -> None:
        seen.append(composition.version)
        if len(seen) == 1:
            raise ZeroDivisionError

    with wall.view().watch(fail_at_first):
        wall.start()
        wait_until(lambda: len(seen) == 1, "the failing call")
        sources[0].show()
        wait_until(lambda: len(seen) > 1, "a call after the failure")
    assert wall.state().n_faults == 1
    failures = [record for record in caplog.records if record.levelname == "ERROR"]
    assert failures[0].exc_info is not None


def test_one_camera_is_shown_enlarged(make_wall: MakeWall) -> None:
    wall, sources = make_wall(3)
    sources[1].show(luma=200)
    view = wall.view(1)
    assert view is wall.view(1)
    assert view.source_ids == (1,)
    picture = view.compose().picture
    assert picture.shape == (720, 1280, 3)
    assert picture[300, 600].min() > 180
    with pytest.raises(KeyError):
        wall.view(3)


def changed_cameras(wall: VideoWall, *cameras: WallCamera) -> VideoWallConfig:
    return wall.config.model_copy(update={"stream_uris": (), "cameras": cameras})


def test_cameras_come_and_go_and_those_that_stay_keep_their_connection() -> None:
    clock = SystemClock()
    made: list[tuple[WallCamera, FakeCamera]] = []

    def make_source(camera: WallCamera) -> FakeCamera:
        source = FakeCamera(camera.source_id, clock)
        made.append((camera, source))
        return source

    cameras = [WallCamera(source_id=i, uri=f"rtsp://camera.example/{i}", name=f"door {i}") for i in (3, 7)]
    config = VideoWallConfig(mqtt_host="127.0.0.1", mqtt_port=unused_port(), cameras=tuple(cameras))
    wall = VideoWall(config, make_source=make_source, clock=clock)
    wall.start()
    try:
        enlarged = wall.view(7)
        seen: list[Composition] = []
        wall.view().watch(seen.append)
        wait_until(lambda: bool(seen), "the first picture")
        moved = WallCamera(source_id=7, uri="rtsp://camera.example/elsewhere")
        new = [WallCamera(source_id=i, uri=f"rtsp://camera.example/{i}") for i in (11, 12, 13)]
        wall.change_cameras(changed_cameras(wall, cameras[0], moved, *new))
        assert wall.source_ids == (3, 7, 11, 12, 13)
        assert [view.title for view in wall.look()] == ["door 3", "Camera 7", "Camera 11", "Camera 12", "Camera 13"]
        assert [camera.uri for camera, source in made if source.was_stopped] == ["rtsp://camera.example/7"]
        assert all(source.was_started for _, source in made)
        assert [camera.source_id for camera, _ in made] == [3, 7, 7, 11, 12, 13]
        assert wall.view(7) is not enlarged
        width_px = wall.view().layout.width_px
        wait_until(lambda: seen[-1].picture.shape[1] == width_px, "who watches gets the new tiles")
        assert width_px == 3 * (config.tile_width + 2) + 2
        assert seen[-1].version > seen[0].version
    finally:
        wall.stop()
    assert all(source.was_stopped for _, source in made)


def test_a_wall_refuses_to_lose_its_last_camera(make_wall: MakeWall) -> None:
    wall, sources = make_wall(2)
    with pytest.raises(ConfigurationError, match="no camera"):
        wall.change_cameras(changed_cameras(wall))
    assert wall.source_ids == (0, 1)
    assert not any(source.was_stopped for source in sources)


@pytest.mark.broker
def test_two_walls_in_one_process_outside_the_main_thread_draw_what_a_real_broker_says() -> None:
    require_program("mosquitto")
    drawn: dict[str, threading.Event] = {"a": threading.Event(), "b": threading.Event()}

    def build(name: str, broker: LocalBroker, source_id: int) -> VideoWall:
        def on_composed(picture: Picture, events: Mapping[int, DetectionEvent]) -> None:
            colour = colour_of_object(f"class of {name}", None)
            if source_id in events and np.any(np.all(picture == colour, axis=2)):
                drawn[name].set()

        camera = FakeCamera(source_id, SystemClock())
        camera.show()
        config = VideoWallConfig(
            mqtt_host=broker.host,
            mqtt_port=broker.port,
            stale_after_seconds=600,
            stream_uris=("rtsp://camera.example/live",),
            first_source_id=source_id,
        )
        wall = VideoWall(config, on_composed=on_composed, make_source=lambda _: camera)
        wall.start()
        return wall

    walls: list[VideoWall] = []
    with LocalBroker.start("mosquitto") as broker:
        starter = threading.Thread(
            target=lambda: walls.extend([build("a", broker, 0), build("b", broker, 1)]), name="not-main"
        )
        starter.start()
        starter.join(60)
        publisher = MqttConnection(BrokerConfig(host=broker.host, port=broker.port))
        publisher.start()
        sent = 0

        def is_drawn() -> bool:
            nonlocal sent
            sent += 1
            for source_id, name in enumerate(drawn):
                event = event_of(source_id, (10, 10, 200, 150), class_name=f"class of {name}", later_s=sent)
                publisher.publish(f"nvr/detections/{source_id}", event.to_json())
            return all(done.is_set() for done in drawn.values())

        try:
            wait_until(is_drawn, "boxes on both walls")
            state = walls[0].state()
        finally:
            publisher.stop()
            for wall in walls:
                wall.stop()
    assert state.is_broker_connected
    assert state.n_events > 0
    assert state.n_bad_messages == 0
