"""An instance on a real broker, and who talks to it."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from nvr.bus.connection import MqttConnection
from nvr.bus.local_broker import LocalBroker
from nvr.config.broker import BrokerConfig
from nvr.config.operations import ControlConfig
from nvr.control.agent import ControlAgent
from nvr.control.connection import InstanceConnection
from nvr.control.memory import CommandMemory
from nvr.control.processor_commands import ProcessorCommands
from nvr.control.status_publisher import StatusPublisher
from nvr.events.command import Command, CommandAck
from nvr.events.instance_status import InstanceStatus
from nvr.events.protocol import Topics, parse_topic
from tests.control.fakes import FakeProcessor, FakeProgram, FakeRecorder
from tests.waiting import DEADLINE_S, wait_until

_PIDS = count(1)
QUICK = ControlConfig(heartbeat_s=1)


def config_of(broker: LocalBroker | BrokerConfig) -> BrokerConfig:
    return broker if isinstance(broker, BrokerConfig) else BrokerConfig(host=broker.host, port=broker.port)


class Instance:
    """Everything that the control plane of a processor is made of, around a processor that is none."""

    def __init__(
        self,
        broker: LocalBroker | BrokerConfig,
        instance_id: str = "gate",
        config: ControlConfig = QUICK,
        tenant: str | None = None,
    ) -> None:
        self.processor = FakeProcessor(1, 2, 3)
        self.recorder = FakeRecorder(1, 2)
        self.program = FakeProgram(instance_id, self.processor, pid=next(_PIDS))
        self.connection = InstanceConnection(config_of(broker), Topics(tenant), instance_id, keepalive_s=5)
        self.program.on_rename = self.connection.rename
        self.program.namesake = lambda: self.connection.namesake
        commands = ProcessorCommands(self.program, lambda: self.program.processor, lambda: self.recorder)
        self.status = StatusPublisher(self.connection, self.program.status, heartbeat_s=config.heartbeat_s)
        self.memory = CommandMemory(began_at=datetime.now(UTC) - timedelta(minutes=1))
        self.agent = ControlAgent(
            self.connection, config, commands.handlers(), memory=self.memory, on_done=self.status.look
        )

    def start(self) -> None:
        self.agent.start()
        self.status.start()
        self.connection.start()

    def stop(self, reason: str = "stopped") -> None:
        self.agent.stop()
        self.status.stop()
        self.connection.stop(reason)


class Desk:
    """Somebody with a connection to the broker: sends what he likes and notes what comes."""

    def __init__(self, broker: LocalBroker | BrokerConfig, tenant: str | None = None) -> None:
        self.topics = Topics(tenant)
        self.acks: list[CommandAck] = []
        self.statuses: list[tuple[str, InstanceStatus | None]] = []
        self._lock = threading.Lock()
        self.connection = MqttConnection(config_of(broker))
        self.connection.subscribe(f"{self.topics.root}/control/status/+/ack", self._take_ack, qos=1)
        self.connection.subscribe(f"{self.topics.root}/status/+", self._take_status, qos=1)
        self.connection.start()
        assert self.connection.wait_connected(DEADLINE_S)

    def _take_ack(self, topic: str, payload: bytes) -> None:
        ack = CommandAck.from_json(payload)
        assert topic == self.topics.ack(ack.instance_id)
        with self._lock:
            self.acks.append(ack)

    def _take_status(self, topic: str, payload: bytes) -> None:
        parsed = parse_topic(topic)
        assert parsed is not None
        with self._lock:
            self.statuses.append((str(parsed.key), InstanceStatus.from_json(payload) if payload else None))

    def status(self, instance_id: str = "gate") -> InstanceStatus | None:
        with self._lock:
            return next((status for name, status in reversed(self.statuses) if name == instance_id), None)

    def wait_for_state(self, state: str, instance_id: str = "gate") -> InstanceStatus:
        def is_so() -> bool:
            status = self.status(instance_id)
            return status is not None and status.state == state

        wait_until(is_so, f"{instance_id} is {state}")
        status = self.status(instance_id)
        assert status is not None
        return status

    def send(self, command: Command | dict[str, object] | bytes, *, retain: bool = False) -> None:
        match command:
            case Command():
                payload = command.to_json()
            case bytes():
                payload = command
            case _:
                payload = json.dumps(command).encode()
        self.connection.publish(self.topics.commands, payload, 1, retain)

    def acks_of(self, command_id: str | None, instance_id: str = "gate") -> list[CommandAck]:
        with self._lock:
            return [ack for ack in self.acks if ack.command_id == command_id and ack.instance_id == instance_id]

    def wait_for(self, command_id: str | None, number: int, instance_id: str = "gate") -> list[CommandAck]:
        wait_until(lambda: len(self.acks_of(command_id, instance_id)) >= number, f"{number} answers to {command_id}")
        return self.acks_of(command_id, instance_id)

    def ask(self, command: Command | dict[str, object], instance_id: str = "gate") -> CommandAck:
        """Send a command and return the last answer."""
        self.send(command)
        command_id = command.command_id if isinstance(command, Command) else command.get("command_id")
        assert command_id is None or isinstance(command_id, str)
        wait_until(
            lambda: any(ack.status != "received" for ack in self.acks_of(command_id, instance_id)),
            f"the last answer to {command_id}",
        )
        return next(ack for ack in self.acks_of(command_id, instance_id) if ack.status != "received")


def wait_until_it_listens(broker: LocalBroker | BrokerConfig, instance_id: str, tenant: str | None = None) -> None:
    """Return once the broker has an instance's subscription: it comes before the first status."""
    desk = Desk(broker, tenant)
    try:
        desk.wait_for_state("running", instance_id)
    finally:
        desk.connection.stop()


@pytest.fixture
def desk(mosquitto: LocalBroker) -> Iterator[Desk]:
    desk = Desk(mosquitto)
    yield desk
    desk.connection.stop()


StartInstance = Callable[..., Instance]


@pytest.fixture
def start_instance(mosquitto: LocalBroker) -> Iterator[StartInstance]:
    running: list[Instance] = []

    def start(instance_id: str = "gate", **settings: object) -> Instance:
        tenant = settings.pop("tenant", None)
        config = ControlConfig.model_validate({"heartbeat_s": 1} | settings)
        tenant = None if tenant is None else str(tenant)
        instance = Instance(mosquitto, instance_id, config, tenant)
        running.append(instance)
        instance.start()
        wait_until_it_listens(mosquitto, instance_id, tenant)
        return instance

    yield start
    for instance in running:
        instance.stop()


@pytest.fixture
def instance(start_instance: StartInstance, desk: Desk) -> Instance:
    instance = start_instance()
    desk.wait_for_state("running")
    return instance
