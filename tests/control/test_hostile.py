"""What somebody may publish who means no good: each message costs an answer or a count, and nothing else."""

import json
import threading
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from nvr.control.signing import signature_of
from nvr.core.errors import MessageError
from nvr.events.command import Command
from tests.control.conftest import Desk, Instance, StartInstance
from tests.waiting import DEADLINE_S, wait_until

pytestmark = pytest.mark.broker

KEY = "0123456789abcdef"


def ping(**fields: object) -> bytes:
    return json.dumps({"command": "ping", "command_id": "1"} | fields).encode()


def set_fps(max_fps: bytes) -> bytes:
    return b'{"command":"set_fps","command_id":"fps","params":{"max_fps":%b}}' % max_fps


DEEP = b"[" * 100_000
HOSTILE = {
    "nesting without an end": DEEP,
    "deep nesting": b'{"command":"ping","x":' + DEEP + b"]" * 100_000 + b"}",
    "nesting that can be read": set_fps(b"[" * 150 + b"]" * 150),
    "no number": set_fps(b"NaN"),
    "no finite number": set_fps(b"1e999"),
    "an integer of 5000 digits": set_fps(b"9" * 5_000),
    "an integer of 200000 digits, not looked at": b'{"command":"ping","x":' + b"9" * 200_000 + b"}",
    "half a surrogate pair": b'{"command":"ping","command_id":"\\ud800"}',
    "an id of a megabyte": ping(command_id="a" * 1_000_000),
    "an id of 200 kB": ping(command_id="a" * 200_000),
    "a number for a name": ping(command=7),
    "a truth for a camera": ping(source_ids=[True]),
    "too many targets": ping(target_instances=["gate"] * 1001),
    "a text for the targets": ping(target_instances="*"),
    "a time before the first year": ping(expires_at="0001-01-01T00:00:00+14:00"),
    "a time after the last year": ping(issued_at="9999-12-31T23:59:59-14:00"),
    "UTF-16": ping().decode().encode("utf-16"),
    "thousands of parameters": ping(params={str(number): number for number in range(15_000)}),
    "a path for a name": ping(command="rename_instance", target_instances=["gate"], params={"instance_id": "../#"}),
    "a signature of no hexadecimal": ping(signature="\u0661" * 64),
    "nothing": b"",
}


@pytest.mark.parametrize("key", [None, SecretStr(KEY)], ids=["unsigned", "signed"])
def test_nothing_that_is_wrong_ends_or_changes_anything(
    start_instance: StartInstance, desk: Desk, caplog: pytest.LogCaptureFixture, key: SecretStr | None
) -> None:
    instance = start_instance(key=key)
    for payload in HOSTILE.values():
        desk.send(payload)
    for payload in HOSTILE.values() if key is not None else ():
        desk.send(_signed_if_possible(payload))
    n_sent = len(HOSTILE) * (1 if key is None else 2)

    def n_taken() -> int:
        counters = instance.agent.counters
        return counters.received + counters.unreadable

    wait_until(lambda: n_taken() == n_sent, "each is counted")
    good = json.dumps({"command": "ping", "command_id": "good", "issued_at": datetime.now(UTC).isoformat()}).encode()
    desk.send(good if key is None else _signed_if_possible(good))
    assert desk.wait_for("good", 2)[-1].status == "completed"
    assert "Traceback" not in caplog.text
    assert instance.processor.max_fps == {}
    assert (instance.program.names, instance.program.stops) == ([], 0)


def _signed_if_possible(payload: bytes) -> bytes:
    """Sign whatever it is with the right key, as one who has it may do by mistake."""
    try:
        message = json.loads(payload)
        message = message | {"issued_at": message.get("issued_at") or datetime.now(UTC).isoformat()}
        return json.dumps(message | {"signature": signature_of(json.dumps(message).encode(), KEY)}).encode()
    except (ValueError, TypeError, RecursionError, MessageError):
        return payload


def _is_refused(desk: Desk, command_id: str) -> bool:
    return any(ack.status == "error" for ack in desk.acks_of(command_id))


def test_a_flood_of_commands_is_answered_or_refused_and_ends(instance: Instance, desk: Desk) -> None:
    n_threads = threading.active_count()
    for number in range(2_000):
        desk.connection.publish(desk.topics.commands, ping(command_id=f"flood {number}"))
    last = Command(command="ping", command_id="last")
    desk.send(last)
    wait_until(lambda: instance.memory.outcome("last") is not None or _is_refused(desk, "last"), "the last has come")
    assert instance.agent.wait_idle(DEADLINE_S)
    # answers may have been too many for the broker: who misses one asks again
    assert desk.ask(Command(command="ping", command_id="after")).status == "completed"
    counters = instance.agent.counters
    assert counters.completed + counters.failed == counters.received
    assert threading.active_count() <= n_threads, "threads of earlier tests may end meanwhile"
