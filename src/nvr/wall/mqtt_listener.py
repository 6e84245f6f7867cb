"""From MQTT into the detection cache; whatever else arrives is counted and told once a second."""

import logging
import threading
from collections.abc import Callable
from typing import Protocol

from nvr.core.clock import Clock, SystemClock
from nvr.core.errors import MessageError
from nvr.core.histogram import Histogram, HistogramSnapshot
from nvr.core.throttle import ThrottledLog
from nvr.events import DetectionEvent, parse_source_id_from_topic
from nvr.events.protocol import DEFAULT_DETECTIONS_PREFIX
from nvr.wall.detection_cache import DetectionCache

logger = logging.getLogger(__name__)

MAX_PAYLOAD_BYTES = 1_000_000
"""An event of a crowded picture has some 100 kB; parsing more would only delay the others."""


class Subscriber(Protocol):
    """What the listener needs of a connection: `nvr.bus.MqttConnection` is one."""

    def subscribe(self, topic_filter: str, handler: Callable[[str, bytes], None], qos: int = 0) -> None:
        """Call `handler` with topic and payload of each message, over all reconnects."""
        ...


class MQTTListener:
    """Puts each DetectionEvent below a topic prefix into a cache.

    Its handler runs in the connection's thread and never raises. Reconnecting and subscribing anew is the
    connection's work.
    """

    def __init__(
        self,
        connection: Subscriber,
        cache: DetectionCache,
        *,
        topic_prefix: str = DEFAULT_DETECTIONS_PREFIX,
        on_event: Callable[[DetectionEvent], None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Prepare the listener; nothing is subscribed before `start`.

        Args:
            connection: Started and stopped by its owner.
            cache: Where events go.
            topic_prefix: Topic of detections without the source id.
            on_event: Called for each event that the cache has taken; must be quick and raise nothing.
            clock: For latencies and the reports about bad messages.
        """
        self._clock = clock or SystemClock()
        self._connection = connection
        self._cache = cache
        self._topic_prefix = topic_prefix.rstrip("/")
        self._on_event = on_event
        self._trouble = ThrottledLog(logger, clock=self._clock)
        self._lock = threading.Lock()
        self._n_events = 0
        self._latency = Histogram()

    @property
    def n_events(self) -> int:
        """How many good events arrived."""
        return self._n_events

    @property
    def n_bad(self) -> int:
        """How many messages were refused."""
        return self._trouble.total

    @property
    def latency(self) -> HistogramSnapshot:
        """Seconds from the capture of a frame to the arrival of its event; frames of the past are left out."""
        return self._latency.snapshot()

    @property
    def topic_prefix(self) -> str:
        """Topic of detections without the source id."""
        return self._topic_prefix

    def start(self) -> None:
        """Subscribe; may be called before the broker is there."""
        self._connection.subscribe(f"{self._topic_prefix}/+", self.handle)

    def handle(self, topic: str, payload: bytes) -> None:
        """Take one message."""
        try:
            event = read_event(topic, payload)
        except MessageError as error:
            self._trouble.report(str(error))
            return
        with self._lock:
            self._n_events += 1
            if not event.replayed:
                self._latency.observe((self._clock.now() - event.timestamp).total_seconds())
        if self._cache.put(event) and self._on_event is not None:
            self._on_event(event)


def read_event(topic: str, payload: bytes) -> DetectionEvent:
    """Return the event of a message; pure.

    Raises:
        MessageError: It is too large, no event, of a newer major version, or of another source than its topic says.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise MessageError(f"{topic}: {len(payload)} bytes, at most {MAX_PAYLOAD_BYTES} are read")
    source_id = parse_source_id_from_topic(topic)
    if source_id is None:
        raise MessageError(f"{topic}: the last level is no source id")
    try:
        event = DetectionEvent.from_json(payload)
    except MessageError as error:
        raise MessageError(f"{topic}: {error}") from error
    if event.source_id != source_id:
        raise MessageError(f"{topic}: the event is of source {event.source_id}, its topic says {source_id}")
    return event
