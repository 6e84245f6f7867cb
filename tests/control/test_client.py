import threading

import pytest
from pydantic import SecretStr

from nvr.bus.local_broker import LocalBroker, free_port
from nvr.config.broker import BrokerConfig
from nvr.control.client import ControlClient
from nvr.control.registry import Presence
from nvr.core.errors import BrokerError, ConfigurationError, InvalidInputError
from nvr.events.instance_status import InstanceStatus
from tests.control.conftest import Desk, StartInstance
from tests.waiting import DEADLINE_S, wait_until

pytestmark = pytest.mark.broker

KEY = SecretStr("0123456789abcdef")


def config_of(broker: LocalBroker) -> BrokerConfig:
    return BrokerConfig(host=broker.host, port=broker.port)


def test_everyone_who_lives_is_waited_for(start_instance: StartInstance, mosquitto: LocalBroker, desk: Desk) -> None:
    start_instance("gate")
    start_instance("porch")
    desk.wait_for_state("running", "gate")
    desk.wait_for_state("running", "porch")
    with ControlClient(config_of(mosquitto)) as client:
        replies = client.send("pause", {"hang_up": True}, source_ids=(2,), timeout_s=DEADLINE_S)
    assert [(reply.instance_id, reply.is_ok, reply.result) for reply in replies] == [
        ("gate", True, {"source_ids": [2]}),
        ("porch", True, {"source_ids": [2]}),
    ]
    assert {reply.presence for reply in replies} == {Presence.ALIVE}
    assert all(0 < (reply.received_ms or 0) <= (reply.round_trip_ms or 0) for reply in replies)


def test_who_does_not_answer_is_named(start_instance: StartInstance, mosquitto: LocalBroker, desk: Desk) -> None:
    start_instance("gate")
    desk.wait_for_state("running")
    mute = InstanceStatus(instance_id="mute", state="running", accepts_commands=True, heartbeat_s=5)
    gone = InstanceStatus.offline("gone", "processor", "stopped")
    wall = InstanceStatus(instance_id="wall", kind="wall", state="running", heartbeat_s=5)
    for status in (mute, gone, wall):
        desk.connection.publish(f"nvr/status/{status.instance_id}", status.to_json(), 1, retain=True)
    for name in ("mute", "gone", "wall"):
        wait_until(lambda name=name: desk.status(name) is not None, "the broker has it")  # type: ignore[misc] # bound
    with ControlClient(config_of(mosquitto)) as client:
        replies = client.send("ping", timeout_s=1)
        assert [(reply.instance_id, reply.status) for reply in replies] == [("gate", "completed"), ("mute", "silent")]
        named = client.send("ping", targets=("gone", "gate"), timeout_s=DEADLINE_S)
        assert [(reply.instance_id, reply.status, reply.presence) for reply in named] == [
            ("gate", "completed", Presence.ALIVE),
            ("gone", "silent", Presence.OFFLINE),
        ]
        [never] = client.send("ping", targets=("never",), timeout_s=0.1)
        assert (never.status, never.presence) == ("silent", None)


def test_where_nobody_lives_nobody_answers(mosquitto: LocalBroker) -> None:
    with ControlClient(config_of(mosquitto)) as client:
        assert client.send("ping", timeout_s=DEADLINE_S) == []


def test_an_error_is_a_reply_with_its_reason(start_instance: StartInstance, mosquitto: LocalBroker) -> None:
    start_instance("gate")
    with ControlClient(config_of(mosquitto)) as client:
        [reply] = client.send("remove_stream", targets=("gate",), source_ids=(9,), timeout_s=DEADLINE_S)
    assert reply.error is not None
    assert (reply.status, reply.error.type, reply.is_ok) == ("error", "not_found", False)


def test_what_is_not_over_in_time_is_only_received(
    start_instance: StartInstance, mosquitto: LocalBroker, desk: Desk
) -> None:
    instance = start_instance("gate")
    desk.wait_for_state("running")
    with ControlClient(config_of(mosquitto)) as client:
        [reply] = client.send("change_model", {"model_id": "motion"}, targets=("gate",), timeout_s=1)
    assert (reply.status, reply.round_trip_ms) == ("received", None)
    instance.processor.swap.end()


def test_commands_are_signed_with_the_key(start_instance: StartInstance, mosquitto: LocalBroker) -> None:
    start_instance("gate", key=KEY)
    with ControlClient(config_of(mosquitto), key=KEY, issuer="test") as client:
        assert client.send("ping", targets=("gate",), timeout_s=DEADLINE_S)[0].is_ok
    with ControlClient(config_of(mosquitto)) as client:
        [reply] = client.send("ping", targets=("gate",), timeout_s=DEADLINE_S)
    assert reply.error is not None
    assert reply.error.type == "unauthorised"
    with pytest.raises(ConfigurationError, match="at least 16"):
        ControlClient(config_of(mosquitto), key=SecretStr("short"))


def test_a_broker_that_restarts_on_the_way_costs_no_answer(
    start_instance: StartInstance, mosquitto: LocalBroker, desk: Desk
) -> None:
    instance = start_instance("gate")
    desk.wait_for_state("running")
    replies: list[object] = []
    with ControlClient(config_of(mosquitto)) as client:

        def send() -> None:
            replies.extend(client.send("change_model", {"model_id": "motion"}, timeout_s=DEADLINE_S))

        sender = threading.Thread(target=send, name="sender")
        sender.start()
        wait_until(lambda: bool(instance.processor.swaps), "it is in work")
        mosquitto.stop()
        wait_until(lambda: not instance.connection.is_connected, "the loss is noticed")
        instance.processor.swap.end()
        wait_until(lambda: instance.agent.counters.completed == 1, "it is done while the broker is away")
        mosquitto.restart()
        sender.join(DEADLINE_S)
        assert not sender.is_alive()
    assert [(reply.instance_id, reply.status) for reply in replies] == [("gate", "completed")]  # type: ignore[attr-defined] # replies
    assert len(instance.processor.swaps) == 1


def test_without_a_broker_it_says_so() -> None:
    client = ControlClient(BrokerConfig(host="127.0.0.1", port=free_port()))
    with pytest.raises(BrokerError, match="cannot be reached"):
        client.start(timeout_s=0.5)
    assert "registry" not in {thread.name for thread in threading.enumerate()}


def test_a_broker_that_goes_away_is_told(mosquitto: LocalBroker) -> None:
    with ControlClient(config_of(mosquitto)) as client:
        mosquitto.stop()
        with pytest.raises(BrokerError):
            client.send("ping", timeout_s=0.5)


def test_what_is_no_command_is_not_sent(mosquitto: LocalBroker) -> None:
    with (
        ControlClient(config_of(mosquitto)) as client,
        pytest.raises(InvalidInputError, match="not a command: command"),
    ):
        client.send("")


def test_forged_and_broken_answers_change_nothing(
    start_instance: StartInstance, mosquitto: LocalBroker, desk: Desk
) -> None:
    start_instance("gate")
    desk.wait_for_state("running")
    with ControlClient(config_of(mosquitto)) as client:
        for payload in (b"{", b'{"instance_id": "other", "status": "completed", "timestamp": "2026-01-01T00:00:00Z"}'):
            client._take("nvr/control/status/gate/ack", payload)
        assert client._trouble.total == 2
        assert client.send("ping", timeout_s=DEADLINE_S)[0].is_ok
