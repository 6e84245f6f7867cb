"""Keep one sentence that comes again and again from filling the log."""

import copy
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from nvr.core.clock import Clock, SystemClock
from nvr.core.log_context import current_fields

BURST = 10
INTERVAL_S = 10.0
MAX_SENTENCES = 1024
"""Remembered at a time; with more, the oldest is told early how often it came."""

_Key = tuple[str, int, str, object]


@dataclass(slots=True)
class _Window:
    """What came of one sentence since its first record."""

    began_s: float
    count: int = 1
    held_back: int = 0
    last: logging.LogRecord | None = None


class RepeatLimit(logging.Filter):
    """Lets `burst` records of one sentence and camera through per interval; the rest is counted and told in one line.

    That line is written with the first record of any sentence after the interval, or by `flush`. A sentence is what
    stands in the code, before its values are put in.
    """

    def __init__(
        self,
        emit: Callable[[logging.LogRecord], None],
        *,
        burst: int = BURST,
        interval_s: float = INTERVAL_S,
        max_sentences: int = MAX_SENTENCES,
        clock: Clock | None = None,
    ) -> None:
        """Remember nothing yet; `emit` writes a record past this filter."""
        super().__init__()
        self._emit = emit
        self._burst = burst
        self._interval_s = interval_s
        self._max_sentences = max_sentences
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._windows: OrderedDict[_Key, _Window] = OrderedDict()  # the oldest first

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is to be written; what was held back before is told first."""
        now_s = self._clock.monotonic()
        key = _key_of(record)
        with self._lock:
            over = self._take_over(now_s)
            window = self._windows.get(key)
            if window is None:
                if len(self._windows) >= self._max_sentences:
                    over.append(self._windows.popitem(last=False)[1])
                self._windows[key] = _Window(now_s)
            else:
                window.count += 1
                if window.count > self._burst:
                    window.held_back += 1
                    window.last = record
            passes = window is None or window.count <= self._burst
        self._tell(over)
        return passes

    def flush(self) -> None:
        """Tell what was held back until now."""
        with self._lock:
            over, self._windows = list(self._windows.values()), OrderedDict()
        self._tell(over)

    def _take_over(self, now_s: float) -> list[_Window]:
        over = []
        while self._windows:
            first = next(iter(self._windows))
            if now_s - self._windows[first].began_s < self._interval_s:
                break
            over.append(self._windows.pop(first))
        return over

    def _tell(self, windows: list[_Window]) -> None:
        for window in windows:
            if window.last is not None:
                summary = copy.copy(window.last)
                summary.msg, summary.args = "%s … and %d more like it", (window.last.getMessage(), window.held_back)
                summary.exc_info = summary.exc_text = summary.stack_info = None
                self._emit(summary)


def _key_of(record: logging.LogRecord) -> _Key:
    template = str(record.msg)
    if template.startswith("%s") and isinstance(record.args, tuple) and record.args:
        template = str(record.args[0])  # what was put together before, as by `ThrottledLog`
    source_id = vars(record).get("source_id", current_fields().get("source_id"))
    return record.name, record.levelno, template[:200], source_id
