"""A processor with cameras and a recorder, a real broker, and somebody who does what Home Assistant does."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import cv2
import numpy as np
import pytest

from nvr.app.instance.home_assistant_cameras import HomeAssistantCameras
from nvr.bus.local_broker import LocalBroker
from nvr.config.broker import BrokerConfig
from nvr.config.camera import CameraConfig
from nvr.config.operations import HomeAssistantConfig
from nvr.config.recording import RecordingConfig
from nvr.control.connection import InstanceConnection
from nvr.control.home_assistant import announcer
from nvr.control.home_assistant.bridge import HomeAssistantBridge
from nvr.control.processor_commands import camera_configs
from nvr.control.status import InstanceFacts, instance_status
from nvr.control.status_publisher import StatusPublisher
from nvr.demo.simulator import Simulator, SimulatorConfig
from nvr.detection.motion import MotionDetector
from nvr.events.instance_status import InstanceStatus
from nvr.events.protocol import Topics
from nvr.events.track_event import TrackEvent
from nvr.processor import StreamProcessor, StreamProcessorConfig
from nvr.recording.service import RecordingService
from tests.integration.home import Home
from tests.waiting import wait_until

pytestmark = [pytest.mark.camera, pytest.mark.broker]

CONFIG = HomeAssistantConfig(
    enabled=True, switches=True, off_delay_s=0.5, snapshots=True, snapshot_interval_s=1, snapshot_width=160
)


class PeopleDetector(MotionDetector):
    """Takes whatever moves for a person: in these scenes it is one, or a car."""

    @property
    def class_names(self) -> tuple[str, ...]:
        return ("person",)


@dataclass(frozen=True)
class Running:
    processor: StreamProcessor
    recorder: RecordingService | None


class Instance:
    """What `nvr processor` is made of, as far as Home Assistant sees it."""

    def __init__(self, broker: LocalBroker, root: Path, *uris: str) -> None:
        stream = StreamProcessorConfig(
            stream_uris=uris, instance_id="gate-house", mqtt_host=broker.host, mqtt_port=broker.port
        )
        recording = RecordingConfig(root=root, mode="continuous", min_free_gb=0, min_free_percent=0)
        self.recorder = RecordingService(recording, instance_id="gate-house", on_segment=lambda _: None)
        self.processor = StreamProcessor(
            stream,
            on_event=lambda event, _: self.bridge.on_event(event),
            on_track=self.on_track,
            detector=PeopleDetector(),
            recorder=self.recorder,
        )
        self.connection = InstanceConnection(BrokerConfig(host=broker.host, port=broker.port), Topics(), "gate-house")
        self.publisher = StatusPublisher(self.connection, self.status, heartbeat_s=1)
        cameras = HomeAssistantCameras(lambda: Running(self.processor, self.recorder), self.status)
        self.bridge = HomeAssistantBridge(CONFIG, self.connection, cameras)

    def on_track(self, event: TrackEvent) -> None:
        self.bridge.on_event(event)

    def status(self) -> InstanceStatus:
        facts = InstanceFacts("gate-house", datetime.now(UTC), 1.0, "0.1.0", "host", 1)
        return instance_status(
            facts,
            self.processor.report(),
            datetime.now(UTC),
            cameras=camera_configs(self.processor),
            model_id="motion",
            recording=self.recorder.states(),
            record_mode="continuous",
        )

    def __enter__(self) -> Self:
        self.processor.start()
        self.publisher.start()
        self.bridge.start()
        self.connection.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self.bridge.stop(30.0)
        self.publisher.stop()
        self.processor.terminate()
        self.connection.stop()


SITE = SimulatorConfig(
    n_cameras=3,
    width_px=320,
    height_px=180,
    fps=12,
    scene_s=30,
    port=0,
    has_overlay=False,  # the clock that is burnt in moves, and never goes away
    activities=("busy", "sparse", "quiet"),
)


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator(SITE) as running:
        yield running


@pytest.fixture
def home(mosquitto: LocalBroker) -> Iterator[Home]:
    home = Home(mosquitto)
    yield home
    home.connection.stop()


def test_whoever_comes_and_goes_is_seen(mosquitto: LocalBroker, home: Home, tmp_path: Path) -> None:
    # a site of its own, as its scene begins empty: who stands there when motion is first looked for leaves a ghost
    with Simulator(SITE) as fresh, Instance(mosquitto, tmp_path, fresh.uri(0), fresh.uri(1)):
        for source_id in (0, 1):
            home.wait_for(source_id, "connectivity", "ON")
        home.wait_for(1, "class_person", "ON")
        home.wait_for(1, "class_person", "OFF")
        home.wait_for(1, "count_person", "0")
        home.wait_for(1, "class_car", "OFF")
        home.wait_for(0, "motion", "ON")
        wait_until(lambda: float(str(home.state(0, "fps")).replace("None", "0")) > 0, "frames are analysed")
    home.wait_for(0, "class_person", "unavailable")
    home.wait_for(0, "detect", "unavailable")
    assert home.device(0) is not None, "the devices of an instance that has stopped stay"


def test_switches_do_what_they_say_and_follow_commands(
    mosquitto: LocalBroker, home: Home, simulator: Simulator, tmp_path: Path
) -> None:
    with Instance(mosquitto, tmp_path, simulator.uri(0), simulator.uri(2)) as instance:
        for source_id in (0, 1):
            home.wait_for(source_id, "detect", "ON")
            home.wait_for(source_id, "class_person", "ON", "OFF")
        home.switch(0, "detect", b"OFF")
        home.wait_for(0, "detect", "OFF")
        home.wait_for(0, "class_person", "None")
        before, others = home.count("nvr/detections/0"), home.count("nvr/detections/1")
        wait_until(lambda: home.count("nvr/detections/1") >= others + 5, "the other camera goes on")
        assert home.count("nvr/detections/0") == before
        assert home.state(0, "record") == "ON"
        home.switch(0, "detect", b"ON")
        home.wait_for(0, "detect", "ON")
        home.wait_for(0, "class_person", "ON", "OFF")

        home.switch(1, "record", b"OFF")
        home.wait_for(1, "record", "OFF")
        assert instance.recorder.modes() == {0: "continuous", 1: "off"}
        home.switch(1, "record", b"ON")
        home.wait_for(1, "record", "ON")
        assert instance.recorder.modes() == {0: "continuous", 1: "continuous"}

        instance.processor.pause([1])
        home.wait_for(1, "detect", "OFF")


def test_all_is_there_again_when_the_broker_has_forgotten_it(
    mosquitto: LocalBroker, home: Home, simulator: Simulator, tmp_path: Path
) -> None:
    with Instance(mosquitto, tmp_path, simulator.uri(0)):
        home.wait_for(0, "class_person", "ON")
        mosquitto.stop()
        home.forget()
        mosquitto.restart()
        home.wait_for(0, "class_person", "ON")
        home.switch(0, "detect", b"OFF")
        home.wait_for(0, "detect", "OFF")


def test_cameras_come_and_go(
    mosquitto: LocalBroker, home: Home, simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcer, "GRACE_S", 1.0)
    with Instance(mosquitto, tmp_path, simulator.uri(0)) as instance:
        home.wait_for(0, "connectivity", "ON")
        source_id = instance.processor.cameras.add(CameraConfig(uri=simulator.uri(2), name="Yard", source_id=7))
        home.wait_for(source_id, "connectivity", "ON")
        device = home.device(7)
        assert device is not None
        assert device["device"]["name"] == "Yard"
        instance.processor.cameras.remove(7)
        wait_until(lambda: home.device(7) is None, "its device is gone")
        late = Home(mosquitto)
        try:
            late.wait_for(0, "connectivity", "ON")
            assert not any("_7" in topic or "/7/" in topic for topic in late.last), "nothing of it is retained"
        finally:
            late.connection.stop()


def test_pictures_are_small_and_of_cameras_that_are_looked_at(
    mosquitto: LocalBroker, home: Home, simulator: Simulator, tmp_path: Path
) -> None:
    topic = "nvr/homeassistant/0/snapshot"
    with Instance(mosquitto, tmp_path, simulator.uri(0)):
        wait_until(lambda: home.count(topic) >= 2, "two pictures")
        device = home.device(0)
        assert device is not None
        assert device["components"]["snapshot"]["topic"] == topic
        picture = cv2.imdecode(np.frombuffer(home.last[topic], np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        assert picture.shape == (90, 160, 3)
        home.switch(0, "detect", b"OFF")
        home.wait_for(0, "detect", "OFF")
        before = home.count(topic)
        home.switch(0, "detect", b"ON")
        wait_until(lambda: home.count(topic) > before, "it is shown again")
