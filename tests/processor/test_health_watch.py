"""The watch over all cameras: who is looked at, who is told."""

import pytest

from nvr.core.clock import ManualClock, SystemClock
from nvr.media.health import Connection, HealthChanged, HealthCounters, HealthSample, HealthState
from nvr.processor.health_watch import LOOK_EVERY_S, HealthWatch
from tests.waiting import wait_until


class Cameras:
    """Cameras that are what the test says."""

    def __init__(self) -> None:
        self.samples: dict[int, HealthSample] = {}
        self.packets = 0

    def __call__(self) -> list[tuple[int, HealthSample]]:
        return list(self.samples.items())

    def connect(self, source_id: int) -> None:
        self.samples[source_id] = HealthSample(Connection.CONNECTED, HealthCounters())

    def lose(self, source_id: int, error: str) -> None:
        self.samples[source_id] = HealthSample(Connection.LOST, HealthCounters(reconnects=1), error=error)


def look_for(watch: HealthWatch, clock: ManualClock, seconds: float) -> list[HealthChanged]:
    changes = []
    for _ in range(round(seconds / LOOK_EVERY_S)):
        changes += watch.look()
        clock.advance(LOOK_EVERY_S)
    return changes


def test_a_change_is_told_once_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    cameras, clock, told = Cameras(), ManualClock(), list[HealthChanged]()
    watch = HealthWatch(cameras, clock=clock, on_change=told.append)
    cameras.lose(3, "rtsp://***@cam/1 refuses the connection")
    look_for(watch, clock, 30)
    assert [(change.source_id, change.new) for change in told] == [(3, HealthState.OFFLINE)]
    assert "camera 3 is offline: rtsp://***@cam/1 refuses the connection" in caplog.text
    health = watch.health(3)
    assert health is not None
    assert health.state is HealthState.OFFLINE
    assert watch.health(4) is None


def test_a_camera_that_was_removed_is_forgotten() -> None:
    cameras, clock = Cameras(), ManualClock()
    watch = HealthWatch(cameras, clock=clock)
    cameras.lose(0, "gone")
    look_for(watch, clock, 10)
    cameras.samples.clear()
    watch.look()
    assert watch.health(0) is None


def test_a_listener_that_raises_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_change: HealthChanged) -> None:
        raise RuntimeError("no screen")

    cameras, clock = Cameras(), ManualClock()
    watch = HealthWatch(cameras, clock=clock, on_change=fail)
    cameras.lose(0, "gone")
    cameras.lose(1, "gone too")
    assert len(look_for(watch, clock, 10)) == 2
    assert "telling the health of camera 0 failed: RuntimeError('no screen')" in caplog.text


def test_it_looks_by_itself_until_it_is_stopped() -> None:
    cameras, told = Cameras(), list[HealthChanged]()
    cameras.lose(0, "gone")
    watch = HealthWatch(cameras, clock=SystemClock(), on_change=told.append)
    watch.start()
    wait_until(lambda: bool(told), "the camera is offline")
    watch.stop(30)
    assert not watch._thread.is_alive()
