"""How often something happens, and keeping it from happening too often; pure."""

from collections import deque

WINDOW_S = 5.0
MAX_EVENTS = 512


class RateMeter:
    """Events per second over the last seconds. One thread counts, any may ask."""

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self._window_s = window_s
        self._events: deque[tuple[float, float | None]] = deque(maxlen=MAX_EVENTS)
        self._began_s: float | None = None

    def count(self, now_s: float, made_s: float | None = None) -> None:
        """Note one event.

        Args:
            now_s: Its arrival, monotonic seconds.
            made_s: When its source says that it was made, in seconds of any clock that has not changed since `restart`;
                None where that is not known. Heeded for the first two windows: events that a source had in store then
                come at once, and later the source's clock is not needed, which may run wrong.
        """
        if self._began_s is None:
            self._began_s = now_s
        self._events.append((now_s, made_s))

    def restart(self) -> None:
        """Forget all: what follows comes from another source, or with stamps by another clock."""
        self._events.clear()
        self._began_s = None

    def per_second(self, now_s: float) -> float:
        """Return the rate over the window that ends now; 0 with fewer than two events in it."""
        began_s = self._began_s
        events = [event for event in self._events.copy() if now_s - event[0] <= self._window_s]
        if len(events) < 2:
            return 0.0
        last_s = events[-1][0]
        span_s = last_s - events[0][0]
        if began_s is not None and now_s - began_s <= 2 * self._window_s:
            made_s = [made_s for _, made_s in events if made_s is not None]
            span_s = max(span_s, max(made_s) - min(made_s)) if made_s else span_s
        # n events span n - 1 intervals; silence since the last one lowers the rate once it is longer than usual
        span_s += max(0.0, now_s - last_s - span_s / (len(events) - 1))
        return (len(events) - 1) / span_s if span_s > 0 else 0.0


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
