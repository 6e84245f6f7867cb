import logging

import pytest

from nvr.core.clock import ManualClock
from nvr.core.throttle import ThrottledLog

logger = logging.getLogger("test.throttle")


def test_tells_at_once_then_once_a_second_with_the_count(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    throttled = ThrottledLog(logger, clock=clock)
    for _ in range(5):
        throttled.report("no route")
    clock.advance(1.0)
    throttled.report("no route")
    assert [record.message for record in caplog.records] == ["no route", "no route (and 4 more like it)"]
    assert throttled.total == 6


def test_the_same_sentence_may_be_told_more_rarely_than_a_new_one(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    throttled = ThrottledLog(logger, repeat_s=60.0, clock=clock)
    for _ in range(7):
        throttled.report("the camera is away")
        clock.advance(10.0)
    throttled.report("it refuses the password")
    assert [record.message for record in caplog.records] == [
        "the camera is away",
        "the camera is away (and 5 more like it)",
        "it refuses the password",
    ]


def test_the_trace_of_a_failure_is_logged_with_it(caplog: pytest.LogCaptureFixture) -> None:
    throttled = ThrottledLog(logger, clock=ManualClock())
    throttled.report("it failed", ValueError("inside"))
    assert "ValueError: inside" in caplog.text
