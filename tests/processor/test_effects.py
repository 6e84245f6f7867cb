"""What takes effect while a processor runs, on real RTSP; none of it costs another camera a frame."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nvr.config.camera import CameraConfig
from nvr.config.recording import RecordingConfig
from nvr.core.clock import SystemClock
from nvr.core.errors import CancelledError, ConfigurationError, ModelError, StreamError, TransientError
from nvr.demo.simulator import Simulator, SimulatorConfig
from nvr.events.recording_event import SegmentEvent
from nvr.media.stream import StreamState
from nvr.recording.service import RecordingService
from tests.detection.onnx_graphs import constant_outputs
from tests.media.clips import make_clip
from tests.processor.fakes import HangingDetector
from tests.processor.running import Running
from tests.waiting import wait_until

pytestmark = pytest.mark.camera

FPS = 12

Start = Callable[..., Running]


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    config = SimulatorConfig(n_cameras=3, width_px=320, height_px=180, fps=FPS, scene_s=8, gop_s=4)
    with Simulator(config) as running:
        yield running


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[Running] = []

    def begin(*uris: str, **settings: Any) -> Running:  # noqa: ANN401 - settings
        started.append(Running(*uris, **({"max_wait_ms": 0} | settings)))
        return started[-1]

    yield begin
    for running in started:
        running.processor.terminate()


def network(path: Path, name: str, confidence: float = 0.9) -> str:
    """A network that sees one object of one class in the middle of each picture."""
    column = np.zeros((1, 5, 84), np.float32)
    column[0, :, 0] = [32, 32, 16, 16, confidence]
    names = {"names": f"{{0: '{name}'}}", "task": "detect"}
    return str(constant_outputs(path, {"output0": column}, metadata=names))


def test_no_change_of_a_camera_costs_another_one_a_frame(simulator: Simulator, start: Start, tmp_path: Path) -> None:
    # a file that is read as fast as it is looked at: each of its frames counts, however busy this machine is
    n_frames = 1200
    clip = make_clip(tmp_path / "a.mp4", n_frames)
    apples, birds = network(tmp_path / "a.onnx", "apple"), network(tmp_path / "b.onnx", "bird")
    running = start(str(clip), file_pace="fast")
    processor, n_rounds = running.processor, 0
    while not processor.cameras.get(0).is_finished():
        added = processor.cameras.add(CameraConfig(uri=simulator.uri(1), model_id=apples))
        processor.set_confidence(0.5, [added])
        processor.pause([added])
        processor.resume([added])
        processor.update_camera(added, CameraConfig(uri=simulator.uri(1), model_id=birds, max_fps=3, name="gate"))
        processor.update_camera(added, CameraConfig(uri=simulator.uri(2)))
        processor.cameras.remove(added)
        processor.rename(f"gate-{n_rounds}")
        assert processor.swap_model(apples if n_rounds % 2 else birds).wait(40) == "done"
        n_rounds += 1
    wait_until(lambda: processor.report().cameras[0].tally.analysed == n_frames, "each frame is analysed")
    report = processor.report().cameras[0]
    assert (report.replaced_frames, report.stream.decoding.decoded, report.stream.demuxed.packets) == (
        0,
        n_frames,
        n_frames,
    )
    assert n_rounds > 0


def test_a_pause_holds_at_once_and_keeps_the_connection(simulator: Simulator, start: Start) -> None:
    running = start(simulator.uri(0), simulator.uri(1))
    processor, camera = running.processor, running.processor.cameras.get(1)
    running.wait_for(0)
    running.wait_for(1)
    assert processor.pause([1]) == (1,)
    n_events, decoded, read = len(running.frames[1]), camera.detect.stats.frames, camera.detect.stats.demuxed.packets
    running.wait_for(0, 2 * FPS)
    assert len(running.frames[1]) <= n_events + 1, "what the callback was being given"
    assert camera.detect.stats.frames <= decoded + 2, "nothing is decoded"
    assert camera.detect.stats.demuxed.packets > read + FPS, "the ring is filled on"
    assert camera.detect.state is StreamState.RUNNING
    assert [report.is_detecting for report in processor.report().cameras] == [True, False]
    assert not camera.is_detecting
    assert not camera.is_hung_up
    assert processor.pause() == (0, 1), "once more, and all"
    paused_at = SystemClock().now()
    assert processor.resume([1]) == (1,)
    running.wait_for(1)
    running.wait_for(1, 1)
    n_of_the_pause = [event for event in running.of(1)[n_events + 1 :] if event.timestamp < paused_at]
    # a camera that tells its time by RTCP may be a little behind
    assert len(n_of_the_pause) <= 2
    assert camera.detect.stats.sessions == 1
    n_silent = len(running.frames[0])
    processor.resume()
    running.wait_for(0)
    assert len(running.frames[0]) > n_silent
    assert running.decoded(0)[1] == 0


def test_a_resumed_camera_needs_no_key_frame_that_comes_later(simulator: Simulator, start: Start) -> None:
    running = start(simulator.uri(0))
    running.wait_for(0)
    camera = running.processor.cameras.get(0)
    for _ in range(3):
        running.processor.pause()
        seen = camera.detect.stats.demuxed.packets
        wait_until(lambda n=seen: camera.detect.stats.demuxed.packets > n + 3, "it goes on")  # type: ignore[misc]
        keyframes, frames = camera.detect.stats.demuxed.keyframes, len(running.frames[0])
        running.processor.resume()
        wait_until(lambda n=frames: len(running.frames[0]) > n, "a frame")  # type: ignore[misc]
        if camera.detect.stats.demuxed.keyframes == keyframes:
            return
    pytest.fail("each time a frame came only with the next key frame")


def test_a_frame_that_is_with_the_model_is_not_published_after_a_pause(simulator: Simulator, start: Start) -> None:
    detector = HangingDetector()
    running = start(simulator.uri(0), detector=detector)
    assert detector.is_called.wait(40)
    running.processor.pause()
    detector.release.set()
    wait_until(lambda: running.processor.report().analysed_frames >= 1, "the model has answered")
    running.processor.resume()
    resumed_at = SystemClock().monotonic()
    running.wait_for(0, 3)
    assert resumed_at > 0
    assert 0 not in [event.frame_id for event in running.events]


def test_the_tracks_of_a_paused_camera_end_and_begin_anew(simulator: Simulator, start: Start) -> None:
    running = start(simulator.uri(0))
    wait_until(lambda: any(track.kind == "start" for track in running.tracks), "a track")
    running.processor.pause()
    wait_until(lambda: running.tracks[-1].kind == "end", "its end")
    assert running.tracks[-1].end_reason == "removed"
    first = {track.track_id for track in running.tracks}
    running.processor.resume()
    wait_until(lambda: running.tracks[-1].kind == "start", "a new track")
    assert running.tracks[-1].track_id not in first


def test_a_pause_that_hangs_up_takes_the_connection_too(simulator: Simulator, start: Start) -> None:
    running = start(simulator.uri(2))
    running.wait_for(0)
    running.processor.pause([0], hang_up=True)
    wait_until(lambda: simulator.clients(2) == 0, "its connection is closed")
    running.processor.pause([0])
    camera = running.processor.cameras.get(0)
    assert camera.is_hung_up, "a lesser pause does not undo the greater"
    running.processor.update_camera(0, CameraConfig(uri=simulator.uri(1)))
    assert simulator.clients(1) == simulator.clients(2) == 0, "a new address is not called either"
    running.processor.resume([0])
    running.wait_for(0)
    assert simulator.clients(1) == 1


def test_a_camera_that_hangs_up_while_it_changes_stays_so(simulator: Simulator, start: Start) -> None:
    running = start(simulator.uri(0))
    running.wait_for(0)

    def hang_up() -> bool:
        running.processor.pause([0], hang_up=True)
        return False

    running.processor.update_camera(0, CameraConfig(uri=simulator.uri(1)), hang_up)
    assert running.processor.cameras.get(0).is_hung_up
    wait_until(lambda: simulator.clients(0) == simulator.clients(1) == 0, "nobody is connected")
    running.processor.resume([0])
    running.wait_for(0)


def test_who_is_unknown_is_named_and_nobody_pauses(simulator: Simulator, start: Start) -> None:
    running = start(simulator.uri(0))
    for change in (
        lambda: running.processor.pause([0, 9]),
        lambda: running.processor.resume([9]),
        lambda: running.processor.set_max_fps(2, [0, 9]),
        lambda: running.processor.update_camera(9, CameraConfig(uri=simulator.uri(1))),
    ):
        with pytest.raises(ConfigurationError, match="there is no camera 9, there are 0"):
            change()
    assert running.processor.cameras.get(0).is_detecting
    assert running.processor.cameras.get(0).config.max_fps is None
    with pytest.raises(ConfigurationError, match="max_fps"):
        running.processor.set_max_fps(0)
    with pytest.raises(ConfigurationError, match="confidence_threshold"):
        running.processor.set_confidence(1.5)


def test_a_model_comes_with_its_camera_and_goes_with_it_and_nobody_loses_a_frame(
    simulator: Simulator, start: Start, tmp_path: Path
) -> None:
    running = start(simulator.uri(0))
    processor = running.processor
    running.wait_for(0)
    apples, birds = network(tmp_path / "a.onnx", "apple"), network(tmp_path / "b.onnx", "bird")
    added = processor.cameras.add(CameraConfig(uri=simulator.uri(1), model_id=apples))
    running.wait_for(added)
    assert {found.class_name for event in running.of(added) for found in event.detections} == {"apple"}
    assert len(processor.report().models) == 2
    processor.update_camera(added, CameraConfig(uri=simulator.uri(1), model_id=birds))
    assert len(processor.report().models) == 2, "apples are free again"
    wait_until(lambda: running.of(added)[-1].detections[0].class_name == "bird", "birds")
    assert processor.cameras.get(added).detect.stats.sessions == 1
    analysed = processor.report().analysed_frames
    processor.cameras.remove(added)
    assert [model.model_id for model in processor.report().models] == ["bright-spot"]
    assert processor.report().analysed_frames >= analysed, "what a model did that is gone still counts"
    assert {"multiplexer-1", "multiplexer-2"}.isdisjoint(thread.name for thread in threading.enumerate())
    assert running.decoded(0)[1] == 0


def test_a_model_that_cannot_be_had_changes_nothing(simulator: Simulator, start: Start, tmp_path: Path) -> None:
    running = start(simulator.uri(0))
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no network")
    with pytest.raises(ModelError, match=r"broken\.onnx"):
        running.processor.cameras.add(CameraConfig(uri=simulator.uri(1), model_id=str(broken), source_id=1))
    good = network(tmp_path / "a.onnx", "apple")
    with pytest.raises(CancelledError, match="was given up while it was loaded"):
        running.processor.cameras.add(CameraConfig(uri=simulator.uri(1), model_id=good), lambda: True)
    assert [camera.source_id for camera in running.processor.cameras] == [0]
    assert len(running.processor.report().models) == 1
    assert running.processor.cameras.add(CameraConfig(uri=simulator.uri(1))) == 1, "the number is free"


def test_another_address_takes_over_once_it_answers(simulator: Simulator, start: Start) -> None:
    running = start(simulator.uri(0), simulator.uri(1))
    processor = running.processor
    running.wait_for(0)
    running.wait_for(1)
    new = CameraConfig(uri=simulator.uri(2), name="gate")
    assert processor.update_camera(1, new) == new
    running.wait_for(1)
    wait_until(lambda: (simulator.clients(1), simulator.clients(2)) == (0, 1), "the server has noticed the change")
    assert processor.cameras.get(1).config.name == "gate"
    with pytest.raises(StreamError, match=r"camera 1 goes on as it was: .* refuses the connection"):
        processor.update_camera(1, CameraConfig(uri="rtsp://127.0.0.1:1/dead"))
    running.wait_for(1)
    assert simulator.clients(2) == 1
    processor.update_camera(1, CameraConfig(uri="rtsp://127.0.0.1:1/dead"), must_connect=False)
    wait_until(lambda: processor.cameras.get(1).detect.state is StreamState.OFFLINE, "it changes over all the same")
    wait_until(lambda: simulator.clients(2) == 0, "the server has noticed that the old connection is gone")
    running.wait_for(0)
    assert running.decoded(0)[1] == 0


def test_a_camera_that_is_being_changed_is_not_changed_by_another(simulator: Simulator, start: Start) -> None:
    running = start(simulator.uri(0))
    is_waiting, may_go = threading.Event(), threading.Event()

    def is_cancelled() -> bool:
        is_waiting.set()
        return may_go.is_set()

    failures: list[Exception] = []
    mute = socket.socket()  # takes the connection and never answers
    mute.bind(("127.0.0.1", 0))
    mute.listen()
    port = mute.getsockname()[1]

    def update() -> None:
        try:
            running.processor.update_camera(0, CameraConfig(uri=f"rtsp://127.0.0.1:{port}/x"), is_cancelled)
        except CancelledError as error:
            failures.append(error)

    with mute, running_thread(update):
        assert is_waiting.wait(40)
        for change in (
            lambda: running.processor.cameras.remove(0),
            lambda: running.processor.set_max_fps(2),
            lambda: running.processor.update_camera(0, CameraConfig(uri=simulator.uri(1))),
        ):
            with pytest.raises(TransientError, match="camera 0 is being changed at this moment"):
                change()
        may_go.set()
    assert "the change was given up" in str(failures[0])
    running.wait_for(0)
    assert running.processor.set_max_fps(2) == (0,)


class running_thread:  # noqa: N801 - used like a function
    """A thread that ends with the block."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=work, name="caller")

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._thread.join(40)
        assert not self._thread.is_alive()


