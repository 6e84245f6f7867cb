"""A few threads that work off commands, and a bound on how many may wait."""

import logging
import queue
import threading
from collections.abc import Callable

from nvr.core.clock import Clock, SystemClock

logger = logging.getLogger(__name__)

Job = Callable[[], None]
"""Raises nothing."""


class Lane:
    """Named threads with one bounded queue; places are reserved: a job is announced before it runs."""

    def __init__(self, name: str, *, n_threads: int, capacity: int, clock: Clock | None = None) -> None:
        """Prepare; no thread runs before `start`.

        Args:
            name: Of its threads, which get a number each.
            n_threads: Jobs at the same time.
            capacity: Jobs that may be reserved, waiting or in work together.
            clock: For the bound of `stop`.
        """
        self._places = threading.BoundedSemaphore(capacity)
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()  # bounded by the places
        self._clock = clock or SystemClock()
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True) for number in range(n_threads)
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def reserve(self) -> bool:
        """Take a place for a job that `put` then brings; False where all are taken."""
        return self._places.acquire(blocking=False)

    def put(self, job: Job) -> None:
        """Run a job for which a place was reserved, as soon as a thread is free."""
        self._jobs.put(job)

    def stop(self, timeout_s: float) -> bool:
        """End the threads after the jobs that wait; False where one still works, which ends with it."""
        deadline_s = self._clock.monotonic() + timeout_s
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline_s - self._clock.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            finally:
                self._places.release()
