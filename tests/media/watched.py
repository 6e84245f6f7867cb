"""A camera under observation, as the processor keeps it: its stream, and what is said of its health."""

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

from nvr.core.clock import SystemClock
from nvr.media.health import HealthChanged, HealthState
from nvr.media.health_monitor import HealthMonitor
from nvr.media.stream import CameraStream, IngestSettings
from nvr.processor.health_watch import sample_of
from tests.waiting import wait_until

SECRET = "hunter2"
"""A password that no message may hold."""

QUICK = IngestSettings(open_timeout_s=0.5, read_timeout_s=0.5, reconnect_max_s=0.5)


@dataclass
class Watched:
    """A stream that runs, and its events so far."""

    stream: CameraStream
    said: list[HealthChanged] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._clock = SystemClock()
        self._monitor = HealthMonitor(self.stream.source_id, self._clock.now())

    def look(self) -> None:
        sample = sample_of(self.stream, self.stream, None)
        self.said += self._monitor.observe(sample, self._clock.monotonic(), self._clock.now())

    def wait(self, is_true: Callable[[], bool], what: str) -> None:
        """Wait for something, while it is looked at as often as in the product, or more."""

        def looked() -> bool:
            self.look()
            return is_true()

        wait_until(looked, f"{what}; {self.stream.state}, {self.stream.stats}")

    def wait_for(self, state: HealthState) -> HealthChanged:
        """Wait until this was said, and return it."""
        self.wait(lambda: any(event.new is state for event in self.said), f"camera is {state}")
        return next(event for event in self.said if event.new is state)

    def wait_for_failures(self, n: int) -> None:
        self.wait(lambda: self.stream.stats.failures >= n, f"{n} failures")


@contextmanager
def watched(uri: str, settings: IngestSettings = QUICK, source_id: int = 1) -> Iterator[Watched]:
    """Run a camera; afterwards none of its threads may be left, and nothing it said may show the password."""
    before = set(threading.enumerate())
    stream = CameraStream(source_id, uri, settings=settings)
    camera = Watched(stream)
    stream.start()
    try:
        yield camera
    finally:
        stream.stop(10)
    left = [thread.name for thread in set(threading.enumerate()) - before if thread.name.endswith(f"-{source_id}")]
    assert not left
    assert SECRET not in f"{camera.said} {stream.name} {stream.stats}"


@contextmanager
def bounded_memory(most_bytes: int = 64 << 20) -> Iterator[None]:
    """Fail where the process has grown by more than this at the end."""
    process = psutil.Process()
    gc.collect()
    before = process.memory_info().rss
    yield
    gc.collect()
    grown = process.memory_info().rss - before
    assert grown < most_bytes, f"grown by {grown / 2**20:.0f} MiB"