def test_zones_change_between_two_frames(simulator: Simulator, start: Start) -> None:
    running = start(simulator.uri(0))
    wait_until(lambda: any(track.kind == "start" for track in running.tracks), "a track")
    whole = {"name": "yard", "polygon": ((0, 0), (1, 0), (1, 1), (0, 1))}
    camera = CameraConfig.model_validate({"uri": simulator.uri(0), "zones": [whole]})
    running.processor.update_camera(0, camera)
    wait_until(lambda: any(found.zones == ("yard",) for found in running.events[-1].detections), "it is in the yard")
    wait_until(lambda: running.tracks[-1].zones == ("yard",), "the track says so")
    assert running.tracks[-1].track_id == running.tracks[0].track_id, "the same track"
    assert running.processor.report().counts[0].zones["yard"].entered == {"spot": 1}
    running.processor.update_camera(0, CameraConfig(uri=simulator.uri(0)))
    wait_until(lambda: all(not found.zones for found in running.events[-1].detections), "the yard is no more")
    assert 0 not in running.processor.report().counts
    assert running.processor.cameras.get(0).detect.stats.sessions == 1


def test_all_is_signed_with_the_new_name(simulator: Simulator, start: Start) -> None:
    running = start(simulator.uri(0))
    wait_until(lambda: any(track.kind == "start" for track in running.tracks), "a track")
    running.processor.rename("gate-house")
    wait_until(lambda: running.events[-1].instance_id == "gate-house", "events")
    wait_until(lambda: running.tracks[-1].instance_id == "gate-house", "tracks")
    assert running.processor.config.instance_id == "gate-house"
    with pytest.raises(ConfigurationError, match="instance"):
        running.processor.rename("a/b")


