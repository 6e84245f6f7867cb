"""What `nvr up` says and hears on the broker: its own status, the command `reload`, and how its processors do."""

import queue
import socket
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass

from pydantic import JsonValue

from nvr import __version__
from nvr.config.broker import BrokerConfig
from nvr.config.operations import ControlConfig
from nvr.control.agent import ControlAgent
from nvr.control.connection import InstanceConnection
from nvr.control.handlers import Request
from nvr.control.memory import CommandMemory
from nvr.control.status import with_namesake
from nvr.control.status_publisher import StatusPublisher
from nvr.core.clock import Clock
from nvr.core.errors import MessageError, TransientError
from nvr.events.instance_metrics import InstanceMetrics
from nvr.events.instance_status import InstanceStatus
from nvr.events.protocol import TopicKind, Topics

MAX_HEARD = 2000
RELOAD_TIMEOUT_S = 20.0
AGENT_STOP_S = 0.2
GOODBYE_S = 0.3
MOVE_S = 1.0
"""How long another broker is waited for; the processes are not looked after meanwhile."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One message of an instance."""

    tenant: str | None
    message: InstanceStatus | InstanceMetrics


class ReloadRequest:
    """A wish to read the settings anew, from another thread; the owner answers it."""

    def __init__(self) -> None:
        self._answer: Future[JsonValue] = Future()

    def answer(self, result: JsonValue) -> None:
        """Say how it went."""
        self._answer.set_result(result)

    def fail(self, error: Exception) -> None:
        """Say why it did not."""
        self._answer.set_exception(error)

    def wait(self, timeout_s: float) -> JsonValue:
        """Return the answer, or raise what it failed with.

        Raises:
            TransientError: There was none in time.
        """
        try:
            return self._answer.result(timeout_s)
        except FutureTimeoutError as error:
            raise TransientError(f"the settings were not read within {timeout_s:g} s") from error


class UpControl:
    """Connection, status and agent of the supervisor. `requests` and `heard` are emptied by its owner's thread."""

    def __init__(
        self,
        broker: BrokerConfig,
        instance_id: str,
        settings: ControlConfig,
        *,
        status: Callable[[], InstanceStatus],
        wake: Callable[[], None],
        memory: CommandMemory,
        clock: Clock,
    ) -> None:
        """Prepare.

        Args:
            broker: Where it is.
            instance_id: Name of the supervisor.
            settings: Who may command.
            memory: What the supervisor knows of earlier commands.
            status: Says how the supervisor is; called in a thread of its own.
            wake: Called when there is something in `requests`; any thread.
            clock: For time stamps.

        Raises:
            ConfigurationError: The name is none, or a certificate file is absent or none.
        """
        self.requests: queue.SimpleQueue[ReloadRequest] = queue.SimpleQueue()
        self._heard: deque[tuple[str | None, TopicKind, bytes]] = deque(maxlen=MAX_HEARD)
        self._wake = wake
        self._clock = clock
        self._tenants: set[str | None] = set()
        self._connection = InstanceConnection(broker, Topics(), instance_id, kind="supervisor", clock=clock)
        self._source = status
        self._publisher = StatusPublisher(self._connection, self._status, heartbeat_s=settings.heartbeat_s, clock=clock)
        handlers = {
            "ping": self._ping,
            "status": lambda _: self._status().model_dump(mode="json"),
            "reload": self._reload,
        }
        self._agent = ControlAgent(
            self._connection, settings, handlers, memory=memory, on_done=self._publisher.look, clock=clock
        )

    @property
    def is_connected(self) -> bool:
        """Whether we hear the broker."""
        return self._connection.is_connected

    @property
    def last_error(self) -> str | None:
        """Why the broker was not reached the last time."""
        return self._connection.last_error

    def reconfigure(self, broker: BrokerConfig, settings: ControlConfig) -> None:
        """Go on at another broker, or by other rules; what was answered stays known.

        Raises:
            BrokerError: It was stopped.
            ConfigurationError: A certificate file is absent or none.
        """
        self._connection.move(broker, self._connection.instance_id, MOVE_S)
        self._agent.reconfigure(settings)
        self._publisher.set_heartbeat(settings.heartbeat_s)

    def start(self) -> None:
        """Begin to connect, for as long as it takes."""
        self._connection.start()
        self._publisher.start()
        self._agent.start()

    def watch(self, tenants: Sequence[str | None]) -> None:
        """Hear the instances of these tenants from now on, too."""
        for tenant in tenants:
            if tenant not in self._tenants:
                self._tenants.add(tenant)
                topics = Topics(tenant)
                for kind in (TopicKind.STATUS, TopicKind.METRICS):
                    self._connection.subscribe(topics.filter(kind), self._taker(tenant, kind), kind.qos)

    def look(self) -> None:
        """Tell the status soon: something changed."""
        self._publisher.look()

    def heard(self) -> list[Heard]:
        """Return what was heard since the last call; what cannot be read is left out."""
        found = []
        while self._heard:
            tenant, kind, payload = self._heard.popleft()
            model = InstanceStatus if kind is TopicKind.STATUS else InstanceMetrics
            try:
                found.append(Heard(tenant, model.from_json(payload)))
            except MessageError:
                continue  # also what takes a status back, which is empty; others tell of nonsense
        return found

    def stop(self) -> None:
        """Say good-bye, while there is a broker."""
        self._agent.stop(AGENT_STOP_S)
        self._publisher.stop(AGENT_STOP_S)
        self._connection.stop("stopped", GOODBYE_S)

    def _taker(self, tenant: str | None, kind: TopicKind) -> Callable[[str, bytes], None]:
        return lambda _topic, payload: self._heard.append((tenant, kind, payload))

    def _status(self) -> InstanceStatus:
        return with_namesake(self._source(), self._connection.namesake)

    def _ping(self, _request: Request) -> JsonValue:
        told = self._status()
        uptime_s = None
        if told.started_at is not None:
            uptime_s = round((self._clock.now() - told.started_at).total_seconds(), 3)
        return {"version": __version__, "host": socket.gethostname(), "state": told.state, "uptime_s": uptime_s}

    def _reload(self, _request: Request) -> JsonValue:
        request = ReloadRequest()
        self.requests.put(request)
        self._wake()
        return request.wait(RELOAD_TIMEOUT_S)
