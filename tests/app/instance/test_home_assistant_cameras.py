"""Cameras of a processor that ends while they are asked for or switched."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from nvr.app.instance.home_assistant_cameras import HomeAssistantCameras
from nvr.app.instance.running_processor import Running
from nvr.config.camera import CameraConfig
from nvr.control.home_assistant.ports import BeginsAnewError
from nvr.control.metrics import ProcessorMeter
from nvr.control.processor_commands import camera_configs
from nvr.control.status import InstanceFacts, bare_status, instance_status
from nvr.core.errors import ConfigurationError, UnsupportedError
from nvr.detection.motion import MotionDetector
from nvr.events.instance_status import InstanceStatus
from nvr.processor import StreamProcessor, StreamProcessorConfig


class Program:
    """What runs, as `ProcessorProgram` tells of it; it may end at a certain question."""

    def __init__(self, running: Running) -> None:
        self.now: Running | None = running
        self.ends_after: int | None = None
        self.cameras = HomeAssistantCameras(self.running, self.status)

    def running(self) -> Running | None:
        if self.ends_after is not None:
            if self.ends_after == 0:
                self.now = None
            self.ends_after -= 1
        return self.now

    def status(self) -> InstanceStatus:
        now, running = datetime.now(UTC), self.running()
        facts = InstanceFacts("gate-house", now, 1.0, "0.1.0", "host", 1)
        if running is None:
            return bare_status(facts, "starting", now, "it begins anew")
        cameras = camera_configs(running.processor)
        return instance_status(facts, running.processor.report(), now, cameras=cameras, model_id="motion")


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    config = StreamProcessorConfig(
        mqtt_enabled=False, cameras=(CameraConfig(uri="rtsp://127.0.0.1:9/never", source_id=3),)
    )
    processor = StreamProcessor(config, detector=MotionDetector())
    processor.start()
    yield Running(processor, None, ProcessorMeter(lambda: "gate-house", processor.report))
    processor.terminate()


def test_cameras_of_a_processor_that_ends_meanwhile_are_unknown_not_gone(running: Running) -> None:
    program = Program(running)
    assert [status.source_id for status in program.cameras.statuses() or ()] == [3]
    for n_questions in range(3):
        program.now, program.ends_after = running, n_questions
        assert program.cameras.statuses() is None


@pytest.mark.parametrize("ends_after", [0, 1])
@pytest.mark.parametrize(
    "act",
    [
        lambda cameras: cameras.pause([3]),
        lambda cameras: cameras.resume([3]),
        lambda cameras: cameras.set_record_mode(3, "off"),
    ],
)
def test_what_is_switched_as_a_processor_ends_is_to_be_switched_again(
    running: Running, act: Callable[[HomeAssistantCameras], object], ends_after: int
) -> None:
    program = Program(running)
    program.ends_after = ends_after
    with pytest.raises(BeginsAnewError):
        act(program.cameras)


def test_what_cannot_be_switched_says_why(running: Running) -> None:
    program = Program(running)
    with pytest.raises(ConfigurationError):
        program.cameras.pause([9])
    with pytest.raises(UnsupportedError, match="nothing records it"):
        program.cameras.set_record_mode(3, "off")
