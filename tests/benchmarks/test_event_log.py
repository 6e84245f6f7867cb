import pytest
from bench._event_log import EventLog, counts_per_bin, longest_silence, wait_after

from nvr.bus.connection import MqttConnection
from nvr.bus.local_broker import LocalBroker
from nvr.config.broker import BrokerConfig
from nvr.core.clock import SystemClock
from nvr.events.protocol import topic_for_source
from nvr.events.schema import DetectionEvent
from tests.waiting import wait_until

ARRIVALS = [1.0, 2.0, 3.0, 10.0]


def test_waits_for_the_next_arrival_only() -> None:
    assert wait_after(ARRIVALS, 2.0) == 1.0
    assert wait_after(ARRIVALS, 3.5) == 6.5
    assert wait_after(ARRIVALS, 10.0) is None


def test_counts_only_whole_bins() -> None:
    assert counts_per_bin(ARRIVALS, 0.0, 9.0, 4.0) == [3, 0]
    assert counts_per_bin([], 0.0, 8.0, 4.0) == [0, 0]
    assert counts_per_bin(ARRIVALS, 0.0, 3.0, 4.0) == []


def test_silence_before_the_first_and_after_the_last_arrival_counts() -> None:
    assert longest_silence(ARRIVALS, 0.0, 11.0) == 7.0
    assert longest_silence(ARRIVALS, 0.0, 30.0) == 20.0
    assert longest_silence([], 5.0, 9.0) == 4.0


@pytest.mark.broker
def test_hears_events_of_all_cameras_and_counts_what_is_none(mosquitto: LocalBroker) -> None:
    broker = BrokerConfig(host=mosquitto.host, port=mosquitto.port)
    clock = SystemClock()
    log, publisher = EventLog(broker, clock), MqttConnection(broker)
    log.start()
    publisher.start()
    try:
        assert publisher.wait_connected(30)
        event = DetectionEvent(source_id=3, frame_id=1, timestamp=clock.now(), model_id="m", inference_time_ms=1.0)

        def is_heard() -> bool:
            # sent again until the subscription stands
            publisher.publish(topic_for_source(3), event.to_json())
            publisher.publish(topic_for_source(3), b"{}")
            return bool(log.arrivals(3)) and log.n_invalid > 0

        wait_until(is_heard, "an event and an invalid message were heard")
        assert log.sources() == [3]
        assert log.n_boxes == 0
    finally:
        publisher.stop()
        log.stop()
