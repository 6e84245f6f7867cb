"""Cameras that commands added, over all changes of the processor and of the file."""

import pytest

from nvr.app.instance.added_cameras import add_again
from nvr.config.camera import CameraConfig
from nvr.core.errors import ConfigurationError
from tests.app.instance.running_program import Site

pytestmark = [pytest.mark.broker, pytest.mark.camera]


def test_what_a_command_added_stays_when_the_processor_begins_anew(site: Site) -> None:
    site.write(0)
    program = site.start()
    site.heard.wait_for_events(0)
    before = program._running
    assert before is not None
    assert before.processor.cameras.add(CameraConfig(uri=site.simulator.uri(1), name="door")) == 1
    assert before.processor.cameras.add(CameraConfig(uri=site.simulator.uri(2))) == 2
    before.processor.pause([2])
    program.restart()
    site.heard.wait_for_events(1)
    site.write(0, streams={"max_fps": None, "decode": "all"}, models={"model_id": "motion", "multiplex": "frames"})
    told = program.reload()
    assert isinstance(told, dict)
    assert told["restarted_for"] == ["models.multiplex"]
    site.heard.wait_for_events(1)
    n = len(site.heard.frame_ids(2))
    site.heard.wait_for_events(1)
    assert len(site.heard.frame_ids(2)) == n, "it pauses still"
    again = program._running
    assert again is not None
    assert again is not before
    assert [camera.config.name for camera in again.processor.cameras] == ["camera 0", "door", None]
    again.processor.cameras.remove(1)
    program.restart()
    assert program._running is not None
    assert [camera.source_id for camera in program._running.processor.cameras] == [0, 2], "what was removed stays away"


def test_no_camera_of_the_file_takes_the_place_of_one_that_a_command_added(site: Site) -> None:
    site.write(0)
    program = site.start()
    site.heard.wait_for_events(0)
    running = program._running
    assert running is not None
    running.processor.cameras.add(CameraConfig(uri=site.simulator.uri(2), name="door"))
    site.write(0, 1)
    for change in (program.reload, program.restart):
        with pytest.raises(ConfigurationError, match="camera 1 is to be 'camera 1', and a command added 'door' under"):
            change()
    assert program._running is running
    assert {camera.source_id: camera.config.name for camera in running.processor.cameras} == {0: "camera 0", 1: "door"}
    running.processor.cameras.remove(1)
    running.processor.cameras.add(CameraConfig(uri=site.simulator.uri(1)))
    program.reload()
    assert [camera.config.name for camera in running.processor.cameras] == ["camera 0", "camera 1"], "written down"


def test_an_added_camera_that_cannot_be_taken_along_is_named(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.write(0)
    program = site.start()
    site.heard.wait_for_events(0)
    assert program._running is not None
    add_again(program._running.processor, {7: CameraConfig(uri=site.simulator.uri(1), record="continuous")})
    assert "camera 7, which a command added, is there no more: camera 7 is to be recorded (continuous)" in caplog.text
