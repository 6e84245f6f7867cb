import resource
import signal
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nvr.core.clock import SystemClock
from nvr.core.errors import ConfigurationError
from nvr.events.schema import DetectionEvent
from nvr.processor.sinks import JsonLinesSink, SinkWorker
from tests.waiting import wait_until

CLOCK = SystemClock()


def event(frame_id: int = 0) -> DetectionEvent:
    return DetectionEvent(
        source_id=1, frame_id=frame_id, timestamp=datetime.now(UTC), model_id="m", inference_time_ms=1.0
    )


def test_a_slow_sink_loses_the_oldest_and_counts_them() -> None:
    is_released, delivered = threading.Event(), list[int]()

    def deliver(item: int) -> None:
        is_released.wait(60)
        delivered.append(item)

    worker = SinkWorker("slow", deliver, queue_size=3, clock=CLOCK)
    worker.start()
    worker.put(0)
    wait_until(lambda: not worker._queue, "the worker holds the first")
    for item in range(1, 8):
        worker.put(item)
    is_released.set()
    assert worker.stop(30)
    assert delivered == [0, 5, 6, 7]
    assert worker.dropped == 4


def test_a_sink_that_raises_gets_the_next_one_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    delivered = list[int]()

    def deliver(item: int) -> None:
        if item == 1:
            raise ValueError("not this one")
        delivered.append(item)

    worker = SinkWorker("moody", deliver, queue_size=10, clock=CLOCK)
    worker.start()
    for item in range(3):
        worker.put(item)
    assert worker.stop(30)
    assert (delivered, worker.delivered, worker.failed) == ([0, 2], 2, 1)
    assert "sink moody failed: ValueError('not this one')" in caplog.text


def test_stop_returns_although_the_sink_hangs() -> None:
    is_released = threading.Event()

    def deliver(_item: int) -> None:
        is_released.wait(60)

    worker = SinkWorker("hung", deliver, queue_size=3, clock=CLOCK)
    worker.start()
    worker.put(0)
    assert not worker.stop(0.05)
    is_released.set()
    assert worker.stop(30)


def test_json_lines_are_appended_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "events.jsonl"
    for frame_id in range(2):  # as if started twice
        sink = JsonLinesSink(path, CLOCK)
        sink.publish(event(frame_id))
        sink.close()
    events = [DetectionEvent.from_json(line) for line in path.read_bytes().splitlines()]
    assert [line.frame_id for line in events] == [0, 1]


def test_a_path_that_cannot_be_written_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"cannot write events to {tmp_path}"):
        JsonLinesSink(tmp_path, CLOCK)


def test_half_a_line_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    sink = JsonLinesSink(path, CLOCK)
    sink.publish(event(0))
    size_bytes = path.stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:  # room for half an event: the kernel writes that much, then refuses
        resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes * 3 // 2, before[1]))
        sink.publish(event(1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    sink.publish(event(2))
    sink.close()
    first, half, third = path.read_bytes().splitlines()
    assert [DetectionEvent.from_json(line).frame_id for line in (first, third)] == [0, 2]
    assert first.startswith(half[:20])
    assert sink.failures == 1


def test_what_a_hanging_sink_never_took_is_counted() -> None:
    is_released = threading.Event()

    def deliver(_item: int) -> None:
        is_released.wait(60)

    worker = SinkWorker("hung", deliver, queue_size=9, clock=CLOCK)
    worker.start()
    worker.put(0)
    wait_until(lambda: not worker._queue, "the worker holds the first")
    worker.put(1)
    worker.put(2)
    assert not worker.stop(0.05)
    assert worker.dropped == 2
    is_released.set()
    assert worker.stop(30)


def test_a_full_disk_costs_events_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    sink = JsonLinesSink(Path("/dev/full"), CLOCK)
    sink.publish(event())
    sink.close()
    assert "cannot write an event to /dev/full: No space left on device" in caplog.text


def test_what_waits_is_told() -> None:
    worker = SinkWorker[DetectionEvent]("slow", lambda _: None, queue_size=3, clock=SystemClock())
    for i in range(5):
        worker.put(event(i))
    assert (worker.depth, worker.capacity, worker.dropped) == (3, 3, 2)
