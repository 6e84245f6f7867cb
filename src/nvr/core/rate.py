"""How often something happens, and keeping it from happening too often; pure."""

from collections import deque

WINDOW_S = 5.0
MAX_EVENTS = 512


class RateMeter:
    """Events per second over the last seconds. One thread counts, any may ask."""

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self._window_s = window_s
        self._times: deque[float] = deque(maxlen=MAX_EVENTS)

    def count(self, now_s: float) -> None:
        """Note one event at a monotonic time."""
        self._times.append(now_s)

    def per_second(self, now_s: float) -> float:
        """Return the rate over the window that ends now; 0 with fewer than two events in it."""
        times = [time_s for time_s in self._times.copy() if now_s - time_s <= self._window_s]
        if len(times) < 2:
            return 0.0
        # n events span n - 1 intervals; silence since the last one lowers the rate once it is longer than usual
        mean_s = (times[-1] - times[0]) / (len(times) - 1)
        span_s = times[-1] - times[0] + max(0.0, now_s - times[-1] - mean_s)
        return (len(times) - 1) / span_s if span_s > 0 else 0.0


class RateGate:
    """Lets at most `max_per_s` events a second through, evenly spread, at once when they come.

    An event that is early by less than half of the usual distance between events passes, so that 25 fps thinned to
    5 fps is every fifth frame even though frames jitter; over time the limit holds, since the next one is then due
    later.
    """

    def __init__(self, max_per_s: float | None) -> None:
        if max_per_s is not None and max_per_s <= 0:
            raise ValueError(f"expected a positive rate, got {max_per_s}")
        self._period_s = None if max_per_s is None else 1.0 / max_per_s
        self._due_s: float | None = None
        self._last_seen_s: float | None = None
        self._distance_s = 0.0

    def admits(self, now_s: float) -> bool:
        """Tell whether an event at a monotonic time may pass."""
        if self._period_s is None:
            return True
        if self._last_seen_s is not None:
            self._distance_s += 0.1 * (min(now_s - self._last_seen_s, self._period_s) - self._distance_s)
        self._last_seen_s = now_s
        if self._due_s is None or now_s - self._due_s > self._period_s:
            self._due_s = now_s + self._period_s
            return True
        if now_s < self._due_s - self._distance_s / 2:
            return False
        self._due_s += self._period_s
        return True
