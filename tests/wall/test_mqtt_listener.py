import logging
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from nvr.bus import MqttConnection
from nvr.bus.local_broker import LocalBroker
from nvr.config import BrokerConfig
from nvr.core.clock import ManualClock
from nvr.core.errors import MessageError
from nvr.events import DetectionEvent
from nvr.wall.detection_cache import DetectionCache
from nvr.wall.mqtt_listener import MAX_PAYLOAD_BYTES, MQTTListener, read_event
from tests.conftest import require_program
from tests.waiting import wait_until
from tests.wall.fakes import event_of

TOPIC = "nvr/detections/0"


class HandedOver:
    """A connection that a test delivers messages through."""

    def __init__(self) -> None:
        self.handlers: dict[str, Callable[[str, bytes], None]] = {}

    def subscribe(self, topic_filter: str, handler: Callable[[str, bytes], None], qos: int = 0) -> None:
        assert qos == 0
        self.handlers[topic_filter] = handler


BAD: dict[str, tuple[str, bytes, str]] = {
    "empty": (TOPIC, b"", "not a DetectionEvent"),
    "garbage": (TOPIC, b"\xff\xfe\x00garbage", "not a DetectionEvent"),
    "no object": (TOPIC, b"[1, 2]", "not a DetectionEvent"),
    "nested deep": (TOPIC, b"[" * 100_000, "not a DetectionEvent"),
    "fields missing": (TOPIC, b'{"source_id": 0}', "not a DetectionEvent"),
    "huge": (TOPIC, b" " * (MAX_PAYLOAD_BYTES + 1), "1000001 bytes, at most 1000000"),
    "newer": (TOPIC, event_of(0).to_json().replace(b'version":"1.0"', b'version":"2.0"'), "version 2.0 is newer"),
    "other source": (TOPIC, event_of(7).to_json(), "event is of source 7, its topic says 0"),
    "no source": ("nvr/detections/front", event_of(0).to_json(), "last level is no source id"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_message_is_refused_with_its_topic(kind: str) -> None:
    topic, payload, problem = BAD[kind]
    with pytest.raises(MessageError, match=problem) as refusal:
        read_event(topic, payload)
    assert str(refusal.value).startswith(topic)


def test_bad_messages_are_counted_told_once_a_second_and_stop_nothing(caplog: pytest.LogCaptureFixture) -> None:
    connection, clock = HandedOver(), ManualClock()
    cache = DetectionCache(1.0, clock=clock)
    taken: list[DetectionEvent] = []
    listener = MQTTListener(connection, cache, on_event=taken.append, clock=clock)
    listener.start()
    deliver = connection.handlers["nvr/detections/+"]
    with caplog.at_level(logging.WARNING, "nvr.wall.mqtt_listener"):
        for topic, payload, _ in BAD.values():
            deliver(topic, payload)
        deliver(TOPIC, event_of(0).to_json())
    assert len(caplog.records) == 1
    assert (listener.n_bad, listener.n_events, len(taken)) == (len(BAD), 1, 1)
    assert cache.get(0) == taken[0]


def test_an_event_that_is_older_than_the_one_on_show_is_not_handed_on() -> None:
    connection, clock = HandedOver(), ManualClock()
    taken: list[DetectionEvent] = []
    listener = MQTTListener(connection, DetectionCache(1.0, clock=clock), on_event=taken.append, clock=clock)
    listener.handle(TOPIC, event_of(0, later_s=1).to_json())
    listener.handle(TOPIC, event_of(0).to_json())
    assert len(taken) == 1
    assert listener.n_events == 2


def test_latency_is_measured_from_the_capture_but_for_frames_of_the_past() -> None:
    connection, clock = HandedOver(), ManualClock()
    listener = MQTTListener(connection, DetectionCache(1.0, clock=clock), clock=clock)
    now = clock.now()
    for ago_s, replayed in ((0.25, False), (-3.0, False), (8.0, True)):
        event = event_of(0).model_copy(update={"timestamp": now - timedelta(seconds=ago_s), "replayed": replayed})
        listener.handle(TOPIC, event.to_json())
    latency = listener.latency
    assert (latency.count, latency.clamped) == (2, 1), "an event of a clock that is ahead took no time"
    assert latency.total == pytest.approx(0.25)


@pytest.fixture
def broker() -> Iterator[LocalBroker]:
    require_program("mosquitto")
    with LocalBroker.start("mosquitto") as broker:
        yield broker


@pytest.mark.broker
def test_hears_a_real_broker_again_after_it_was_restarted(broker: LocalBroker) -> None:
    config = BrokerConfig(host=broker.host, port=broker.port)
    subscriber = MqttConnection(config, client_id="listener")
    publisher = MqttConnection(config, client_id="publisher")
    cache = DetectionCache(300.0)
    listener = MQTTListener(subscriber, cache, topic_prefix="nvr/yard/detections/")
    listener.start()
    sent = 0

    def is_heard(source_id: int) -> bool:
        nonlocal sent
        sent += 1
        publisher.publish(f"nvr/yard/detections/{source_id}", event_of(source_id, later_s=sent).to_json())
        publisher.publish(f"nvr/detections/{source_id + 1}", event_of(source_id + 1).to_json())
        return cache.get(source_id) is not None

    try:
        subscriber.start()
        publisher.start()
        wait_until(lambda: is_heard(1), "an event before the restart")
        broker.restart()
        wait_until(lambda: is_heard(5), "an event after the restart")
    finally:
        subscriber.stop()
        publisher.stop()
    assert cache.get(2) is None  # of another tenant
    assert listener.n_bad == 0
