"""Commands instances and gathers their answers; also tells who should have answered and did not."""

import logging
import threading
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from types import TracebackType
from typing import Literal, Self

from pydantic import JsonValue, SecretStr, ValidationError

from nvr.bus.connection import MqttConnection
from nvr.config.broker import BrokerConfig
from nvr.control.registry import Presence, ProcessorRegistry
from nvr.control.signing import check_key, key_of_tenant, signed
from nvr.core.clock import Clock, SystemClock
from nvr.core.errors import BrokerError, InvalidInputError, MessageError
from nvr.core.throttle import ThrottledLog
from nvr.core.validation import first_problem
from nvr.events.command import ALL_INSTANCES, Command, CommandAck, CommandError
from nvr.events.protocol import TopicKind, Topics

logger = logging.getLogger(__name__)

CONNECT_S = 5.0
SETTLE_S = 0.25
"""After a connect the broker hands over the retained statuses; then it is known who should answer."""

OFFLINE_GRACE_S = 1.0
"""An instance that is said to be offline may answer so long: it may just be coming."""

AGAIN_S = 1.0
"""A command during which the connection was lost is sent again so often."""

FOR_ANY_KIND = frozenset({"ping", "status", "reload"})
"""What is to be answered by supervisors and the like, too; of `*`, the rest is for processors."""

EXPIRES_S = 30.0
"""A command is not carried out so much later than its sender waits: clocks differ, and connections hang."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What one instance answered."""

    instance_id: str
    status: Literal["completed", "error", "received", "silent"]
    """`received`: it has not ended in time; `silent`: no answer at all."""
    result: JsonValue = None
    error: CommandError | None = None
    duration_ms: float | None = None
    """From its receipt to its end, as the instance says."""
    received_ms: float | None = None
    """From sending to the first answer, here."""
    round_trip_ms: float | None = None
    """From sending to the last answer, here."""
    presence: Presence | None = None
    """What its status said; None where it has none."""
    reason: str | None = None
    """The reason that its status gave."""

    @property
    def is_ok(self) -> bool:
        """Whether it was done."""
        return self.status == "completed"


class _Exchange:
    """One command that is under way, with what has come of it."""

    def __init__(self, command: Command, payload: bytes, sent_s: float) -> None:
        self.command = command
        self.payload = payload
        self.sent_s = sent_s
        self.again_s: float | None = None
        """When it is to be sent again, after the connection was lost on the way."""
        self.replies: dict[str, Reply] = {}
        self.changed = threading.Event()

    def note(self, ack: CommandAck, now_s: float) -> None:
        passed_ms = 1000 * (now_s - self.sent_s)
        before = self.replies.get(ack.instance_id)
        if before is not None and before.status in {"completed", "error"}:
            return
        received_ms = passed_ms if before is None else before.received_ms
        reply = Reply(ack.instance_id, ack.status, received_ms=received_ms)
        if ack.status != "received":
            reply = replace(
                reply, result=ack.result, error=ack.error, duration_ms=ack.duration_ms, round_trip_ms=passed_ms
            )
        self.replies[ack.instance_id] = reply
        self.changed.set()


