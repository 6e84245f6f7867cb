"""Cameras that come, go and change while the others run, on real RTSP."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nvr.config.camera import CameraConfig
from nvr.core.errors import ConfigurationError, StreamError
from nvr.demo.simulator import Simulator, SimulatorConfig
from nvr.media.health import HealthState
from nvr.media.stream import StreamState
from nvr.processor import StreamProcessor, StreamProcessorConfig
from tests.media.clips import make_clip
from tests.processor.fakes import BrightSpotDetector
from tests.processor.running import Running
from tests.waiting import wait_until

pytestmark = pytest.mark.camera

FPS = 12


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator(SimulatorConfig(n_cameras=4, width_px=320, height_px=180, fps=FPS, scene_s=5)) as running:
        yield running


@pytest.fixture
def start() -> Iterator[type[Running]]:
    started: list[Running] = []

    class Started(Running):
        def __init__(self, *uris: str, **settings: Any) -> None:  # noqa: ANN401 - settings
            super().__init__(*uris, **settings)
            started.append(self)

    yield Started
    for running in started:
        running.processor.terminate()


def test_a_camera_is_added_and_removed_and_no_other_loses_a_frame(simulator: Simulator, start: type[Running]) -> None:
    running = start(simulator.uri(0))
    cameras = running.processor.cameras
    running.wait_for(0)
    added = cameras.add(CameraConfig(uri=simulator.uri(1)))
    assert added == 1
    dead = cameras.add(CameraConfig(uri="rtsp://127.0.0.1:1/dead", source_id=7))
    running.wait_for(1, 10)
    cameras.remove(dead)
    cameras.remove(added)
    running.wait_for(0, 10)
    assert [camera.source_id for camera in cameras] == [0]
    undecoded, failures = running.decoded(0)
    assert undecoded <= 2, "what is in the decoder at this moment"
    assert failures == 0
    decoding = cameras.get(0).detect.stats.decoding
    assert (decoding.skipped, decoding.lost, decoding.broken) == (0, 0, 0)
    assert cameras.add(CameraConfig(uri=simulator.uri(2))) == 1, "its number is free again"
    running.wait_for(1)


def test_a_paused_camera_hangs_up_and_comes_back(simulator: Simulator, start: type[Running]) -> None:
    running = start(simulator.uri(0), simulator.uri(1))
    cameras = running.processor.cameras
    running.wait_for(0)
    running.wait_for(1)
    assert cameras.pause([1], hang_up=True) == (1,)
    wait_until(lambda: cameras.get(1).detect.state is StreamState.PAUSED, "camera 1 is paused")
    wait_until(lambda: simulator.clients(1) == 0, "its connection is closed")
    n_frames = len(running.frames[1])
    running.wait_for(0, 10)
    assert len(running.frames[1]) <= n_frames + 1, "at most what was with the detector already"
    wait_until(lambda: any(change.new is HealthState.PAUSED for change in running.health), "it is told")
    cameras.resume([1])
    running.wait_for(1)
    assert running.decoded(0)[1] == running.decoded(1)[1] == 0


def test_a_camera_is_retuned_without_a_new_connection(simulator: Simulator, start: type[Running]) -> None:
    running = start(simulator.uri(0), simulator.uri(1))
    cameras = running.processor.cameras
    running.wait_for(0)
    camera = cameras.get(0).config
    cameras.update(0, camera.model_copy(update={"decode": "keyframes"}))
    assert cameras.get(0).config.decode == "keyframes"
    wait_until(lambda: cameras.get(0).detect.stats.decoding.dozed > FPS, "it passes over what is between key frames")
    cameras.update(0, camera.model_copy(update={"decode": "all", "max_fps": 2}))
    dozed = cameras.get(0).detect.stats.decoding.dozed
    running.wait_for(0, 4)
    assert cameras.get(0).detect.stats.decoding.dozed <= dozed + FPS
    assert cameras.get(0).detect.stats.sessions == 1
    assert running.decoded(1)[0] <= 2


def test_naming_the_transport_that_is_used_already_makes_no_new_connection(
    simulator: Simulator, start: type[Running]
) -> None:
    running = start(simulator.uri(0))
    cameras = running.processor.cameras
    running.wait_for(0)
    camera = cameras.get(0)
    assert camera.config.rtsp_transport is None
    cameras.update(0, camera.config.model_copy(update={"rtsp_transport": camera.rtsp_transport, "max_fps": 2}))
    assert cameras.get(0) is camera
    assert camera.config.max_fps == 2


def test_main_and_sub_stream_are_one_camera(simulator: Simulator, start: type[Running]) -> None:
    running = start(cameras=[{"uri": simulator.uri(0), "detect_uri": simulator.uri(1), "source_id": 5}])
    running.wait_for(5)
    camera = running.processor.cameras.get(5)
    wait_until(lambda: len(camera.ring) > 0, "packets of the main stream are remembered")
    assert camera.main is not camera.detect
    assert camera.main.stats.frames == 0, "the main stream is not decoded"
    (report,) = running.processor.report().cameras
    assert report.main is not None
    assert report.main.demuxed.packets > 0
    assert simulator.clients(0) == simulator.clients(1) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source_id": 4}, "camera 0 keeps its number, got source_id 4"),
        ({"hwaccel": "abacus"}, "hwaccel 'abacus': expected one of auto, none"),
        ({"record": "continuous"}, "camera 0 is to be recorded .*, and this processor records nothing"),
        ({"model_id": "yolox-nanoo"}, "yolox-nanoo"),
        ({"uri": "rtsp://127.0.0.1:1/dead"}, "camera 0 goes on as it was: .* refuses the connection"),
    ],
)
def test_a_change_that_cannot_be_is_refused_and_the_camera_goes_on(
    simulator: Simulator, start: type[Running], changes: dict[str, object], message: str
) -> None:
    running = start(simulator.uri(0))
    before = running.processor.cameras.get(0).config
    camera = before.model_copy(update=changes)
    with pytest.raises((ConfigurationError, StreamError), match=message):
        running.processor.update_camera(0, camera)
    assert running.processor.cameras.get(0).config == before
    running.wait_for(0)
    assert running.processor.cameras.get(0).detect.stats.sessions == 1


def test_an_unknown_camera_and_a_taken_number_are_named(simulator: Simulator, start: type[Running]) -> None:
    running = start(simulator.uri(0))
    cameras = running.processor.cameras
    with pytest.raises(ConfigurationError, match="there is no camera 9, there are 0"):
        cameras.remove(9)
    with pytest.raises(ConfigurationError, match="source_id 0 is taken by rtsp://127"):
        cameras.add(CameraConfig(uri=simulator.uri(1), source_id=0))
    with pytest.raises(ConfigurationError, match="hwaccel 'abacus'"):
        cameras.add(CameraConfig(uri=simulator.uri(1), hwaccel="abacus"))
    assert len(cameras) == 1


def test_a_processor_that_does_not_run_takes_no_camera(simulator: Simulator) -> None:
    processor = StreamProcessor(
        StreamProcessorConfig(stream_uris=(simulator.uri(0),), mqtt_enabled=False), detector=BrightSpotDetector()
    )
    with pytest.raises(RuntimeError, match="does not run"):
        processor.cameras.add(CameraConfig(uri=simulator.uri(1)))
    processor.terminate()


def test_a_file_can_be_analysed_faster_than_it_plays_and_whole(tmp_path: Path, start: type[Running]) -> None:
    clip = make_clip(tmp_path / "a.mp4", 750)
    running = start(str(clip), file_pace="fast", decode="adaptive", max_fps=5)
    assert running.processor.join(60), "30 s of video"
    assert len(running.frames[0]) >= 5 * 5
    report = running.processor.report().cameras[0]
    assert report.stream.demuxed.packets == 750
    assert (report.replaced_frames, report.stream.skipped_packets) == (0, 0)
    assert running.frames[0] == sorted(set(running.frames[0]))