def test_frames_per_second_change_for_one_for_all_and_for_those_to_come(simulator: Simulator, start: Start) -> None:
    running = start(simulator.uri(0), simulator.uri(1))
    processor = running.processor
    running.wait_for(0)
    assert processor.set_max_fps(2, [1]) == (1,)

    def thinned(source_id: int) -> int:
        return processor.cameras.get(source_id).detect.stats.decoding.thinned

    wait_until(lambda: thinned(1) > FPS, "frames are left out")
    assert processor.set_max_fps(3) == (0, 1)
    assert [camera.config.max_fps for camera in processor.cameras] == [None, None]
    added = processor.cameras.add(CameraConfig(uri=simulator.uri(2)))
    for source_id in (0, added):
        wait_until(lambda n=source_id: thinned(n) > FPS, "they are as well")  # type: ignore[misc]
    assert processor.config.max_fps == 3
    assert [camera.detect.stats.sessions for camera in processor.cameras] == [1, 1, 1]


def test_new_settings_take_effect_and_those_that_cannot_are_named(
    simulator: Simulator, start: Start, tmp_path: Path
) -> None:
    running = start(simulator.uri(0), simulator.uri(1))
    processor = running.processor
    running.wait_for(0)
    birds = network(tmp_path / "b.onnx", "bird")
    before = processor.config
    new = before.model_copy(
        update={"model_id": birds, "instance_id": "barn", "classes": ("bird",), "read_timeout_s": 9.0, "max_batch": 4}
    )
    assert processor.apply(new) == ("read_timeout_s",)
    wait_until(lambda: running.events[-1].instance_id == "barn", "the name")
    wait_until(lambda: [found.class_name for found in running.events[-1].detections] == ["bird"], "the model")
    assert processor.config.model_id == birds
    processor.set_max_fps(2)
    assert processor.apply(new.model_copy(update={"classes": ()})) == ()
    assert processor.config.max_fps == 2, "what was said by a command stays"
    for changes, message in (
        ({"model_id": "yolox-nanoo"}, "yolox-nanoo"),
        ({"hwaccel": "abacus"}, "hwaccel 'abacus'"),
        ({"classes": ("spot",)}, "none of .* has spot"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            processor.apply(new.model_copy(update=changes | {"max_wait_ms": 100.0}))
    assert processor.config.max_wait_ms == before.max_wait_ms
    running.wait_for(0)
    assert [camera.detect.stats.sessions for camera in processor.cameras] == [1, 1]
    assert {running.decoded(0)[1], running.decoded(1)[1]} == {0}


def test_a_processor_may_begin_and_be_without_cameras(simulator: Simulator, start: Start) -> None:
    running = start(allow_empty=True)
    assert not running.processor.join(0.5)
    added = running.processor.cameras.add(CameraConfig(uri=simulator.uri(0)))
    running.wait_for(added)
    running.processor.cameras.remove(added)
    assert not running.processor.join(0.5)
    assert running.processor.pause() == ()
    assert len(running.processor.report().models) == 1
    assert running.processor.cameras.add(CameraConfig(uri=simulator.uri(1))) == added
    running.wait_for(added)


def test_recording_goes_on_in_a_pause_and_follows_a_changed_camera(
    simulator: Simulator, start: Start, tmp_path: Path
) -> None:
    told: list[SegmentEvent] = []
    service = RecordingService(
        RecordingConfig(root=tmp_path, mode="continuous", segment_s=1, min_free_gb=0, min_free_percent=0),
        instance_id="processor",
        on_segment=told.append,
    )
    running = start(simulator.uri(0), simulator.uri(1), recorder=service)
    running.wait_for(1)
    running.processor.pause([1])
    written = service.counters().cameras[1].written.written_packets
    wait_until(lambda: service.counters().cameras[1].written.written_packets > written + 2 * FPS, "it is recorded on")
    snapshot = service.snapshot(1)
    assert (snapshot.width, snapshot.height) == (320, 180)
    running.processor.update_camera(1, CameraConfig(uri=simulator.uri(1), record="off"))
    wait_until(lambda: service.states()[1].activity.value == "off", "recording ends")
    running.processor.update_camera(1, CameraConfig(uri=simulator.uri(2)))
    wait_until(lambda: service.counters().cameras[1].written.written_packets > FPS, "the new address is recorded")
    assert not running.processor.cameras.get(1).is_detecting, "and pauses as the old one did"
    running.processor.rename("barn")
    wait_until(lambda: told[-1].instance_id == "barn", "the name")
