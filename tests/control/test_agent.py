"""The agent over a real broker; what it steers obeys the Protocols and is told what to do by the test."""

import io
import json
import logging
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from nvr.bus.local_broker import LocalBroker
from nvr.config.operations import ControlConfig
from nvr.control.agent import ControlAgent
from nvr.control.client import ControlClient
from nvr.control.handlers import Request
from nvr.control.signing import key_of_tenant, signed
from nvr.core.log_format import TextFormatter
from nvr.events.command import Command
from tests.control.conftest import Desk, Instance, StartInstance, config_of
from tests.waiting import DEADLINE_S, wait_until

pytestmark = pytest.mark.broker

KEY = "0123456789abcdef"


def now() -> datetime:
    return datetime.now(UTC)


def test_a_command_is_received_then_completed(instance: Instance, desk: Desk) -> None:
    desk.send(Command(command="pause", command_id="1", target_instances=("gate",), source_ids=(2,)))
    received, completed = desk.wait_for("1", 2)
    assert (received.status, received.command, received.duration_ms) == ("received", "pause", None)
    assert (completed.status, completed.result, completed.error) == ("completed", {"source_ids": [2]}, None)
    assert completed.duration_ms is not None
    assert instance.processor.paused == {2}
    wait_until(lambda: [c.is_detecting for c in desk.wait_for_state("running").cameras] == [True, False, True], "told")


def test_an_old_message_without_an_id_works(instance: Instance, desk: Desk) -> None:
    desk.send({"command": "pause", "target_instances": ["*"]})
    received, completed = desk.wait_for(None, 2)
    assert (received.status, completed.status, completed.command) == ("received", "completed", "pause")
    assert instance.processor.paused == {1, 2, 3}
    desk.send({"command": "pause", "target_instances": ["*"]})
    assert len(desk.wait_for(None, 4)) == 4


@pytest.mark.usefixtures("instance")
def test_what_is_for_others_is_not_answered(desk: Desk) -> None:
    desk.send(Command(command="ping", command_id="theirs", target_instances=("porch",)))
    desk.ask(Command(command="ping", command_id="ours"))
    assert desk.acks_of("theirs") == []


@pytest.mark.parametrize(
    ("command", "type_"),
    [
        ({"command": "dance", "command_id": "1"}, "unknown_command"),
        ({"command": "set_fps", "command_id": "1"}, "invalid"),
        ({"command": "set_fps", "command_id": "1", "params": {"max_fps": float("nan")}}, "invalid"),
        ({"command": "pause", "command_id": "1", "source_ids": [9], "target_instances": ["gate"]}, "not_found"),
        ({"command": "metrics", "command_id": "1"}, "unsupported"),
        ({"command": "ping", "command_id": "1", "expires_at": "2020-01-01T00:00:00Z"}, "expired"),
    ],
)
@pytest.mark.usefixtures("instance")
def test_what_cannot_be_done_is_answered_with_the_type_of_the_reason(
    desk: Desk, command: dict[str, object], type_: str
) -> None:
    ack = desk.ask(command)
    assert ack.error is not None
    assert (ack.status, ack.error.type) == ("error", type_)


def test_nonsense_is_answered_a_few_times_and_counted(instance: Instance, desk: Desk) -> None:
    for payload in [b"", b"{", b"[]", b"\xff", b'{"command": ""}', b'{"command": "ping", "command_id": 7}'] * 5:
        desk.send(payload)
    wait_until(lambda: instance.agent.counters.unreadable == 30, "all are counted")
    desk.ask(Command(command="ping", command_id="after"))
    answers = desk.acks_of(None)
    assert 1 <= len(answers) < 10
    assert {(ack.command, ack.error and ack.error.type) for ack in answers} == {(None, "invalid")}


def test_a_huge_message_is_refused_unread(instance: Instance, desk: Desk) -> None:
    desk.send({"command": "ping", "command_id": "1", "params": {"x": [[]] * 100_000}})
    (refused,) = desk.wait_for(None, 1)
    assert refused.error is not None
    assert "bytes, at most" in refused.error.reason
    assert instance.agent.counters.unreadable == 1


