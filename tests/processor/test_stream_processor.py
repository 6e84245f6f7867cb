"""The processor on real RTSP: from our simulator, from GStreamer's server, over a real broker."""

import gc
import json
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from nvr.bus.local_broker import LocalBroker
from nvr.core.errors import ConfigurationError, ModelError
from nvr.demo.simulator import Simulator, SimulatorConfig
from nvr.detection.detections import Detector
from nvr.events.schema import DetectionEvent
from nvr.media.frame import Frame
from nvr.media.stream import StreamState
from nvr.processor import StreamProcessor, StreamProcessorConfig
from tests.conftest import RtspServer, require_program
from tests.processor.fakes import BrightSpotDetector, HangingDetector
from tests.waiting import DEADLINE_S, wait_until

pytestmark = pytest.mark.camera


class Start(Protocol):
    """Starts a processor that ends with the test."""

    def __call__(
        self, config: StreamProcessorConfig, events: "Events | None" = None, detector: Detector | None = None
    ) -> StreamProcessor: ...


class Events:
    """Counts the events of each source, as a callback sink."""

    def __init__(self) -> None:
        self.events: list[DetectionEvent] = []
        self._counts: Counter[int] = Counter()

    def __call__(self, event: DetectionEvent, _frame: Frame) -> None:
        self.events.append(event)
        self._counts[event.source_id] += 1

    def count(self, source_id: int) -> int:
        return self._counts[source_id]

    def wait_for(self, source_id: int, more: int = 1) -> None:
        enough = self.count(source_id) + more
        wait_until(lambda: self.count(source_id) >= enough, f"{more} more events of camera {source_id}")


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    config = SimulatorConfig(n_cameras=4, width_px=320, height_px=180, fps=12, scene_s=5, port=0)
    with Simulator(config) as running:
        yield running


def config_for(*uris: str, **changes: Any) -> StreamProcessorConfig:  # noqa: ANN401 - settings
    settings: dict[str, Any] = {
        "stream_uris": uris,
        "model_id": "motion",
        "mqtt_enabled": False,
        "open_timeout_s": 3,
        "read_timeout_s": 2,
        "reconnect_max_s": 1,
    }
    return StreamProcessorConfig(**(settings | changes))


@pytest.fixture
def running() -> Iterator[Start]:
    processors: list[StreamProcessor] = []

    def start(
        config: StreamProcessorConfig, events: Events | None = None, detector: Detector | None = None
    ) -> StreamProcessor:
        processor = StreamProcessor(config, on_event=events, detector=detector)
        processors.append(processor)
        processor.start()
        return processor

    yield start
    for processor in processors:
        processor.terminate()


def test_every_camera_is_analysed_and_each_figure_is_real(simulator: Simulator, running: Start) -> None:
    events = Events()
    processor = running(config_for(*(simulator.uri(i) for i in range(4)), max_fps=4), events)
    for source_id in range(4):
        events.wait_for(source_id, 12)
    last = {event.source_id: event for event in events.events}
    for source_id, event in last.items():
        assert (event.frame_width, event.frame_height) == (320, 180)
        assert 0 < event.inference_time_ms < 10_000
        assert event.fps is not None
        assert 1 < event.fps < 5
        assert event.latency_ms is not None
        assert 0 < event.latency_ms < 20_000
        assert event.timestamp_source == "rtcp", source_id
        assert event.instance_id == "processor"
    report = processor.report()
    assert [camera.state for camera in report.cameras] == [StreamState.RUNNING] * 4
    assert report.analysed_frames >= 48


def test_a_dead_a_mute_and_a_frozen_camera_harm_no_other(simulator: Simulator, running: Start) -> None:
    events = Events()
    with socket.socket() as mute:  # accepts and never answers
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        mute_uri = f"rtsp://127.0.0.1:{mute.getsockname()[1]}/live/0.stream"
        processor = running(config_for("rtsp://127.0.0.1:1/dead", mute_uri, simulator.uri(0), simulator.uri(1)), events)
        events.wait_for(2, 5)
        events.wait_for(3, 5)
        simulator.freeze(1)
        try:
            wait_until(lambda: processor.report().cameras[3].state is not StreamState.RUNNING, "camera 3 is frozen")
            events.wait_for(2, 10)
            assert processor.report().cameras[2].state is StreamState.RUNNING
            dead, silent = processor.report().cameras[:2]
            assert "refuses the connection" in str(dead.stream.last_error)
            assert silent.state in (StreamState.CONNECTING, StreamState.OFFLINE)
        finally:
            simulator.thaw(1)
        events.wait_for(3, 5)


def test_all_cameras_come_back_after_the_server_was_away(simulator: Simulator, running: Start) -> None:
    events = Events()
    processor = running(config_for(simulator.uri(0), simulator.uri(1)), events)
    events.wait_for(0, 3)
    events.wait_for(1, 3)
    simulator.pause_server()
    try:
        wait_until(
            lambda: all(camera.state is StreamState.OFFLINE for camera in processor.report().cameras), "both offline"
        )
    finally:
        simulator.resume_server()
    events.wait_for(0, 3)
    events.wait_for(1, 3)
    frame_ids = [event.frame_id for event in events.events if event.source_id == 0]
    assert frame_ids == sorted(set(frame_ids))
    assert all(camera.stream.sessions == 2 for camera in processor.report().cameras)


