import logging
import threading

import pytest

from nvr.core.clock import ManualClock
from nvr.core.log_context import log_fields
from nvr.core.log_limit import RepeatLimit


class Log:
    """A logger whose handler is limited, and what it wrote."""

    def __init__(self, max_sentences: int = 8) -> None:
        self.lines: list[str] = []
        self.clock = ManualClock()
        self.limit = RepeatLimit(self._write, burst=3, interval_s=10, max_sentences=max_sentences, clock=self.clock)

    def _write(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def say(self, message: str, *args: object, **extra: object) -> None:
        record = logging.getLogger("a").makeRecord("a", logging.INFO, "f", 1, message, args, None, extra=extra)
        if self.limit.filter(record):
            self._write(record)


@pytest.fixture
def log() -> Log:
    return Log()


def test_a_sentence_is_written_some_times_and_the_rest_is_told_in_one_line(log: Log) -> None:
    for number in range(127):
        log.say("packet %d is broken", number)
    assert log.lines == [f"packet {number} is broken" for number in range(3)]
    log.clock.advance(10)
    log.say("all is well")
    assert log.lines[3:] == ["packet 126 is broken … and 124 more like it", "all is well"]


def test_after_the_interval_it_is_written_again(log: Log) -> None:
    for _ in range(4):
        log.say("again")
    log.clock.advance(10)
    log.say("again")
    assert log.lines == ["again"] * 3 + ["again … and 1 more like it", "again"]


def test_what_is_not_too_often_is_never_summed_up(log: Log) -> None:
    for _ in range(20):
        log.say("now and then")
        log.clock.advance(5)
    assert log.lines == ["now and then"] * 20


def test_cameras_and_levels_are_told_apart(log: Log) -> None:
    for source_id in range(5):
        for _ in range(4):
            log.say("camera %d: gone", source_id, source_id=source_id)
    assert len(log.lines) == 15
    for source_id in (7, 8):
        with log_fields(source_id=source_id):
            log.say("the same")
            log.say("the same")
    assert log.lines[-4:] == ["the same"] * 4


def test_sentences_that_were_put_together_before_are_told_apart(log: Log) -> None:
    for camera in ("1", "2"):
        for _ in range(4):
            log.say("%s", f"camera {camera}: refuses the connection")
    assert len(log.lines) == 6


def test_flush_tells_what_was_held_back(log: Log) -> None:
    for _ in range(5):
        log.say("again")
    log.limit.flush()
    log.limit.flush()
    assert log.lines[3:] == ["again … and 2 more like it"]


def test_the_oldest_sentence_makes_room_for_new_ones(log: Log) -> None:
    for _ in range(5):
        log.say("the first")
    for number in range(1000):
        log.say(f"sentence {number}")
    assert log.lines[3:][7] == "the first … and 2 more like it"
    assert len(log.lines) == 1004


def test_the_summary_carries_no_trace(log: Log) -> None:
    written: list[logging.LogRecord] = []
    limit = RepeatLimit(written.append, burst=1, interval_s=10, clock=log.clock)
    for _ in range(3):
        record = logging.makeLogRecord({"msg": "it failed", "exc_text": "Traceback"})
        limit.filter(record)
    limit.flush()
    [summary] = written
    assert (summary.getMessage(), summary.exc_text) == ("it failed … and 2 more like it", None)


def test_many_threads_lose_no_record(log: Log) -> None:
    def say() -> None:
        for _ in range(500):
            log.say("again")

    threads = [threading.Thread(target=say, name=f"t{i}") for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.limit.flush()
    assert log.lines == ["again"] * 3 + ["again … and 1997 more like it"]
