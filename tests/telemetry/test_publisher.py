import threading

import pytest

from nvr.core.errors import BrokerError
from nvr.events.instance_metrics import InstanceMetrics
from nvr.telemetry.metrics import instance_metrics
from nvr.telemetry.publisher import MetricsPublisher
from tests.telemetry.sample import instance
from tests.waiting import wait_until


def message() -> InstanceMetrics:
    return instance_metrics(instance())


def test_metrics_come_again_and_again_until_it_is_stopped() -> None:
    told: list[InstanceMetrics] = []
    publisher = MetricsPublisher(told.append, message, 0.01)
    publisher.start()
    wait_until(lambda: len(told) >= 3, "three messages")
    assert publisher.stop(10)
    assert publisher.published == len(told)
    assert "metrics-publisher" not in {thread.name for thread in threading.enumerate()}


def test_what_fails_once_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    told: list[InstanceMetrics] = []
    left = [BrokerError("it is away"), RuntimeError("nobody foresaw this")]

    def publish(metrics: InstanceMetrics) -> None:
        if left:
            raise left.pop()
        told.append(metrics)

    publisher = MetricsPublisher(publish, message, 0.01)
    publisher.start()
    wait_until(lambda: bool(told), "a message")
    assert publisher.stop(10)
    assert publisher.failures == 2
    assert "nobody foresaw this" in caplog.text


def test_one_that_never_started_stops_at_once() -> None:
    assert MetricsPublisher(lambda _: None, message, 10).stop(0)
