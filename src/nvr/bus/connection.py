"""One connection to the broker that mends itself.

Wraps paho, which works in a thread of its own: publishing costs the caller no network wait. Adds what paho leaves
to its users: bounded queues for every QoS, TCP_NODELAY, subscriptions that survive a reconnect, a bounded stop.
"""

import contextlib
import logging
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from nvr.bus.tls import TlsContext
from nvr.config.broker import BrokerConfig
from nvr.core.clock import Clock, SystemClock
from nvr.core.throttle import ThrottledLog

logger = logging.getLogger(__name__)

MessageHandler = Callable[[str, bytes], None]
"""Takes topic and payload, in the connection's thread: be quick, raise nothing."""

ConnectHandler = Callable[[], None]
"""Called in the connection's thread after each connect and its subscriptions: be quick."""


@dataclass(frozen=True, slots=True)
class LastWill:
    """What the broker publishes when the connection is lost without a goodbye."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = True


NO_BROKER = int(MQTTErrorCode.MQTT_ERR_NO_CONN)
"""`rc` of a receipt for a message that no broker could take at that moment; QoS 1 and 2 wait for its return."""

MAX_PENDING = 1000
"""Messages that may wait for a slow or absent broker."""

KEEPALIVE_S = 15
UNSUBSCRIBE_S = 0.2
RECONNECT_MIN_S = 1
RECONNECT_MAX_S = 8

_LOST = {
    "Unspecified error": "the connection broke or was ended by the broker",
    "Keep alive timeout": "it does not answer any more",
}
"""What paho means by the names that it takes from MQTT 5 for the end of a connection."""


class MqttConnection:
    """Publish and subscribe; both may be called from any thread, before and after the broker is there."""

    def __init__(
        self,
        broker: BrokerConfig,
        *,
        client_id: str = "",
        will: LastWill | None = None,
        on_connect: ConnectHandler | None = None,
        keepalive_s: int = KEEPALIVE_S,
        clock: Clock | None = None,
        purpose: str = "",
    ) -> None:
        """Prepare the connection; nothing is sent before `start`.

        Args:
            broker: Where it is and who we are.
            client_id: Name at the broker, unique there; empty lets the broker choose.
            will: Published by the broker within 1.5 times `keepalive_s` after we vanished.
            on_connect: Called after each connect, the first one too; what it raises is logged.
            keepalive_s: The broker hears from us at least so often.
            clock: For the reports about trouble.
            purpose: What the log calls it, where a process has several to the same broker.

        Raises:
            ConfigurationError: A certificate file is absent or none.
        """
        self._address = f"{broker.host}:{broker.port}"
        self._broker = broker
        self._prefix = f"{purpose}: " if purpose else ""
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=client_id, reconnect_on_failure=True)
        if broker.username is not None:
            password = None if broker.password is None else broker.password.get_secret_value()
            self._client.username_pw_set(broker.username, password)
        if broker.tls:
            self._client.tls_set_context(TlsContext.of(broker))
        if will is not None:
            self._client.will_set(will.topic, will.payload, will.qos, will.retain)
        self._on_connected = on_connect
        self._keepalive_s = keepalive_s
        self._client.max_queued_messages_set(MAX_PENDING)
        self._client.reconnect_delay_set(RECONNECT_MIN_S, RECONNECT_MAX_S)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self._client.on_publish = self._on_publish
        self._client.on_subscribe = self._on_subscribe
        self._client.on_unsubscribe = self._on_unsubscribe
        self._client.on_socket_open = _disable_nagle
        self._lock = threading.Lock()
        self._handlers: dict[str, tuple[int, MessageHandler]] = {}
        self._connected = threading.Event()
        self._subscribed = threading.Event()
        self._unsubscribed = threading.Event()
        self._last_error: str | None = None
        self._pending_qos0: set[int] = set()
        self._trouble = ThrottledLog(logger, clock=clock or SystemClock())
        self._is_started = False
        self._is_stopped = False

    @property
    def address(self) -> str:
        """Host and port of the broker."""
        return self._address

    @property
    def is_connected(self) -> bool:
        """Whether the broker has accepted the connection and it still stands."""
        return self._connected.is_set()

    @property
    def last_error(self) -> str | None:
        """Why the last try failed; None while all is well."""
        return self._last_error

    def start(self) -> None:
        """Begin to connect, in the background and for as long as it takes.

        Raises:
            RuntimeError: It was stopped; a connection is used once.
        """
        if self._is_stopped:
            raise RuntimeError(f"the connection to {self._address} was stopped before")
        if self._is_started:
            return
        self._is_started = True
        self._client.connect_async(self._broker.host, self._broker.port, keepalive=self._keepalive_s)
        self._client.loop_start()

    def stop(self, timeout_s: float = 1.0) -> None:
        """Disconnect for good; returns within about `timeout_s` even if the broker hangs."""
        self._is_stopped = True
        if not self._is_started:
            return
        self._is_started = False
        self._unsubscribe(min(UNSUBSCRIBE_S, timeout_s))
        self._client.disconnect()
        # loop_stop joins paho's thread, which may sit in a name look-up or a connect for seconds
        stopper = threading.Thread(target=self._end, name="mqtt-stop", daemon=True)
        stopper.start()
        stopper.join(timeout_s)
        self._connected.clear()
        self._subscribed.clear()

    def _unsubscribe(self, timeout_s: float) -> None:
        # a socket that is closed with something unread is reset, and may take the goodbye before it along: the broker
        # would publish the last will, after what was said last
        with self._lock:
            topic_filters = list(self._handlers)
        if topic_filters and self.is_connected and self._client.unsubscribe(topic_filters)[0] == 0:
            self._unsubscribed.wait(timeout_s)

    def _end(self) -> None:
        client = self._client
        with contextlib.suppress(AttributeError):  # paho's thread may end by itself just before it is joined
            client.loop_stop()
        # paho closes the pair of sockets that wakes its thread only when the client is destroyed, which a cycle of
        # references through these callbacks would leave to the garbage collector
        client._reset_sockets(sockpair_only=True)  # noqa: SLF001 - there is no public way
        client.on_connect = client.on_connect_fail = client.on_disconnect = None
        client.on_message = client.on_publish = client.on_socket_open = None
        client.on_subscribe = client.on_unsubscribe = None
        with self._lock:
            topic_filters = list(self._handlers)
        for topic_filter in topic_filters:
            client.message_callback_remove(topic_filter)

    def wait_connected(self, timeout_s: float) -> bool:
        """Wait until the broker has accepted the connection; False if it has not in time."""
        return self._connected.wait(timeout_s)

    def wait_subscribed(self, timeout_s: float) -> bool:
        """Wait until the broker has answered to the first subscriptions after a connect, so that nothing is missed."""
        return self._subscribed.wait(timeout_s)

    def publish(self, topic: str, payload: bytes, qos: int = 0, retain: bool = False) -> MQTTMessageInfo:
        """Hand a message to the connection's thread; never waits for the network.

        Returns:
            paho's receipt: its `rc` is 0 where the message was taken, `MQTT_ERR_NO_CONN` where QoS 0 was lost for
            want of a broker (higher QoS is kept for its return), `MQTT_ERR_QUEUE_SIZE` where too much waits.
        """
        if qos == 0:
            with self._lock:
                is_full = len(self._pending_qos0) >= MAX_PENDING
            if is_full:
                return _refused()
        receipt = self._client.publish(topic, payload, qos, retain)
        if qos == 0 and receipt.rc == MQTTErrorCode.MQTT_ERR_SUCCESS and not receipt.is_published():
            with self._lock:
                self._pending_qos0.add(receipt.mid)
            if receipt.is_published() or not self.is_connected:  # it went out, or was lost, meanwhile
                self._forget(receipt.mid)
        return receipt

    def subscribe(
        self, topic_filter: str, handler: MessageHandler, qos: int = 0, *, wants_retained: bool = True
    ) -> None:
        """Call `handler` for each message of a topic filter, over all reconnects.

        Args:
            topic_filter: As MQTT has them, with `+` and `#`.
            handler: Takes topic and payload.
            qos: At most so good is the delivery.
            wants_retained: False drops what the broker has kept from before the subscription: it would come again
                with each reconnect.
        """
        self._client.message_callback_add(topic_filter, self._dispatcher(handler, wants_retained))
        with self._lock:
            self._handlers[topic_filter] = (qos, handler)
            is_connected = self.is_connected
        if is_connected:
            self._client.subscribe(topic_filter, qos)

    def _dispatcher(self, handler: MessageHandler, wants_retained: bool) -> Callable[[Client, Any, MQTTMessage], None]:
        def dispatch(_client: Client, _userdata: Any, message: MQTTMessage) -> None:  # noqa: ANN401 - paho's signature
            try:
                topic = message.topic
            except UnicodeDecodeError:
                self._trouble.report(f"broker {self._address} delivered a topic that is not UTF-8")
                return
            if message.retain and not wants_retained:
                self._trouble.report(f"a message on {topic} was retained, which nothing there may be: not taken")
                return
            try:
                handler(topic, bytes(message.payload))
            except Exception as error:  # noqa: BLE001 - the supervisor of handlers: paho's thread would end for good
                self._trouble.report(f"the handler of {topic} failed: {error!r}", error)

        return dispatch

    def _forget(self, mid: int) -> None:
        with self._lock:
            self._pending_qos0.discard(mid)

    def _on_connect(
        self,
        client: Client,
        _userdata: Any,  # noqa: ANN401 - paho's signature
        _flags: ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._note_error(f"broker {self._address} refused the connection: {reason}")
            return
        with self._lock:
            self._last_error = None
            subscriptions = [(topic_filter, qos) for topic_filter, (qos, _) in self._handlers.items()]
            if subscriptions:
                client.subscribe(subscriptions)
            else:
                self._subscribed.set()
            self._connected.set()  # under the lock: who subscribes now is among those above, or does it himself
        logger.info("%sconnected to broker %s", self._prefix, self._address)
        try:
            if self._on_connected is not None:
                self._on_connected()
        except Exception as error:  # noqa: BLE001 - the supervisor of handlers: paho's thread would end for good
            self._trouble.report(f"what follows a connect to {self._address} failed: {error!r}", error)

    def _on_connect_fail(self, _client: Client, _userdata: Any) -> None:  # noqa: ANN401 - paho's signature
        reason = ", or its certificate is not trusted" if self._broker.tls else ""
        self._note_error(f"broker {self._address} cannot be reached{reason}")

    def _on_disconnect(
        self,
        _client: Client,
        _userdata: Any,  # noqa: ANN401 - paho's signature
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        was_connected = self._connected.is_set()
        self._connected.clear()
        self._subscribed.clear()
        with self._lock:
            self._pending_qos0.clear()
        if self._is_started and was_connected:
            self._note_error(f"lost broker {self._address}: {_LOST.get(reason.getName(), reason)}")

    def _note_error(self, sentence: str) -> None:
        self._last_error = sentence
        self._trouble.report(f"{self._prefix}{sentence}")

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:  # noqa: ANN401 - paho's signature
        self._trouble.report(f"broker {self._address} delivered a message that nobody subscribed ({message.mid})")

    def _on_subscribe(
        self,
        _client: Client,
        _userdata: Any,  # noqa: ANN401 - paho's signature
        _mid: int,
        _reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        self._subscribed.set()

    def _on_unsubscribe(
        self,
        _client: Client,
        _userdata: Any,  # noqa: ANN401 - paho's signature
        _mid: int,
        _reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        self._unsubscribed.set()

    def _on_publish(
        self,
        _client: Client,
        _userdata: Any,  # noqa: ANN401 - paho's signature
        mid: int,
        _reason: ReasonCode,
        _properties: Properties,
    ) -> None:
        self._forget(mid)


def _refused() -> MQTTMessageInfo:
    receipt = MQTTMessageInfo(0)
    receipt.rc = MQTTErrorCode.MQTT_ERR_QUEUE_SIZE
    return receipt


def _disable_nagle(_client: Client, _userdata: Any, sock: Any) -> None:  # noqa: ANN401 - paho's signature
    # with Nagle's algorithm 500 small messages a second wait 18-24 ms each, without it under 1 ms
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
