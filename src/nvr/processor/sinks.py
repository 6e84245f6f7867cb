"""Where events go: each sink behind a bounded queue and a worker of its own."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from nvr.core.clock import Clock
from nvr.core.errors import ConfigurationError
from nvr.core.throttle import ThrottledLog
from nvr.events.schema import DetectionEvent

logger = logging.getLogger(__name__)

Item = TypeVar("Item")

MAX_FRAMES_IN_CALLBACK_QUEUE = 8
"""A callback's queue holds pictures: 1.4 MB each at 720p."""


class EventSink(Protocol):
    """Takes events in the thread of its worker."""

    @property
    def name(self) -> str:
        """For logs and counters."""
        ...

    @property
    def failures(self) -> int:
        """Events that were lost without an exception."""
        ...

    def publish(self, event: DetectionEvent) -> None:
        """Deliver one event; may be slow, may raise."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


class JsonLinesSink:
    """Appends each event as one line of JSON to a file.

    A full or vanished disk costs events, which are counted, and nothing else; writing resumes by itself.
    """

    name = "jsonl"

    def __init__(self, path: Path, clock: Clock) -> None:
        """Open the file for appending.

        Raises:
            ConfigurationError: It cannot be opened.
        """
        self._path = path
        self._trouble = ThrottledLog(logger, clock=clock)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise ConfigurationError(f"cannot write events to {path}: {error.strerror}") from error
        self._has_half_a_line = False

    @property
    def failures(self) -> int:
        """Events that could not be written."""
        return self._trouble.total

    def publish(self, event: DetectionEvent) -> None:
        """Append one line; what cannot be written is reported and lost."""
        line = event.to_json() + b"\n"
        if self._has_half_a_line:
            line = b"\n" + line
        written = 0
        try:
            while written < len(line):
                written += self._file.write(line[written:])
        except OSError as error:
            self._trouble.report(f"cannot write an event to {self._path}: {error.strerror}")
        if written:
            self._has_half_a_line = written < len(line)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class SinkWorker(Generic[Item]):
    """Feeds one sink from a bounded queue; when it is full the oldest item goes and is counted."""

    def __init__(
        self,
        name: str,
        deliver: Callable[[Item], None],
        *,
        queue_size: int,
        clock: Clock,
        close: Callable[[], None] | None = None,
    ) -> None:
        """Prepare the worker.

        Args:
            name: Of the sink.
            deliver: Called in the worker's thread; what it raises is logged and counted.
            queue_size: Items that may wait.
            clock: For reports.
            close: Called in the worker's thread after the last item.
        """
        self.name = name
        self._deliver = deliver
        self._close = close
        self._queue: deque[Item] = deque()
        self._queue_size = queue_size
        self._condition = threading.Condition()
        self._is_closing = False
        self._dropped = 0
        self._delivered = 0
        self._failed = ThrottledLog(logger, logging.ERROR, clock=clock)
        self._overflow = ThrottledLog(logger, clock=clock)
        self._thread = threading.Thread(target=self._run, name=f"sink-{name}", daemon=True)

    @property
    def depth(self) -> int:
        """Items that wait now."""
        return len(self._queue)

    @property
    def capacity(self) -> int:
        """Items that may wait."""
        return self._queue_size

    @property
    def dropped(self) -> int:
        """Items that gave way because the sink was slow."""
        return self._dropped

    @property
    def delivered(self) -> int:
        """Items that the sink took."""
        return self._delivered

    @property
    def failed(self) -> int:
        """Items at which the sink raised."""
        return self._failed.total

    def start(self) -> None:
        """Begin, in the background."""
        self._thread.start()

    def put(self, item: Item) -> None:
        """Queue an item; never waits."""
        with self._condition:
            if self._is_closing:
                return
            if is_full := len(self._queue) >= self._queue_size:
                self._queue.popleft()
                self._dropped += 1
            self._queue.append(item)
            self._condition.notify()
        if is_full:
            self._overflow.report(f"sink {self.name} is slow: an event was dropped")

    def stop(self, timeout_s: float) -> bool:
        """Deliver what waits, close the sink, end the thread; False if that takes longer than `timeout_s`."""
        with self._condition:
            self._is_closing = True
            self._condition.notify()
        if self._thread is threading.current_thread():  # the sink itself asks for the end
            return False
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        if not self._thread.is_alive():
            return True
        with self._condition:
            self._dropped += len(self._queue)
            self._queue.clear()
        return False

    def _run(self) -> None:
        while (item := self._next()) is not None:
            try:
                self._deliver(item)
                self._delivered += 1
            except Exception as error:  # noqa: BLE001 - the supervisor loop: user code must not end the worker
                self._failed.report(f"sink {self.name} failed: {error!r}", error)
        if self._close is not None:
            self._close()

    def _next(self) -> Item | None:
        with self._condition:
            while not self._queue and not self._is_closing:
                self._condition.wait()
            return self._queue.popleft() if self._queue else None
