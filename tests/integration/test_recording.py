"""From camera to files: a real processor records real RTSP, announces it on a real broker, and is killed."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nvr.app.instance.recording_processor import make_processor
from nvr.bus.connection import MqttConnection
from nvr.bus.local_broker import LocalBroker
from nvr.config.broker import BrokerConfig
from nvr.config.processor import StreamProcessorConfig
from nvr.config.recording import RecordingConfig
from nvr.core.errors import ConfigurationError
from nvr.demo.simulator import Simulator, SimulatorConfig
from nvr.events.protocol import TopicKind, Topics
from nvr.events.recording_event import SegmentEvent
from nvr.media.mp4_repair import check
from tests.processor.fakes import BrightSpotDetector
from tests.waiting import wait_until

pytestmark = pytest.mark.camera


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator(SimulatorConfig(n_cameras=2, width_px=320, height_px=180, fps=12, scene_s=5)) as running:
        yield running


def settings(*uris: str, **changes: object) -> StreamProcessorConfig:
    return StreamProcessorConfig.model_validate(
        {"stream_uris": uris, "model_id": "motion", "mqtt_enabled": False, "reconnect_max_s": 1} | changes
    )


@pytest.mark.broker
def test_what_is_recorded_is_announced_and_plays(simulator: Simulator, mosquitto: LocalBroker, tmp_path: Path) -> None:
    announced: list[SegmentEvent] = []
    lock = threading.Lock()

    def note(topic: str, payload: bytes) -> None:
        event = SegmentEvent.from_json(payload)
        assert topic == f"nvr/garden/recordings/{event.source_id}"
        with lock:
            announced.append(event)

    listener = MqttConnection(BrokerConfig(host=mosquitto.host, port=mosquitto.port))
    listener.subscribe(Topics("garden").filter(TopicKind.RECORDINGS), note)
    listener.start()
    assert listener.wait_connected(30)
    config = settings(
        simulator.uri(0), simulator.uri(1), tenant="garden", mqtt_enabled=True, mqtt_host=mosquitto.host,
        mqtt_port=mosquitto.port,
    )  # fmt: skip
    recording = RecordingConfig(root=tmp_path, mode="continuous+events", segment_s=2, post_roll_s=1)
    processor, _ = make_processor(config, recording)
    try:
        processor.start()
        wait_until(
            lambda: len({event.source_id for event in announced if event.type == "segment"}) == 2, "both cameras"
        )
        wait_until(lambda: any(event.kind == "event" for event in announced), "a segment with something in it")
        wait_until(lambda: any(event.type == "snapshot" for event in announced), "a picture of it")
    finally:
        processor.terminate()
        listener.stop()
    for event in announced:
        path = tmp_path / event.path
        if event.replaces is not None:
            assert not (tmp_path / event.replaces).exists()
        if event.type == "snapshot":
            assert path.read_bytes().startswith(b"\xff\xd8")
        elif path.exists():  # its kind may have risen since, which changes its name
            found = check(path, deep=True)
            assert found.is_playable, found.problem
            assert (found.width_px, found.height_px) == (320, 180)
            assert abs(found.duration_ms - event.duration_ms) <= 100
    assert list(tmp_path.rglob("*.recording")) == []
    assert sum(1 for _ in tmp_path.rglob("*.mp4")) >= 2


def test_a_killed_processor_loses_less_than_a_second_and_the_next_one_mends_it(
    simulator: Simulator, tmp_path: Path
) -> None:
    command = [
        *(sys.executable, "-m", "nvr", "processor", simulator.uri(0), "--no-mqtt", "--model", "motion"),
        *("--recordings", str(tmp_path), "--record", "continuous"),
    ]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: _size_of(tmp_path, "*.recording") > 60_000, "some seconds are on the disk")
        os.kill(process.pid, signal.SIGKILL)
    (unfinished,) = tmp_path.rglob("*.recording")
    processor, service = make_processor(settings(simulator.uri(0)), RecordingConfig(root=tmp_path, mode="continuous"))
    assert service is not None
    processor.start()
    try:
        wait_until(lambda: not unfinished.exists(), "what the killed one left is repaired")
        wait_until(lambda: service.is_settled, "the index knows it")
    finally:
        processor.terminate()
    assert list(tmp_path.rglob("*.broken")) == []
    segments = sorted(tmp_path.rglob("*.mp4"))
    assert segments
    assert all(check(path, deep=True).is_playable for path in segments)
    listing = subprocess.run(
        [sys.executable, "-m", "nvr", "recordings", "verify", "--root", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert listing.returncode == 0, listing.stdout + listing.stderr


def test_a_vanished_disk_stops_no_detection_and_is_told(simulator: Simulator, tmp_path: Path) -> None:
    root = tmp_path / "disk"
    root.mkdir()
    changes: list[str] = []
    events: list[int] = []
    processor, _ = make_processor(
        settings(simulator.uri(0), decode="all"),
        RecordingConfig(root=root, mode="continuous", segment_s=1),
        detector=BrightSpotDetector(),
        on_event=lambda event, _: events.append(event.frame_id),
        on_health=lambda change: changes.append(f"{change.new} {change.reason}"),
    )
    processor.start()
    try:
        wait_until(lambda: any(root.rglob("*.mp4")), "it records")
        root.rename(tmp_path / "pulled out")
        wait_until(
            lambda: any("degraded its recording pauses, disk gone" in change for change in changes), "it is told"
        )
        n_events = len(events)
        wait_until(lambda: len(events) > n_events + 10, "detection goes on")
        (tmp_path / "pulled out").rename(root)
        n_files = sum(1 for _ in root.rglob("*.mp4"))
        wait_until(lambda: sum(1 for _ in root.rglob("*.mp4")) > n_files + 1, "recording resumes by itself")
    finally:
        processor.terminate()


def test_recording_without_a_place_for_it_is_refused(simulator: Simulator) -> None:
    with pytest.raises(ConfigurationError, match=r"are to be recorded \(continuous\), and nothing says where"):
        make_processor(settings(simulator.uri(0)), RecordingConfig(mode="continuous"))
    processor, service = make_processor(settings(simulator.uri(0)), RecordingConfig())
    assert service is None
    processor.terminate()


def _size_of(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.rglob(pattern))
