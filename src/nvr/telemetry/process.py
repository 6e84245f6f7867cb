"""What the process takes: CPU, memory, threads; and the CPU of each camera's own threads, by their names."""

import re
import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

import psutil

from nvr.core.clock import Clock
from nvr.telemetry.figures import ProcessFigures

THREADS_EVERY_S = 5.0
"""The kernel has a file for each thread, and a processor hundreds of threads."""

_OF_CAMERA = re.compile(r"(?:camera|decoder|recorder)-(\d+)")


@dataclass(frozen=True, slots=True)
class ThreadTime:
    """CPU that one thread has taken since it began."""

    native_id: int
    name: str
    cpu_s: float


def read_threads() -> list[ThreadTime]:
    """Return all threads of this process that Python knows; raises psutil.Error."""
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    return [
        ThreadTime(thread.id, names[thread.id], thread.user_time + thread.system_time)
        for thread in psutil.Process().threads()
        if thread.id in names
    ]


def thread_count() -> int:
    """Return how many threads this process has, those of libraries too; raises psutil.Error."""
    return psutil.Process().num_threads()


def camera_of(thread_name: str) -> int | None:
    """Return the source id of the camera whose thread has such a name; None where it is no camera's own."""
    match = _OF_CAMERA.fullmatch(thread_name)
    return None if match is None else int(match[1])


class CameraCpu:
    """Adds up the CPU of each camera's threads, over those that have ended. One thread at a time."""

    def __init__(
        self,
        clock: Clock,
        *,
        read: Callable[[], Iterable[ThreadTime]] = read_threads,
        every_s: float = THREADS_EVERY_S,
    ) -> None:
        """Prepare; `read` is called at most once per `every_s`."""
        self._clock = clock
        self._read = read
        self._every_s = every_s
        self._read_s: float | None = None
        self._last: dict[tuple[int, str], float] = {}
        self._sums: dict[int, float] = {}

    def seconds(self, source_ids: Collection[int]) -> dict[int, float]:
        """Return the CPU seconds of each of these cameras; the others are forgotten."""
        now_s = self._clock.monotonic()
        if self._read_s is None or now_s - self._read_s >= self._every_s:
            self._read_s = now_s
            self._take(self._read())
        self._sums = {source_id: self._sums.get(source_id, 0.0) for source_id in source_ids}
        return dict(self._sums)

    def _take(self, threads: Iterable[ThreadTime]) -> None:
        seen: dict[tuple[int, str], float] = {}
        for thread in threads:
            source_id = camera_of(thread.name)
            if source_id is None:
                continue
            key = (thread.native_id, thread.name)
            before_s = self._last.get(key, 0.0)
            # the kernel gives numbers of threads that have ended to new ones
            more_s = thread.cpu_s - before_s if thread.cpu_s >= before_s else thread.cpu_s
            self._sums[source_id] = self._sums.get(source_id, 0.0) + more_s
            seen[key] = thread.cpu_s
        self._last = seen


class ProcessMeter:
    """Reads the process's own figures. One thread at a time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._process = psutil.Process()
        self._before: tuple[float, float] | None = None

    def read(self) -> ProcessFigures:
        """Return the figures of this moment; its `cpu_percent` is that since the last call."""
        now_s = self._clock.monotonic()
        with self._process.oneshot():
            times = self._process.cpu_times()
            rss_bytes, threads = self._process.memory_info().rss, self._process.num_threads()
        cpu_s = times.user + times.system
        before, self._before = self._before, (now_s, cpu_s)
        passed_s = 0.0 if before is None else now_s - before[0]
        percent = 0.0 if before is None or passed_s <= 0 else max(0.0, cpu_s - before[1]) / passed_s * 100
        return ProcessFigures(cpu_s=cpu_s, cpu_percent=percent, rss_bytes=rss_bytes, threads=threads)