class ControlClient:
    """A connection of its own to the broker; several commands may be under way, from any threads."""

    def __init__(
        self,
        broker: BrokerConfig,
        *,
        tenant: str | None = None,
        key: SecretStr | None = None,
        issuer: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Prepare; nothing is sent before `start`.

        Args:
            broker: Where it is and who we are.
            tenant: Whose instances; None for the default tenant's.
            key: Shared key with which commands are signed; None: they are not.
            issuer: Who asks, for the audit.
            clock: For time stamps and intervals.

        Raises:
            ConfigurationError: The key is too short, the tenant has no valid name, or a certificate file is absent.
        """
        self._topics = Topics(tenant)
        self._key = None if key is None else key_of_tenant(check_key(key.get_secret_value()), tenant)
        self._issuer = issuer
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._exchanges: dict[str, _Exchange] = {}
        self._connected_s = 0.0
        self._trouble = ThrottledLog(logger, clock=self._clock)
        self._connection = MqttConnection(broker, on_connect=self._connected, clock=self._clock)
        self._registry = ProcessorRegistry(
            self._connection, tenant=tenant, on_change=lambda _: self._look_again(), clock=self._clock
        )

    @property
    def registry(self) -> ProcessorRegistry:
        """Who lives."""
        return self._registry

    def start(self, timeout_s: float = CONNECT_S) -> None:
        """Connect.

        Raises:
            BrokerError: The broker was not reached in time, or refused us.
        """
        self._connection.subscribe(self._topics.filter(TopicKind.ACK), self._take, TopicKind.ACK.qos)
        self._registry.start()
        self._connection.start()
        if not self._connection.wait_connected(timeout_s):
            problem = self._connection.last_error or f"broker {self._connection.address} did not answer"
            self.stop()
            raise BrokerError(f"{problem} (waited {timeout_s:g} s)")

    def stop(self) -> None:
        """Disconnect; what is under way ends with what has come so far."""
        self._registry.stop()
        self._connection.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def settle(self) -> None:
        """Wait until the statuses that the broker has kept are here; returns at once on an old connection."""
        waiting = threading.Event()
        while (left_s := self._connected_s + SETTLE_S - self._clock.monotonic()) > 0:
            waiting.wait(left_s)

    def send(
        self,
        command: str,
        params: Mapping[str, JsonValue] | None = None,
        *,
        targets: Sequence[str] = (ALL_INSTANCES,),
        source_ids: Collection[int] | None = None,
        timeout_s: float = 10.0,
    ) -> list[Reply]:
        """Send a command and wait for the answers of all who should answer.

        With `*` these are the instances that live by their retained status, and whoever answers besides.

        Args:
            command: Its name.
            params: Its parameters.
            targets: Instances that it is for; `*` is all.
            source_ids: Cameras that it is for; None for all of each instance.
            timeout_s: How long to wait; who has not ended by then is among the replies, too.

        Returns:
            One reply of each instance, by name; empty where there is none.

        Raises:
            BrokerError: The broker is away for all that time.
            InvalidInputError: That is no command.
        """
        exchange = self._make(command, params or {}, targets, source_ids, timeout_s)
        command_id = str(exchange.command.command_id)
        with self._lock:
            self._exchanges[command_id] = exchange
        try:
            self._publish(exchange)
            self._gather(exchange, timeout_s)
        finally:
            with self._lock:
                del self._exchanges[command_id]
        if not exchange.replies and not self._connection.is_connected:
            raise BrokerError(self._connection.last_error or f"broker {self._connection.address} is away")
        return self._replies(exchange)

    def _make(
        self,
        name: str,
        params: Mapping[str, JsonValue],
        targets: Sequence[str],
        source_ids: Collection[int] | None,
        timeout_s: float,
    ) -> _Exchange:
        now = self._clock.now()
        try:
            command = Command(
                command=name,
                command_id=uuid.uuid4().hex,
                target_instances=tuple(targets),
                source_ids=None if source_ids is None else tuple(source_ids),
                params=dict(params),
                issued_at=now,
                expires_at=now + timedelta(seconds=timeout_s + EXPIRES_S),
                issuer=self._issuer,
            )
        except ValidationError as error:
            raise InvalidInputError(f"not a command: {first_problem(error)}") from error
        if self._key is not None:
            command = signed(command, self._key)
        return _Exchange(command, command.to_json(), self._clock.monotonic())

    def _publish(self, exchange: _Exchange) -> None:
        kind = TopicKind.COMMANDS
        self._connection.publish(self._topics.commands, exchange.payload, kind.qos, kind.is_retained)

    def _gather(self, exchange: _Exchange, timeout_s: float) -> None:
        deadline_s = exchange.sent_s + timeout_s
        while True:
            exchange.changed.clear()
            now_s = self._clock.monotonic()
            left_s = deadline_s - now_s
            if left_s <= 0 or self._is_complete(exchange, now_s):
                return
            if exchange.again_s is not None and now_s >= exchange.again_s:
                exchange.again_s = now_s + AGAIN_S
                self._publish(exchange)
            exchange.changed.wait(min(left_s, SETTLE_S))

    def _is_complete(self, exchange: _Exchange, now_s: float) -> bool:
        has_settled = now_s - self._connected_s >= SETTLE_S
        if ALL_INSTANCES in exchange.command.target_instances and not has_settled:
            return False
        return all(self._is_over(exchange, name, now_s) for name in self._expected(exchange))

    def _is_over(self, exchange: _Exchange, name: str, now_s: float) -> bool:
        reply = exchange.replies.get(name)
        if reply is not None:
            return reply.status != "received"
        known = self._registry.get(name)
        is_gone = known is not None and known.presence is Presence.OFFLINE
        return is_gone and now_s - exchange.sent_s >= OFFLINE_GRACE_S

    def _expected(self, exchange: _Exchange) -> set[str]:
        """Return who is to answer, as far as is known now, and who has answered besides."""
        targets = set(exchange.command.target_instances)
        if ALL_INSTANCES in targets:
            is_for_any = exchange.command.command in FOR_ANY_KIND
            targets = {
                known.instance_id
                for known in self._registry.instances()
                if known.takes_commands and (is_for_any or known.status.kind == "processor")
            }
        return targets | exchange.replies.keys()

    def _replies(self, exchange: _Exchange) -> list[Reply]:
        replies = []
        for name in sorted(self._expected(exchange)):
            known = self._registry.get(name)
            reply = exchange.replies.get(name) or Reply(name, "silent")
            if known is not None:
                reply = replace(reply, presence=known.presence, reason=known.status.reason)
            replies.append(reply)
        return replies

    def _take(self, topic: str, payload: bytes) -> None:
        try:
            ack = CommandAck.from_json(payload)
            if topic != self._topics.ack(ack.instance_id):
                raise MessageError(f"{topic}: the answer is of instance {ack.instance_id[:80]!r}")
        except InvalidInputError as error:
            self._trouble.report(str(error))
            return
        with self._lock:
            exchange = self._exchanges.get(ack.command_id or "")
        if exchange is not None:
            exchange.note(ack, self._clock.monotonic())

    def _connected(self) -> None:
        self._connected_s = self._clock.monotonic()
        with self._lock:
            exchanges = tuple(self._exchanges.values())
        for exchange in exchanges:
            # an answer may have come while we were away, and instances may come back later than we: whoever has
            # answered before answers again, and carries nothing out twice
            exchange.again_s = self._connected_s
            exchange.changed.set()

    def _look_again(self) -> None:
        with self._lock:
            for exchange in self._exchanges.values():
                exchange.changed.set()
