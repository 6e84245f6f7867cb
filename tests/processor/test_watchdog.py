import pytest

from nvr.media.stream import StreamState
from nvr.processor.watchdog import Watchdog
from tests.waiting import wait_until


class Stream:
    def __init__(self, source_id: int, state: StreamState, age_s: float) -> None:
        self.source_id, self.state, self.age_s, self.reconnects = source_id, state, age_s, 0

    def packet_age_s(self) -> float:
        return self.age_s

    def reconnect(self) -> None:
        self.reconnects += 1


class Busy:
    def __init__(self, busy_s: float = 0.0) -> None:
        self.busy_s = busy_s

    def busy_for_s(self) -> float:
        return self.busy_s


def test_only_a_connected_camera_that_shows_nothing_begins_anew(caplog: pytest.LogCaptureFixture) -> None:
    frozen = Stream(0, StreamState.STALLED, 11)
    others = [
        Stream(1, StreamState.RUNNING, 0.1),
        Stream(2, StreamState.STALLED, 9),
        Stream(3, StreamState.OFFLINE, 100),
        Stream(4, StreamState.CONNECTING, 100),
    ]
    watchdog = Watchdog(lambda: [frozen, *others], Busy(), timeout_s=10)
    watchdog.check()
    assert (frozen.reconnects, [stream.reconnects for stream in others]) == (1, [0, 0, 0, 0])
    assert "camera 0 is connected but sends nothing for 11 s" in caplog.text


def test_a_detector_that_hangs_is_reported_once_until_it_answers(caplog: pytest.LogCaptureFixture) -> None:
    busy = Busy(12)
    watchdog = Watchdog(list, busy, timeout_s=10)
    watchdog.check()
    watchdog.check()
    assert watchdog.detector_hangs
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    busy.busy_s = 0
    watchdog.check()
    assert not watchdog.detector_hangs


def test_looks_by_itself_until_it_is_stopped() -> None:
    frozen = Stream(0, StreamState.RUNNING, 1)
    watchdog = Watchdog(lambda: [frozen], Busy(), timeout_s=0.05)
    watchdog.start()
    wait_until(lambda: frozen.reconnects > 1, "two looks")
    watchdog.stop(30)
    assert not watchdog._thread.is_alive()