def test_the_watchdog_reconnects_a_camera_that_sends_nothing(simulator: Simulator, running: Start) -> None:
    events = Events()
    processor = running(config_for(simulator.uri(2), read_timeout_s=60, watchdog_timeout_s=1), events)
    events.wait_for(0, 3)
    simulator.freeze(2)
    try:
        wait_until(lambda: processor.report().watchdog_reconnects > 0, "the watchdog acts")
    finally:
        simulator.thaw(2)
    events.wait_for(0, 3)


def test_without_a_watchdog_nobody_watches(simulator: Simulator, running: Start) -> None:
    running(config_for(simulator.uri(0), enable_watchdog=False))
    assert "watchdog" not in {thread.name for thread in threading.enumerate()}


def test_terminate_returns_within_2_s_whatever_camera_and_detector_do(simulator: Simulator) -> None:
    detector = HangingDetector()
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen(100)
        silent = [f"rtsp://127.0.0.1:{mute.getsockname()[1]}/{i}" for i in range(40)]
        uris = (*silent, "rtsp://127.0.0.1:1/dead", simulator.uri(0))
        config = config_for(*uris, open_timeout_s=60, read_timeout_s=60, mqtt_enabled=True, mqtt_port=1)
        processor = StreamProcessor(config, detector=detector)
        processor.start()
        assert detector.is_called.wait(DEADLINE_S)
        started_s = time.monotonic()
        processor.terminate()
        # the promise itself, not a measurement: everything that could be waited for hangs
        assert time.monotonic() - started_s < 2.0
        assert processor.join(0)
        detector.release.set()


def test_terminated_while_it_loads_it_never_starts(simulator: Simulator) -> None:
    threads = {thread.name for thread in threading.enumerate()}
    processor = StreamProcessor(config_for(simulator.uri(0)), detector=BrightSpotDetector())
    processor.terminate()
    with pytest.raises(RuntimeError, match="started once"):
        processor.start()
    assert {thread.name for thread in threading.enumerate()} <= threads


