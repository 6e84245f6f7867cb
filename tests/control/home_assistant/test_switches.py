import logging

import pytest

from nvr.control.home_assistant.switches import Switches
from nvr.core.clock import ManualClock
from nvr.events.protocol import ParsedTopic, TopicKind
from tests.control.home_assistant.fakes import MemoryCameras

DETECT, RECORD = TopicKind.HOME_ASSISTANT_SET_DETECT, TopicKind.HOME_ASSISTANT_SET_RECORD


class Room:
    """Switches with cameras that are looked at after each message, as the bridge does."""

    def __init__(self, *source_ids: int) -> None:
        self.cameras = MemoryCameras(*source_ids)
        self.switches = Switches(self.cameras, ManualClock())
        self.look()

    def look(self) -> None:
        self.switches.note(self.cameras.statuses() or ())

    def send(self, kind: TopicKind, payload: bytes, source_id: int = 3) -> bool:
        has_switched = self.switches.switch(ParsedTopic(None, kind, str(source_id)), payload)
        self.look()
        return has_switched


def test_detect_pauses_and_resumes_that_camera() -> None:
    room = Room(3, 4)
    assert room.send(DETECT, b"OFF")
    assert room.send(DETECT, b"ON")
    assert room.cameras.calls == [("pause", (3,)), ("resume", (3,))]


def test_recording_returns_to_the_mode_it_had() -> None:
    room = Room(3)
    room.cameras.change(3, record_mode="continuous+events")
    room.look()
    room.send(RECORD, b"OFF")
    assert room.cameras.by_id[3].record_mode == "off"
    room.send(RECORD, b"OFF")
    room.send(RECORD, b"ON")
    assert room.cameras.by_id[3].record_mode == "continuous+events"


def test_a_mode_that_a_command_sets_is_the_one_to_return_to() -> None:
    room = Room(3)
    room.cameras.change(3, record_mode="on_demand")
    room.look()
    room.send(RECORD, b"OFF")
    room.send(RECORD, b"ON")
    assert room.cameras.by_id[3].record_mode == "on_demand"


def test_a_camera_that_was_never_recorded_is_recorded_all_the_time() -> None:
    room = Room()
    room.cameras = MemoryCameras(3)
    room.cameras.change(3, record_mode="off")
    room.switches = Switches(room.cameras, ManualClock())
    room.look()
    room.send(RECORD, b"ON")
    assert room.cameras.by_id[3].record_mode == "continuous"


def test_on_leaves_a_recording_as_it_is() -> None:
    room = Room(3)
    assert room.send(RECORD, b"ON")
    assert room.cameras.calls == []


@pytest.mark.parametrize("payload", [b"", b"on", b"TOGGLE", b'{"state": "ON"}', b"\xff\xfe", b"ON" * 10_000])
def test_what_is_neither_on_nor_off_is_counted(payload: bytes, caplog: pytest.LogCaptureFixture) -> None:
    room = Room(3)
    assert not room.send(DETECT, payload)
    assert (room.cameras.calls, room.switches.ignored) == ([], 1)
    assert len(caplog.text) < 400


def test_cameras_of_other_instances_are_theirs() -> None:
    room = Room(3)
    assert not room.send(DETECT, b"OFF", source_id=9)
    assert (room.cameras.calls, room.switches.ignored) == ([], 0)


def test_where_nothing_records_the_switch_is_counted() -> None:
    room = Room(3)
    room.cameras.change(3, record_mode=None)
    room.look()
    assert not room.send(RECORD, b"ON")
    assert (room.cameras.calls, room.switches.ignored) == ([], 1)


def test_what_fails_is_told_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "nvr")
    room = Room(13)
    assert not room.send(RECORD, b"OFF", source_id=13)
    assert room.switches.failed == 1
    assert caplog.records[0].levelno == logging.WARNING
    assert "camera 13 is not recorded" in caplog.text
