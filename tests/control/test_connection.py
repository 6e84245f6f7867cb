"""Last will, retained status and names over a real broker; a process of its own is killed."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from nvr.bus.connection import MqttConnection
from nvr.bus.local_broker import LocalBroker
from nvr.core.errors import BrokerError, ConfigurationError
from nvr.events.command import Command
from tests.control.conftest import Desk, Instance, StartInstance, config_of
from tests.waiting import DEADLINE_S, wait_until

pytestmark = pytest.mark.broker

CHILD = """
import os, sys, threading
from datetime import UTC, datetime
from nvr.bus.local_broker import LocalBroker
from nvr.config.broker import BrokerConfig
from nvr.control.connection import InstanceConnection
from nvr.control.status_publisher import StatusPublisher
from nvr.events.instance_status import InstanceStatus
from nvr.events.protocol import Topics

connection = InstanceConnection(BrokerConfig(host="127.0.0.1", port=int(sys.argv[1])), Topics(), "gate", keepalive_s=2)
def status():
    return InstanceStatus(
        instance_id="gate", state="running", heartbeat_s=1, timestamp=datetime.now(UTC), host="cellar", pid=os.getpid()
    )

StatusPublisher(connection, status, heartbeat_s=1).start()
connection.start()
threading.Event().wait()
"""


def child(broker: LocalBroker) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", CHILD, str(broker.port)])


def test_a_killed_instance_is_offline_at_once(mosquitto: LocalBroker, desk: Desk) -> None:
    with child(mosquitto) as process:
        desk.wait_for_state("running")
        process.kill()
    will = desk.wait_for_state("offline")
    assert (will.reason, will.kind) == ("connection lost", "processor")
    late = Desk(mosquitto)  # it is retained
    late.wait_for_state("offline")
    late.connection.stop()


def test_an_instance_that_hangs_is_offline_after_the_keep_alive(mosquitto: LocalBroker, desk: Desk) -> None:
    with child(mosquitto) as process:
        desk.wait_for_state("running")
        os.kill(process.pid, signal.SIGSTOP)
        try:
            desk.wait_for_state("offline")
            os.kill(process.pid, signal.SIGCONT)
            desk.wait_for_state("running")  # it finds its connection lost, and is back by itself
        finally:
            process.kill()


def test_who_stops_says_why(instance: Instance, desk: Desk) -> None:
    instance.stop("stopped by a person")
    farewell = desk.wait_for_state("offline")
    assert farewell.reason == "stopped by a person"
    assert farewell.timestamp is not None


def test_heartbeats_come_although_nothing_changes(instance: Instance, desk: Desk) -> None:
    before = len(desk.statuses)
    wait_until(lambda: len(desk.statuses) >= before + 2, "two heartbeats")
    assert instance.connection.is_connected


def test_the_status_is_there_again_after_the_broker_was_away(
    instance: Instance, desk: Desk, mosquitto: LocalBroker
) -> None:
    connects: list[str] = []
    instance.connection.on_connect(lambda: connects.append("again"))
    assert connects == ["again"]  # it stands already
    mosquitto.stop()
    wait_until(lambda: not instance.connection.is_connected, "the loss is noticed")
    assert instance.connection.last_error is not None
    assert not instance.connection.say(instance.program.status())
    assert not instance.connection.publish("nvr/metrics/gate", b"{}", 0)
    assert instance.connection.publish("nvr/x", b"kept", 1)
    mosquitto.restart()
    before = len(desk.statuses)
    wait_until(lambda: len(desk.statuses) > before, "a status over the new connection")
    wait_until(lambda: connects == ["again", "again"], "who wants to know is told")
    assert desk.ask(Command(command="ping", command_id="1")).status == "completed"


def test_a_command_in_work_is_answered_when_the_broker_is_back(
    instance: Instance, desk: Desk, mosquitto: LocalBroker
) -> None:
    desk.send(Command(command="change_model", command_id="1", params={"model_id": "motion"}))
    desk.wait_for("1", 1)
    mosquitto.stop()
    wait_until(lambda: not instance.connection.is_connected, "the loss is noticed")
    instance.processor.swap.end()
    wait_until(lambda: instance.agent.counters.completed == 1, "it is done")
    mosquitto.restart()
    wait_until(lambda: instance.connection.is_connected and desk.connection.is_connected, "both are back")
    # either the answer has waited for the broker, or the desk was late and asks again
    desk.send(Command(command="change_model", command_id="1", params={"model_id": "motion"}))
    assert desk.wait_for("1", 2)[-1].status == "completed"
    assert len(instance.processor.swaps) == 1


def test_a_renamed_instance_goes_on_under_its_new_name(instance: Instance, desk: Desk) -> None:
    ack = desk.ask(
        Command(command="rename_instance", command_id="1", target_instances=("gate",), params={"instance_id": "porch"})
    )
    assert (ack.instance_id, ack.result) == ("gate", {"instance_id": "porch"})
    desk.wait_for_state("running", "porch")
    wait_until(lambda: desk.status("gate") is None, "the old status is taken back")
    ping = Command(command="ping", command_id="2", target_instances=("porch",))
    assert desk.ask(ping, "porch").status == "completed"
    assert len(desk.acks_of("2", "porch")) == 2
    instance.stop()
    desk.wait_for_state("offline", "porch")
    assert desk.status("gate") is None


@pytest.mark.parametrize("has_id", [True, False])
def test_no_command_is_lost_or_doubled_while_the_connection_changes(
    instance: Instance, desk: Desk, mosquitto: LocalBroker, has_id: bool
) -> None:
    numbers = iter(range(1_000_000))
    is_done = threading.Event()

    def send() -> None:
        while not is_done.wait(0.001):
            command_id = str(next(numbers)) if has_id else None
            desk.send(Command(command="set_log_level", command_id=command_id, params={"level": "info"}))

    sender = threading.Thread(target=send, name="sender")
    sender.start()
    for user in ("anna", "bert", "anna"):
        instance.connection.move(config_of(mosquitto).model_copy(update={"username": user}), "gate")
    is_done.set()
    sender.join(DEADLINE_S)
    n_sent = next(numbers) if has_id else None
    wait_until(lambda: instance.agent.counters.received >= (n_sent or 1), "all have come")
    desk.ask(Command(command="ping", command_id="last"))
    counters = instance.agent.counters
    if n_sent is not None:
        assert n_sent > 20
        wait_until(lambda: all(_is_over(desk, str(number)) for number in range(n_sent)), "all are answered")
        assert counters.received == n_sent + 1
    assert counters.repeated == 0
    assert instance.connection.is_connected
    assert desk.wait_for_state("running").instance_id == "gate"
    assert not [status for _, status in desk.statuses if status is not None and status.state == "offline"]


def _is_over(desk: Desk, command_id: str) -> bool:
    return any(ack.status != "received" for ack in desk.acks_of(command_id))


def test_another_broker_is_gone_to_and_waited_for(instance: Instance, desk: Desk, mosquitto: LocalBroker) -> None:
    with LocalBroker.start("mosquitto") as other:
        neighbour = Desk(other)
        instance.connection.move(config_of(other), "gate")
        neighbour.wait_for_state("running")
        assert desk.wait_for_state("offline").reason == "it goes on at another broker"
        assert neighbour.ask(Command(command="ping", command_id="1")).status == "completed"
        neighbour.connection.stop()
    mosquitto.stop()
    instance.connection.move(config_of(mosquitto), "porch", timeout_s=0.1)
    assert not instance.connection.is_connected
    mosquitto.restart()
    desk.wait_for_state("running", "porch")


def test_a_name_that_the_broker_does_not_take_leaves_the_old_one(instance: Instance, mosquitto: LocalBroker) -> None:
    with pytest.raises(ConfigurationError, match="not a valid name"):
        instance.connection.rename("a/b")
    instance.connection.rename("gate")
    mosquitto.stop()
    with pytest.raises(BrokerError, match="instance gate stays: porch was not accepted"):
        instance.connection.rename("porch", timeout_s=0.2)
    assert instance.connection.instance_id == "gate"


def test_who_stops_while_the_name_changes_leaves_nobody_behind(
    instance: Instance, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_connected = MqttConnection.wait_connected

    def stopped_meanwhile(successor: MqttConnection, timeout_s: float) -> bool:
        is_connected = wait_connected(successor, timeout_s)
        instance.connection.stop("stopped")
        return is_connected

    monkeypatch.setattr(MqttConnection, "wait_connected", stopped_meanwhile)
    with pytest.raises(BrokerError, match="stopped before it was called porch"):
        instance.connection.rename("porch")
    assert desk.wait_for_state("offline").reason == "stopped"
    assert not instance.connection.is_connected
    assert desk.status("porch") is None


def test_what_is_subscribed_while_the_name_changes_is_heard_afterwards(
    instance: Instance, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[bytes] = []
    wait_connected = MqttConnection.wait_connected

    def somebody_subscribes(successor: MqttConnection, timeout_s: float) -> bool:
        instance.connection.subscribe("nvr/late", lambda _, payload: heard.append(payload), 1)
        return wait_connected(successor, timeout_s)

    monkeypatch.setattr(MqttConnection, "wait_connected", somebody_subscribes)
    instance.connection.rename("porch")
    desk.wait_for_state("running", "porch")
    desk.connection.publish("nvr/late", b"x", 1)
    wait_until(lambda: heard == [b"x"], "it is heard")


def test_a_status_that_cannot_be_had_ends_nothing(instance: Instance, desk: Desk) -> None:
    instance.program.processor = None
    desk.wait_for_state("starting")
    program_status = instance.program.status
    broken = threading.Event()

    def fail() -> object:
        broken.set()
        raise ZeroDivisionError

    instance.status._source = fail  # type: ignore[assignment] # a source that fails now and then
    assert broken.wait(DEADLINE_S)
    instance.status._source = program_status
    instance.program.processor = instance.processor
    desk.wait_for_state("running")


def test_tenants_do_not_hear_each_other(start_instance: StartInstance, desk: Desk, mosquitto: LocalBroker) -> None:
    ours = start_instance("gate")
    theirs = start_instance("gate", tenant="acme")
    desk.wait_for_state("running")
    neighbour = Desk(mosquitto, "acme")
    neighbour.wait_for_state("running")
    neighbour.ask({"command": "pause", "command_id": "1", "target_instances": ["*"]})
    assert (theirs.processor.paused, ours.processor.paused) == ({1, 2, 3}, set())
    desk.ask({"command": "ping", "command_id": "2", "target_instances": ["*"]})
    assert desk.acks_of("1") == neighbour.acks_of("2") == []
    assert [ours.agent.counters.received, theirs.agent.counters.received] == [1, 1]
    neighbour.connection.stop()


def test_two_instances_answer_each_for_itself(start_instance: StartInstance, desk: Desk) -> None:
    start_instance("gate")
    porch = start_instance("porch")
    desk.wait_for_state("running", "porch")
    desk.send({"command": "pause", "command_id": "1", "target_instances": ["*"]})
    for name in ("gate", "porch"):
        assert [ack.status for ack in desk.wait_for("1", 2, name)] == ["received", "completed"]
    desk.ask({"command": "resume", "command_id": "2", "target_instances": ["porch"]}, "porch")
    assert desk.acks_of("2", "gate") == []
    assert porch.processor.paused == set()


def test_two_of_the_same_name_say_so_and_refuse_what_is_for_one_of_them(
    start_instance: StartInstance, desk: Desk
) -> None:
    first, second = start_instance("gate"), start_instance("gate")
    pids = {first.program.pid: second, second.program.pid: first}
    for instance, other in ((first, second), (second, first)):
        wait_until(lambda instance=instance: instance.connection.namesake is not None, "it knows")  # type: ignore[misc]
        assert instance.connection.namesake is not None
        assert f"process {other.program.pid} on 'attic'" in instance.connection.namesake
    told = desk.wait_for_state("degraded")
    assert told.pid is not None
    assert f"another process has the same name: process {pids[told.pid].program.pid}" in str(told.reason)
    desk.send(Command(command="pause", command_id="1", target_instances=("gate",)))
    for ack in desk.wait_for("1", 2):
        assert ack.error is not None
        assert (ack.error.type, "is also called gate" in ack.error.reason) == ("conflict", True)
    assert first.processor.paused == second.processor.paused == set()
    desk.ask(Command(command="ping", command_id="2", target_instances=("gate",)))
    desk.send(Command(command="pause", command_id="3"))
    wait_until(lambda: len([ack for ack in desk.acks_of("3") if ack.status == "completed"]) == 2, "all means both")
    assert first.processor.paused == second.processor.paused == {1, 2, 3}
    first.stop()
    # for who looks only at what is kept, the one that lives was never gone
    assert not [status for _, status in desk.statuses if status is not None and status.state == "offline"]
    wait_until(lambda: second.connection.namesake is None, "the other is gone")
    assert desk.wait_for_state("running").pid == second.program.pid
    assert desk.ask(Command(command="resume", command_id="4", target_instances=("gate",))).status == "completed"


def test_who_lives_says_so_again_when_a_namesake_dies(instance: Instance, mosquitto: LocalBroker, desk: Desk) -> None:
    with child(mosquitto) as process:
        wait_until(lambda: instance.connection.namesake is not None, "there are two")
        process.kill()
    will = desk.wait_for_state("offline")
    assert will.reason == "connection lost"
    assert desk.wait_for_state("running").pid == instance.program.pid
    late = Desk(mosquitto)
    assert late.wait_for_state("running").pid == instance.program.pid
    late.connection.stop()