def test_a_callback_may_end_its_processor(simulator: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    ended = threading.Event()

    def end(_event: DetectionEvent, _frame: Frame) -> None:
        processor.terminate()
        ended.set()

    processor = StreamProcessor(config_for(simulator.uri(0)), on_event=end)
    processor.start()
    assert ended.wait(DEADLINE_S)
    assert processor.join(DEADLINE_S)
    assert "failed" not in caplog.text


def test_a_start_that_fails_leaves_nothing_open(tmp_path: Path) -> None:
    config = config_for("rtsp://127.0.0.1:1/a", jsonl_path=tmp_path / "events.jsonl", mqtt_enabled=True)
    detector = BrightSpotDetector()
    config = config.model_copy(update={"mqtt_tls": True, "mqtt_ca_file": tmp_path / "none.pem"})
    with pytest.raises(ConfigurationError, match=r"none\.pem"):
        StreamProcessor(config, detector=detector).start()
    gc.collect()  # an open file would be a ResourceWarning, and those are errors here
    assert (tmp_path / "events.jsonl").read_bytes() == b""


def test_two_processors_in_one_process_outside_the_main_thread(simulator: Simulator) -> None:
    first, second = Events(), Events()
    failures = list[BaseException]()

    def run(events: Events, uri: str) -> None:
        try:
            processor = StreamProcessor(config_for(uri, instance_id=f"p{id(events)}"), on_event=events)
            processor.start()
            events.wait_for(0, 3)
            processor.terminate()
        except BaseException as error:
            failures.append(error)
            raise

    threads = [
        threading.Thread(target=run, args=(first, simulator.uri(0)), name="one"),
        threading.Thread(target=run, args=(second, simulator.uri(1)), name="two"),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S * 2)
    assert failures == []


def test_leaves_no_thread_behind(simulator: Simulator) -> None:
    before = {thread.name for thread in threading.enumerate()}
    events = Events()
    processor = StreamProcessor(config_for(simulator.uri(0)), on_event=events)
    processor.start()
    events.wait_for(0)
    processor.terminate()
    processor.terminate()  # twice is fine
    wait_until(lambda: {thread.name for thread in threading.enumerate()} <= before, "all threads have ended")
    with pytest.raises(RuntimeError, match="started once"):
        processor.start()


def test_confidence_and_classes_filter_what_is_published(simulator: Simulator, running: Start) -> None:
    events, none = Events(), Events()
    running(config_for(simulator.uri(0)), events, BrightSpotDetector())
    running(config_for(simulator.uri(0), classes=("person",)), none, BrightSpotDetector())
    wait_until(lambda: any(event.detections for event in events.events), "a bright spot: the burnt-in code")
    none.wait_for(0, 3)
    assert not any(event.detections for event in none.events)
    # of motion, confidence is the share of the box that moves: never all of it
    low, high = Events(), Events()
    running(config_for(simulator.uri(0), confidence_threshold=0.1), low)
    running(config_for(simulator.uri(0), confidence_threshold=1.0), high)
    wait_until(lambda: any(event.detections for event in low.events), "something that moves")
    high.wait_for(0, 3)
    assert all(found.confidence == 1 for event in high.events for found in event.detections)


def test_credentials_are_used_and_never_shown(caplog: pytest.LogCaptureFixture, running: Start) -> None:
    config = SimulatorConfig(
        n_cameras=1, width_px=160, height_px=96, fps=10, scene_s=3, port=0, credentials=("admin", "s3cr3t")
    )
    with Simulator(config) as guarded:
        right, wrong = (guarded.uri(0).replace("rtsp://", f"rtsp://admin:{word}@") for word in ("s3cr3t", "hunter2"))
        events = Events()
        processor = running(config_for(right, wrong), events)
        events.wait_for(0, 2)
        wait_until(lambda: processor.report().cameras[1].stream.last_error is not None, "the refusal")
        report = processor.report()
    assert "refused the user name and password" in str(report.cameras[1].stream.last_error)
    shown = caplog.text + repr(report)
    assert "s3cr3t" not in shown
    assert "hunter2" not in shown


def test_a_file_is_played_to_its_end_and_every_event_written(tmp_path: Path) -> None:
    ffmpeg = require_program("ffmpeg")
    video, events = tmp_path / "clip.mp4", tmp_path / "events.jsonl"
    source = ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=10:duration=2"]
    subprocess.run([ffmpeg, "-loglevel", "error", *source, "-c:v", "mpeg4", video], check=True)
    processor = StreamProcessor(config_for(str(video), jsonl_path=events, max_fps=None))
    processor.start()
    assert processor.join(DEADLINE_S)
    lines = [DetectionEvent.from_json(line) for line in events.read_bytes().splitlines()]
    assert lines[-1].frame_id == 19
    assert processor.report().lost_events == 0
    assert {line.timestamp_source for line in lines} == {"file"}
    assert processor.report().cameras[0].state is StreamState.ENDED


def test_a_missing_file_and_a_missing_model_are_told_apart(tmp_path: Path, running: Start) -> None:
    processor = running(config_for(str(tmp_path / "none.mp4")))
    wait_until(lambda: processor.report().cameras[0].stream.last_error is not None, "the error")
    assert "does not exist" in str(processor.report().cameras[0].stream.last_error)
    with pytest.raises(ModelError, match="yolox-nanoo"):
        StreamProcessor(config_for("rtsp://127.0.0.1:1/a", model_id="yolox-nanoo")).start()
    with pytest.raises(ConfigurationError, match="no camera"):
        StreamProcessor(config_for())


@pytest.mark.broker
def test_mosquitto_sub_sees_valid_events(simulator: Simulator, mosquitto: LocalBroker, running: Start) -> None:
    config = config_for(
        simulator.uri(0), simulator.uri(1), mqtt_enabled=True, mqtt_host=mosquitto.host, mqtt_port=mosquitto.port
    )
    running(config.model_copy(update={"mqtt_qos": 1, "tenant": "acme", "first_source_id": 7}))
    program = require_program("mosquitto_sub")
    command = [program, "-p", str(mosquitto.port), "-t", "nvr/acme/detections/+", "-F", "%j", "-C", "8", "-q", "1"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True, timeout=DEADLINE_S).stdout.splitlines()
    seen = set()
    for line in lines:
        message = json.loads(line)
        event = DetectionEvent.from_json(message["payload"])
        assert message["topic"] == f"nvr/acme/detections/{event.source_id}"
        assert message["qos"] == 1
        seen.add(event.source_id)
    assert seen == {7, 8}


@pytest.mark.broker
def test_events_flow_again_after_the_broker_was_away(
    simulator: Simulator, mosquitto: LocalBroker, running: Start
) -> None:
    processor = running(
        config_for(simulator.uri(0), mqtt_enabled=True, mqtt_host=mosquitto.host, mqtt_port=mosquitto.port)
    )
    command = [require_program("mosquitto_sub"), "-p", str(mosquitto.port), "-t", "nvr/#", "-C", "2"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=DEADLINE_S)
    mosquitto.stop()
    wait_until(lambda: not processor.report().is_broker_connected, "the loss is noticed")
    wait_until(lambda: processor.report().lost_events > 0, "lost events are counted")
    mosquitto.restart()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=DEADLINE_S)


@pytest.mark.gstreamer
def test_plays_from_a_server_that_nobody_here_wrote(gst_server: RtspServer, running: Start) -> None:
    events = Events()
    running(config_for(gst_server.stream(0), gst_server.stream(1)), events)
    for source_id in (0, 1):
        events.wait_for(source_id, 10)
    assert any(found.class_name == "motion" for event in events.events for found in event.detections), "the ball moves"
    assert {(event.frame_width, event.frame_height) for event in events.events} == {(640, 360)}
