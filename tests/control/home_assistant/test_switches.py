import logging

import pytest

from nvr.config.operations import ControlConfig, HomeAssistantConfig
from nvr.control.home_assistant.switches import MAX_HELD, Switches, SwitchOutcome, with_decided_switches
from nvr.control.refusal import error_type
from nvr.core.clock import ManualClock
from nvr.events.protocol import ParsedTopic, TopicKind
from tests.control.home_assistant.fakes import MemoryCameras

DETECT, RECORD = TopicKind.HOME_ASSISTANT_SET_DETECT, TopicKind.HOME_ASSISTANT_SET_RECORD


class Room:
    """Switches with cameras that are looked at after each message, as the bridge does."""

    def __init__(self, *source_ids: int) -> None:
        self.cameras = MemoryCameras(*source_ids)
        self.outcomes: list[SwitchOutcome] = []
        self.switches = Switches(self.cameras, self.outcomes.append, clock=ManualClock())
        self.look()

    def look(self) -> None:
        self.switches.note(self.cameras.statuses())

    def send(self, kind: TopicKind, payload: bytes, source_id: int = 3) -> bool:
        has_switched = self.switches.switch(ParsedTopic(None, kind, str(source_id)), payload)
        self.look()
        return has_switched

    def begin_anew(self) -> None:
        self.cameras.is_known = False
        self.look()

    def be_there_again(self) -> bool:
        self.cameras.is_known, self.cameras.is_ending = True, False
        self.look()
        return self.switches.catch_up()

    @property
    def told(self) -> list[tuple[int, str, str, str]]:
        return [
            (each.source_id, each.switch, each.payload, "completed" if each.error is None else error_type(each.error))
            for each in self.outcomes
        ]


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
    room.switches = Switches(room.cameras, clock=ManualClock())
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
    assert room.told == [(13, "record", "OFF", "invalid")]


def test_what_comes_while_no_processor_runs_is_done_with_the_next_one_in_order() -> None:
    room = Room(3, 4)
    room.begin_anew()
    for payload in (b"ON", b"OFF"):
        assert not room.send(DETECT, payload)
    assert not room.send(RECORD, b"OFF", source_id=4)
    assert (room.cameras.calls, room.told) == ([], [])
    assert room.be_there_again()
    assert room.cameras.calls == [("resume", (3,)), ("pause", (3,)), ("off", 4)]
    assert [each[3] for each in room.told] == ["completed"] * 3
    assert not room.be_there_again(), "once"


def test_what_comes_as_a_processor_ends_is_done_with_the_next_one() -> None:
    room = Room(3)
    room.cameras.is_ending = True
    assert not room.send(DETECT, b"OFF")
    assert room.be_there_again()
    assert room.cameras.calls == [("pause", (3,))]
    assert room.told == [(3, "detect", "OFF", "completed")]


def test_nothing_overtakes_what_waits() -> None:
    room = Room(3)
    room.begin_anew()
    room.send(DETECT, b"OFF")
    room.cameras.is_known = True
    room.look()
    assert not room.send(DETECT, b"ON")
    assert room.switches.catch_up()
    assert room.cameras.calls == [("pause", (3,)), ("resume", (3,))]


def test_of_too_many_that_wait_the_oldest_fail() -> None:
    room = Room(3)
    room.begin_anew()
    room.send(RECORD, b"OFF")
    for _ in range(MAX_HELD):
        room.send(DETECT, b"OFF")
    assert (room.told, room.switches.failed) == ([(3, "record", "OFF", "busy")], 1)


def test_what_waits_for_other_instances_or_for_nothing_is_given_up() -> None:
    room = Room(3)
    room.begin_anew()
    room.send(DETECT, b"OFF")
    room.send(DETECT, b"OFF", source_id=9)
    room.switches.give_up()
    assert room.told == [(3, "detect", "OFF", "timeout")]


def test_two_messages_before_the_next_look_both_count() -> None:
    room = Room(3)
    for payload in (b"OFF", b"ON"):
        assert room.switches.switch(ParsedTopic(None, RECORD, "3"), payload)
    assert room.cameras.by_id[3].record_mode == "events"


def test_where_nothing_may_be_switched_it_is_refused_and_told() -> None:
    room = Room(3)
    room.begin_anew()
    room.send(DETECT, b"OFF")
    room.cameras.is_known = True
    room.look()
    room.switches.set_taken(False)
    assert not room.send(DETECT, b"OFF")
    assert room.told == [(3, "detect", "OFF", "disabled")] * 2
    assert room.cameras.calls == []


KEY = "0123456789abcdef"


@pytest.mark.parametrize(
    ("wanted", "control", "expected"),
    [
        (None, {}, True),
        (None, {"key": KEY}, False),
        (None, {"enabled": False}, False),
        (True, {"key": KEY}, True),
        (True, {"enabled": False}, False),
        (False, {}, False),
    ],
)
def test_switches_go_by_who_may_command(wanted: bool | None, control: dict[str, object], expected: bool) -> None:
    config = HomeAssistantConfig(enabled=True, switches=wanted)
    assert with_decided_switches(config, ControlConfig.model_validate(control)).switches is expected