def test_a_command_that_comes_again_is_answered_and_not_carried_out(instance: Instance, desk: Desk) -> None:
    add = Command(
        command="add_stream", command_id="1", target_instances=("gate",), params={"camera": {"uri": "rtsp://a/"}}
    )
    first = desk.ask(add)
    desk.send(add.model_copy(update={"issuer": "somebody else"}))
    answers = desk.wait_for("1", 3)
    assert [ack.status for ack in answers] == ["received", "completed", "completed"]
    assert answers[2] == first
    assert list(instance.processor.cameras.configs) == [1, 2, 3, 4]
    assert instance.agent.counters.repeated == 1


def test_one_that_comes_again_after_it_expired_is_told_how_it_ended(instance: Instance, desk: Desk) -> None:
    soon = now() + timedelta(seconds=0.5)
    command = Command(command="pause", command_id="1", expires_at=soon)
    assert desk.ask(command).status == "completed"
    wait_until(lambda: now() > soon, "it is too late")
    desk.send(command)
    assert [ack.status for ack in desk.wait_for("1", 3)] == ["received", "completed", "completed"]
    assert instance.agent.counters.failed == 0


def test_one_that_comes_again_while_it_is_in_work_is_received_again(instance: Instance, desk: Desk) -> None:
    change = Command(command="change_model", command_id="1", params={"model_id": "motion"})
    desk.send(change)
    desk.wait_for("1", 1)
    desk.send(change)
    assert [ack.status for ack in desk.wait_for("1", 2)] == ["received", "received"]
    instance.processor.swap.end()
    assert [ack.status for ack in desk.wait_for("1", 3)] == ["received", "received", "completed"]
    assert len(instance.processor.swaps) == 1


@pytest.mark.usefixtures("instance")
def test_an_id_is_not_taken_for_another_command(desk: Desk) -> None:
    desk.ask(Command(command="ping", command_id="1"))
    desk.send(Command(command="pause", command_id="1"))
    *_, last = desk.wait_for("1", 3)
    assert last.error is not None
    assert (last.error.type, last.error.reason) == ("invalid", "command_id 1 was used for another command")


def test_a_quick_command_does_not_wait_for_a_slow_one(instance: Instance, desk: Desk) -> None:
    desk.send(Command(command="change_model", command_id="slow", params={"model_id": "motion"}))
    desk.wait_for("slow", 1)
    assert desk.ask(Command(command="pause", command_id="quick")).status == "completed"
    assert len(desk.acks_of("slow")) == 1
    instance.processor.swap.end()
    assert desk.wait_for("slow", 2)[1].status == "completed"


def test_two_that_change_the_same_conflict_and_the_other_is_named(instance: Instance, desk: Desk) -> None:
    desk.send(Command(command="change_model", command_id="first", params={"model_id": "motion"}))
    desk.wait_for("first", 1)
    ack = desk.ask(Command(command="change_model", command_id="second", params={"model_id": "yolox-nano"}))
    assert ack.error is not None
    assert ack.error.type == "conflict"
    assert ack.error.reason == "change_model ('first') is in work and changes the same"
    instance.processor.swap.end()
    desk.wait_for("first", 2)
    assert desk.ask(Command(command="change_model", command_id="third", params={"model_id": "x"})).status == "completed"


def test_too_many_that_wait_are_refused(instance: Instance, desk: Desk) -> None:
    models = [f"m{number}" for number in range(20)]
    for name in models:
        told = {"model_id": "motion", "instead_of": name}
        desk.send(Command.model_validate({"command": "change_model", "command_id": name, "params": told}))
    wait_until(lambda: all(desk.acks_of(name) for name in models), "all are answered")
    refused = [ack.error.type for name in models for ack in desk.acks_of(name) if ack.error is not None]
    assert refused == ["busy"] * 4
    instance.processor.swap.end()
    wait_until(lambda: instance.agent.counters.completed == 16, "the others are done")


