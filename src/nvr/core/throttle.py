"""Tell repeated trouble at most once a second, with how often it happened."""

import logging
import threading

from nvr.core.clock import Clock, SystemClock


class ThrottledLog:
    """Logs the first report at once, then at most one line per interval that counts the rest.

    Thread-safe. What is held back is told by the next report after the interval, and counts in `total` at once. The
    same sentence as in the last line tells nothing new: it waits for `repeat_s`, where that is longer.
    """

    def __init__(
        self,
        logger: logging.Logger,
        level: int = logging.WARNING,
        interval_s: float = 1.0,
        repeat_s: float = 0.0,
        clock: Clock | None = None,
    ) -> None:
        self._logger = logger
        self._level = level
        self._interval_s = interval_s
        self._repeat_s = max(repeat_s, interval_s)
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._last_s: float | None = None
        self._last_sentence: str | None = None
        self._held_back = 0
        self._total = 0

    @property
    def total(self) -> int:
        """How many reports there were, told or held back."""
        return self._total

    def report(self, sentence: str, error: BaseException | None = None) -> None:
        """Log `sentence`, with the trace of `error`, or count it if one was logged less than an interval ago."""
        now_s = self._clock.monotonic()
        with self._lock:
            self._total += 1
            interval_s = self._repeat_s if sentence == self._last_sentence else self._interval_s
            if self._last_s is not None and now_s - self._last_s < interval_s:
                self._held_back += 1
                return
            held_back, self._held_back, self._last_s, self._last_sentence = self._held_back, 0, now_s, sentence
        self._log(sentence, held_back, error)

    def _log(self, sentence: str, held_back: int, error: BaseException | None = None) -> None:
        if held_back:
            self._logger.log(self._level, "%s (and %d more like it)", sentence, held_back, exc_info=error)
        else:
            self._logger.log(self._level, "%s", sentence, exc_info=error)
