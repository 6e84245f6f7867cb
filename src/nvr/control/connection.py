"""The one connection of an instance's control plane: its last will, its retained status, and who else speaks over it.

It lives from before the first camera to after the last; the detections have one of their own.
"""

import logging
import math
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from nvr.bus.connection import NO_BROKER, ConnectHandler, LastWill, MessageHandler, MqttConnection
from nvr.config.broker import BrokerConfig
from nvr.control.overlap import Overlap
from nvr.control.own_status import OwnStatus
from nvr.core.clock import Clock, SystemClock
from nvr.core.errors import BrokerError
from nvr.core.names import check_name
from nvr.events.instance_status import InstanceKind, InstanceStatus
from nvr.events.protocol import TopicKind, Topics

logger = logging.getLogger(__name__)

KEEPALIVE_S = 10
"""The broker tells that we are gone within 1.5 times this; at once where the connection breaks."""

GOODBYE_S = 0.5
"""How long the last status may take to reach the broker."""

LATE_S = 1.0
"""By so much a message may be heard later over one of two connections than over the other."""

CONNECTION_LOST = "connection lost"


@dataclass(frozen=True, slots=True)
class _Subscription:
    topic_filter: str
    handler: MessageHandler
    qos: int
    wants_retained: bool


class InstanceConnection:
    """Any thread may call any method; handlers are called in the connection's thread and must be quick."""

    def __init__(
        self,
        broker: BrokerConfig,
        topics: Topics,
        instance_id: str,
        *,
        kind: InstanceKind = "processor",
        keepalive_s: int = KEEPALIVE_S,
        clock: Clock | None = None,
    ) -> None:
        """Prepare; nothing is sent before `start`.

        Args:
            broker: Where it is and who we are.
            topics: Those of the tenant.
            instance_id: Name of this instance among all of the tenant.
            kind: What it is.
            keepalive_s: The broker hears from us at least so often.
            clock: For time stamps.

        Raises:
            ConfigurationError: The name is none, or a certificate file is absent or none.
        """
        self._broker = broker
        self._topics = topics
        self._instance_id = check_name(instance_id, "instance")
        self._kind = kind
        self._keepalive_s = keepalive_s
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._subscriptions: list[_Subscription] = []
        self._on_connect: list[ConnectHandler] = []
        self._on_overwritten: list[ConnectHandler] = []
        self._own = OwnStatus(self._clock)
        self._is_stopped = False
        self._successor: MqttConnection | None = None
        """Another connection while it takes over."""
        self._overlap: Overlap | None = None
        self._overlap_until_s = math.inf
        self._mqtt = self._make(broker, instance_id)

    @property
    def instance_id(self) -> str:
        """Name of this instance, as it is now."""
        return self._instance_id

    @property
    def topics(self) -> Topics:
        """Those of the tenant."""
        return self._topics

    @property
    def is_connected(self) -> bool:
        """Whether the broker hears us."""
        return self._mqtt.is_connected

    @property
    def last_error(self) -> str | None:
        """Why the last try to reach the broker failed; None while all is well."""
        return self._mqtt.last_error

    @property
    def namesake(self) -> str | None:
        """Another process that lives under our name at the same broker, in words; None where there is none."""
        return self._own.namesake

    def on_overwritten(self, handler: ConnectHandler) -> None:
        """Call `handler` when somebody else has said that we are gone: our status is to be told again, in a moment."""
        with self._lock:
            self._on_overwritten.append(handler)

    def on_connect(self, handler: ConnectHandler) -> None:
        """Call `handler` after each connect, also after a change of the name; at once where it stands already."""
        with self._lock:
            self._on_connect.append(handler)
        if self.is_connected:
            handler()

    def start(self) -> None:
        """Begin to connect, in the background and for as long as it takes."""
        self._mqtt.start()

    def wait_connected(self, timeout_s: float) -> bool:
        """Wait until the broker has accepted us; False if it has not in time."""
        return self._mqtt.wait_connected(timeout_s)

    def publish(self, topic: str, payload: bytes, qos: int = 0, retain: bool = False) -> bool:
        """Hand over a message, without a wait.

        Returns:
            Whether it was taken. While the broker is away QoS 0 is lost, and higher QoS waits for its return, unless
            too much waits already.
        """
        receipt = self._mqtt.publish(topic, payload, qos, retain)
        return receipt.rc == 0 or (qos > 0 and receipt.rc == NO_BROKER)

    def subscribe(
        self, topic_filter: str, handler: MessageHandler, qos: int = 0, *, wants_retained: bool = True
    ) -> None:
        """Call `handler` for each message of a topic filter, over all reconnects and names."""
        subscription = _Subscription(topic_filter, handler, qos, wants_retained)
        with self._lock:
            self._subscriptions.append(subscription)
            connections = {self._mqtt, self._successor or self._mqtt}
        for mqtt in connections:
            self._subscribe(mqtt, subscription)

    def say(self, status: InstanceStatus) -> bool:
        """Publish the status under our name, to be kept; False where there is no broker to take it.

        Nothing is kept for a broker that is away: the status of then is nobody's wish when it is back.
        """
        kind = TopicKind.STATUS
        with self._lock:  # to the end, or a name that is taken back meanwhile would be told again
            mqtt, name = self._mqtt, self._instance_id
            if not mqtt.is_connected:
                return False
            own = status if status.instance_id == name else status.model_copy(update={"instance_id": name})
            payload = own.to_json()
            self._own.note(own, payload)
            return mqtt.publish(self._topics.status(name), payload, kind.qos, kind.is_retained).rc == 0

    def rename(self, instance_id: str, timeout_s: float = 5.0) -> None:
        """Go on under another name, with a last will of that name; the old name's status is taken back.

        Raises:
            BrokerError: The broker did not accept us under the new name in time; the old one stays.
            ConfigurationError: The name is none.
        """
        check_name(instance_id, "instance")
        if instance_id != self._instance_id:
            self._change(self._broker, instance_id, timeout_s, must_connect=True)

    def move(self, broker: BrokerConfig, instance_id: str, timeout_s: float = 2.0) -> None:
        """Go on at another broker, as another user of the same one, or under another name, whether it answers or not.

        The old connection ends when the new one stands, or after the time: the new one is tried for as long as it
        takes, as it is what is wanted now. All subscriptions come along.

        Raises:
            ConfigurationError: The name is none, or a certificate file is absent or none; nothing has changed.
        """
        check_name(instance_id, "instance")
        if (broker, instance_id) != (self._broker, self._instance_id):
            self._change(broker, instance_id, timeout_s, must_connect=False)

    def _change(self, broker: BrokerConfig, name: str, timeout_s: float, *, must_connect: bool) -> None:
        old_broker, old_name, has_namesake = self._broker, self._instance_id, self.namesake is not None
        successor = self._make(broker, name)
        with self._overlapping(successor):
            is_there = successor.wait_connected(timeout_s) and successor.wait_subscribed(timeout_s)
            if must_connect and not is_there:
                reason = successor.last_error or f"no answer within {timeout_s:g} s"
                successor.stop()
                raise BrokerError(f"instance {old_name} stays: {name} was not accepted, {reason}")
            old = self._go_over(successor, broker, name)
            if old is None:
                raise BrokerError(f"instance {old_name} stays: it was stopped before it was called {name}")
            farewell = None  # at the same broker the status goes on, and is told again at once
            if name != old_name and not has_namesake:
                farewell = b""
            elif not has_namesake and (old_broker.host, old_broker.port) != (broker.host, broker.port):
                farewell = self._farewell(name, "it goes on at another broker")
            _leave(old, self._topics.status(old_name), farewell)
        self._connected(successor)
        if name != old_name:
            logger.info("instance %s is now called %s", old_name, name)

    def stop(self, reason: str = "stopped", timeout_s: float = 1.0) -> None:
        """Say that we are gone for good, and why, then disconnect; returns within about the time whatever happens.

        Nothing is said where another process lives under the same name: it is not gone.
        """
        with self._lock:
            self._is_stopped = True
            mqtt, name = self._mqtt, self._instance_id
        farewell = self._farewell(name, reason) if self.namesake is None else None
        _leave(mqtt, self._topics.status(name), farewell, timeout_s)

    @contextmanager
    def _overlapping(self, successor: MqttConnection) -> Iterator[None]:
        """Start a connection beside the one that counts, and take what either of them hears until the end."""
        with self._lock:
            subscriptions = tuple(self._subscriptions)
            self._successor = successor
            self._overlap, self._overlap_until_s = Overlap(), math.inf
        try:
            for subscription in subscriptions:
                self._subscribe(successor, subscription)
            successor.start()
            yield
        finally:
            self._successor = None
            self._overlap_until_s = self._clock.monotonic() + LATE_S

    def _go_over(self, successor: MqttConnection, broker: BrokerConfig, name: str) -> MqttConnection | None:
        """Let another connection be the one that counts; returns the old one, None where we were stopped meanwhile."""
        with self._lock:
            old = self._mqtt
            if not self._is_stopped:
                self._mqtt, self._broker, self._instance_id = successor, broker, name
                self._own.forget_others()
                return old
        successor.stop()
        return None

    def _farewell(self, instance_id: str, reason: str) -> bytes:
        return self._offline(instance_id, reason).model_copy(update={"timestamp": self._clock.now()}).to_json()

    def _make(self, broker: BrokerConfig, instance_id: str) -> MqttConnection:
        will = LastWill(self._topics.status(instance_id), self._offline(instance_id, CONNECTION_LOST).to_json())
        mqtt: MqttConnection
        mqtt = MqttConnection(
            broker,
            # the same for each reconnect, so that the broker ends a half-dead predecessor, whose last will then comes
            # before what we say and not after it; and of nobody else, who would be thrown out
            client_id=f"nvr-{uuid.uuid4().hex[:18]}",
            will=will,
            on_connect=lambda: self._connected(mqtt),
            keepalive_s=self._keepalive_s,
            clock=self._clock,
            purpose="control",
        )
        kind = TopicKind.STATUS
        mqtt.subscribe(self._topics.status(instance_id), lambda _, payload: self._hear_own(mqtt, payload), kind.qos)
        return mqtt

    def _hear_own(self, mqtt: MqttConnection, payload: bytes) -> None:
        if mqtt is not self._mqtt or not self._own.hear(payload):
            return
        with self._lock:
            handlers = () if self._is_stopped else tuple(self._on_overwritten)
        for handler in handlers:
            handler()

    def _offline(self, instance_id: str, reason: str) -> InstanceStatus:
        return InstanceStatus.offline(instance_id, self._kind, reason)

    def _subscribe(self, mqtt: MqttConnection, subscription: _Subscription) -> None:
        mqtt.subscribe(
            subscription.topic_filter,
            self._once(mqtt, subscription.handler),
            subscription.qos,
            wants_retained=subscription.wants_retained,
        )

    def _once(self, mqtt: MqttConnection, handler: MessageHandler) -> MessageHandler:
        # while one connection takes over from another both receive the same messages
        def handle(topic: str, payload: bytes) -> None:
            is_current, overlap = mqtt is self._mqtt, self._overlap
            if overlap is not None and self._clock.monotonic() > self._overlap_until_s:
                overlap = self._overlap = None
            if is_current if overlap is None else overlap.admits(mqtt, topic, payload, is_current=is_current):
                handler(topic, payload)

        return handle

    def _connected(self, mqtt: MqttConnection) -> None:
        with self._lock:
            handlers = tuple(self._on_connect) if mqtt is self._mqtt else ()
        for handler in handlers:
            handler()


def _leave(mqtt: MqttConnection, topic: str, last_words: bytes | None, timeout_s: float = 1.0) -> None:
    if last_words is not None and mqtt.is_connected:
        receipt = mqtt.publish(topic, last_words, qos=1, retain=True)
        if receipt.rc == 0:
            receipt.wait_for_publish(min(GOODBYE_S, timeout_s))
    mqtt.stop(timeout_s)