def test_what_a_handler_raises_by_mistake_is_answered_and_the_next_command_works(
    instance: Instance, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING", "nvr.control.agent")
    instance.program.reload_error = ZeroDivisionError("a mistake of ours")
    ack = desk.ask(Command(command="reload", command_id="1"))
    assert ack.error is not None
    assert (ack.error.type, ack.error.reason) == ("failed", "ZeroDivisionError: a mistake of ours")
    assert "Traceback" in caplog.text
    assert desk.ask(Command(command="ping", command_id="2")).status == "completed"


@pytest.mark.usefixtures("instance")
def test_the_log_tells_each_command_with_its_id_once_and_questions_only_to_who_wants_all(desk: Desk) -> None:
    lines, log = io.StringIO(), logging.getLogger("nvr.control.agent")
    handler = logging.StreamHandler(lines)
    handler.setFormatter(TextFormatter())
    log.addHandler(handler)
    before = log.level
    log.setLevel("DEBUG")
    try:
        desk.ask(Command(command="ping", command_id="c5ad"))
        desk.ask(Command(command="pause", command_id="77e1"))
        wait_until(lambda: "pause: done" in lines.getvalue(), "both are in the log")
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
    ping, pause = lines.getvalue().splitlines()
    assert " DEBUG " in ping
    assert " INFO " in pause
    assert ping.endswith(" ms command_id=c5ad")
    assert (ping.count("c5ad"), pause.count("77e1")) == (1, 1)


def test_a_result_that_has_no_json_is_an_error(instance: Instance, desk: Desk) -> None:
    instance.program.reload_result = "\ud800"
    ack = desk.ask(Command(command="reload", command_id="1"))
    assert ack.error is not None
    assert ack.error.reason == "it was done, and its result cannot be told as JSON"


def test_of_partial_success_error_and_result_are_told(instance: Instance, desk: Desk) -> None:
    ack = desk.ask(Command(command="record_start", command_id="1"))
    assert (ack.status, ack.error and ack.error.type) == ("error", "invalid")
    assert isinstance(ack.result, dict)
    assert len(ack.result["cameras"]) == 3  # type: ignore[arg-type] # JSON
    assert instance.recorder.recording == {1: None, 2: None}


def test_a_retained_command_is_not_taken(start_instance: StartInstance, desk: Desk) -> None:
    desk.send(Command(command="stop", command_id="old"), retain=True)
    instance = start_instance()
    assert desk.ask(Command(command="ping", command_id="new")).status == "completed"
    assert (instance.program.stops, desk.acks_of("old")) == (0, [])
    desk.send(b"", retain=True)


def test_only_signed_commands_are_taken_where_there_is_a_key(start_instance: StartInstance, desk: Desk) -> None:
    instance = start_instance(key=SecretStr(KEY))
    bare = Command(command="pause", command_id="bare", issued_at=now())
    assert [ack.error and ack.error.type for ack in [desk.ask(bare)]] == ["unauthorised"]
    wrong = signed(bare.model_copy(update={"command_id": "wrong"}), "another key of ours")
    assert [ack.error and ack.error.type for ack in [desk.ask(wrong)]] == ["unauthorised"]
    old = signed(Command(command="pause", command_id="old", issued_at=now() - timedelta(minutes=5)), KEY)
    assert [ack.error and ack.error.type for ack in [desk.ask(old)]] == ["unauthorised"]
    assert instance.processor.paused == set()
    right = signed(bare.model_copy(update={"command_id": "right"}), KEY)
    assert desk.ask(right).status == "completed"
    instance.processor.paused.clear()
    desk.send(right)  # somebody replays it
    assert [ack.status for ack in desk.wait_for("right", 3)] == ["received", "completed", "completed"]
    assert instance.processor.paused == set()


def test_what_was_signed_for_one_tenant_is_refused_by_another(
    mosquitto: LocalBroker, start_instance: StartInstance
) -> None:
    start_instance(key=SecretStr(KEY), tenant="acme")
    desk = Desk(mosquitto, "acme")
    pause = Command(command="pause", command_id="1", issued_at=now())
    try:
        for key in (KEY, key_of_tenant(KEY, "bolt")):
            refused = desk.ask(signed(pause, key))
            assert refused.error is not None
            assert refused.error.type == "unauthorised"
            pause = pause.model_copy(update={"command_id": f"{pause.command_id}1"})
        assert desk.ask(signed(pause, key_of_tenant(KEY, "acme"))).status == "completed"
    finally:
        desk.connection.stop()
    with ControlClient(config_of(mosquitto), tenant="acme", key=SecretStr(KEY)) as client:
        assert client.send("ping", timeout_s=DEADLINE_S)[0].is_ok


def test_a_signed_command_that_was_refused_stays_refused(start_instance: StartInstance, desk: Desk) -> None:
    instance = start_instance(key=SecretStr(KEY))
    first = signed(Command(command="change_model", command_id="1", issued_at=now(), params={"model_id": "motion"}), KEY)
    desk.send(first)
    desk.wait_for("1", 1)
    second = signed(first.model_copy(update={"command_id": "2", "params": {"model_id": "x"}}), KEY)
    refused = desk.ask(second)
    assert refused.error is not None
    assert refused.error.type == "conflict"
    instance.processor.swap.end()
    desk.wait_for("1", 2)
    desk.send(second)  # somebody replays it when nothing is in its way any more
    assert desk.wait_for("2", 2) == [refused, refused]
    assert instance.processor.swaps == [("motion", None)]


def test_a_wrong_signature_uses_up_no_id(start_instance: StartInstance, desk: Desk) -> None:
    start_instance(key=SecretStr(KEY))
    right = signed(Command(command="ping", command_id="1", issued_at=now()), KEY)
    desk.ask(right.model_copy(update={"signature": "0" * 64}))
    desk.send(right)
    assert [ack.status for ack in desk.wait_for("1", 3)] == ["error", "received", "completed"]


def test_other_settings_forget_no_command(start_instance: StartInstance, desk: Desk, tmp_path: Path) -> None:
    instance = start_instance(key=SecretStr(KEY))
    pause = signed(Command(command="pause", command_id="1", issued_at=now()), KEY)
    done = desk.ask(pause)
    instance.agent.reconfigure(ControlConfig(key=SecretStr(KEY), max_skew_s=600, audit_path=tmp_path / "audit.jsonl"))
    instance.processor.paused.clear()
    desk.send(pause)
    assert desk.wait_for("1", 3)[-1] == done
    assert instance.processor.paused == set()
    instance.agent.reconfigure(ControlConfig(enabled=False))
    ack = desk.ask(Command(command="ping", command_id="2"))
    assert ack.error is not None
    assert ack.error.type == "disabled"
    instance.agent.reconfigure(ControlConfig(key=SecretStr(KEY)))
    again = desk.ask(pause.model_copy(update={"command_id": "3"}))
    assert again.error is not None, "it was signed with another id"
    assert instance.agent.audit_lost == 0
    [line] = (tmp_path / "audit.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["outcome"] == "repeated"


def test_a_process_that_has_just_begun_takes_no_signed_command_of_before(
    start_instance: StartInstance, desk: Desk
) -> None:
    instance = start_instance(key=SecretStr(KEY))
    pause = signed(Command(command="pause", command_id="1", issued_at=now()), KEY)
    assert desk.ask(pause).status == "completed"
    instance.stop()
    begun = start_instance("gate", key=SecretStr(KEY))
    begun.memory.begin_anew()
    desk.send(pause)
    *_, last = desk.wait_for("1", 3)
    assert last.error is not None
    assert (last.error.type, "sign it again" in last.error.reason) == ("unauthorised", True)
    assert begun.processor.paused == set()


def test_a_disabled_instance_says_so_and_tells_its_status(start_instance: StartInstance, desk: Desk) -> None:
    instance = start_instance(enabled=False)
    desk.wait_for_state("running")
    ack = desk.ask(Command(command="pause", command_id="1"))
    assert ack.error is not None
    assert ack.error.type == "disabled"
    assert instance.processor.paused == set()


def test_the_audit_log_has_every_command_and_no_password(
    start_instance: StartInstance, desk: Desk, tmp_path: Path
) -> None:
    path = tmp_path / "audit.jsonl"
    instance = start_instance(audit_path=str(path))
    camera = {"uri": "rtsp://me:hunter2@cam/1"}
    add = {"command": "add_stream", "command_id": "1", "target_instances": ["gate"], "issuer": "anna"}
    desk.ask(add | {"params": {"camera": camera}})
    desk.send(add | {"params": {"camera": camera}})
    desk.wait_for("1", 3)
    desk.ask({"command": "dance", "command_id": "2"})
    desk.send(b"{")
    desk.wait_for(None, 1)
    instance.stop()
    text = path.read_text(encoding="utf-8")
    assert "hunter2" not in text
    entries = [json.loads(line) for line in text.splitlines()]
    assert [(entry.get("command"), entry["outcome"]) for entry in entries] == [
        ("add_stream", "completed"),
        ("add_stream", "repeated"),
        ("dance", "unknown_command"),
        (None, "invalid"),
    ]
    assert entries[0]["issuer"] == "anna"


def test_stop_answers_what_is_done_and_what_is_not(instance: Instance, desk: Desk) -> None:
    for number, old in enumerate(("a", "b")):
        told = {"model_id": "motion", "instead_of": old}
        desk.send(Command.model_validate({"command": "change_model", "command_id": str(number), "params": told}))
        desk.wait_for(str(number), 1)
    stopper = threading.Thread(target=lambda: instance.agent.stop(0.2), name="stopper")
    stopper.start()
    late = desk.ask(Command(command="ping", command_id="late"))
    stopper.join(DEADLINE_S)
    assert late.error is None or late.error.type == "conflict"
    for number in range(2):
        _, last = desk.wait_for(str(number), 2)
        assert last.error is not None
        assert (last.error.type, last.error.reason) == ("timeout", "the instance stopped before it had ended")
    instance.processor.swap.end()
    instance.stop()
    assert len(desk.acks_of("0")) == 2
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("control-")]


def test_stop_lets_what_is_in_work_end(instance: Instance, desk: Desk) -> None:
    desk.send(Command(command="change_model", command_id="1", params={"model_id": "motion"}))
    desk.wait_for("1", 1)
    stopper = threading.Thread(target=lambda: instance.agent.stop(DEADLINE_S), name="stopper")
    stopper.start()
    instance.processor.swap.end()
    stopper.join(DEADLINE_S)
    assert not stopper.is_alive()
    assert desk.wait_for("1", 2)[1].status == "completed"


def test_what_waits_too_long_for_its_turn_expires(instance: Instance, desk: Desk) -> None:
    for number in range(4):  # as many as work at a time
        told = {"model_id": "motion", "instead_of": str(number)}
        desk.send(Command.model_validate({"command": "change_model", "command_id": str(number), "params": told}))
        desk.wait_for(str(number), 1)
    soon = now() + timedelta(seconds=0.5)
    desk.send(Command(command="snapshot", command_id="late", expires_at=soon))
    received = desk.wait_for("late", 1)[0]
    assert received.status == "received"
    wait_until(lambda: now() > soon, "it is too late")
    instance.processor.swap.end()
    last = desk.wait_for("late", 2)[1]
    assert last.error is not None
    assert last.error.type == "expired"


def test_any_table_of_handlers_will_do(start_instance: StartInstance, desk: Desk) -> None:
    instance = start_instance()
    asked: list[Request] = []

    def ping(request: Request) -> None:
        asked.append(request)

    other = ControlAgent(instance.connection, ControlConfig(), {"ping": ping})
    other.take("nvr/control/commands", Command(command="pause", command_id="all").to_json())
    other.take("nvr/control/commands", Command(command="pause", command_id="1", target_instances=("gate",)).to_json())
    [ack] = desk.wait_for("1", 1)
    assert ack.error is not None
    assert (ack.error.type, ack.error.reason) == ("unsupported", "instance gate has no use for pause")
    assert (asked, desk.acks_of("all")) == ([], [])
