"""The newest detections of each camera, for as long as they are worth drawing."""

import threading
from dataclasses import dataclass

from nvr.core.clock import Clock, SystemClock
from nvr.events import DetectionEvent

MAX_SOURCES = 4096


@dataclass(frozen=True, slots=True)
class _Entry:
    event: DetectionEvent
    received_s: float


QUIET_TTL_S = 10.0
"""An event that says that nothing moves holds so long: the camera's next picture may be a GOP away."""


class DetectionCache:
    """Keeps one event per source for `ttl_seconds` after its arrival. Thread-safe and bounded.

    An event of a quiet camera is kept for at least `QUIET_TTL_S`. One that was replayed from the past belongs on no
    picture that is shown now, and is not kept.

    Age is measured on this machine's monotonic clock from the arrival, never from the timestamp inside the event:
    the clocks of two machines differ.
    """

    def __init__(self, ttl_seconds: float, *, max_sources: int = MAX_SOURCES, clock: Clock | None = None) -> None:
        if ttl_seconds <= 0 or max_sources < 1:
            raise ValueError(f"expected a positive ttl and at least one source, got {ttl_seconds} and {max_sources}")
        self._ttl_s = ttl_seconds
        self._max_sources = max_sources
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._entries: dict[int, _Entry] = {}
        self._n_outdated = 0

    @property
    def n_outdated(self) -> int:
        """How many events were ignored because a newer one of their source was there already."""
        return self._n_outdated

    def put(self, event: DetectionEvent) -> bool:
        """Keep an event; False if it was ignored because it is replayed or a later capture is still alive.

        An expired event stops nobody, so that a processor whose clock was set back is shown again after the ttl.
        With `max_sources` sources held, the one that has been silent longest makes room.
        """
        if event.replayed:
            return False
        now_s = self._clock.monotonic()
        with self._lock:
            known = self._entries.get(event.source_id)
            if known is not None and self._is_alive(known, now_s) and event.timestamp < known.event.timestamp:
                self._n_outdated += 1
                return False
            if known is None and len(self._entries) >= self._max_sources:
                del self._entries[min(self._entries, key=lambda source: self._entries[source].received_s)]
            self._entries[event.source_id] = _Entry(event, now_s)
            return True

    def get(self, source_id: int) -> DetectionEvent | None:
        """Return the newest event of a source, or None if there is none or it has expired."""
        with self._lock:
            entry = self._entries.get(source_id)
            return entry.event if entry is not None and self._is_alive(entry, self._clock.monotonic()) else None

    def silence_s(self, source_id: int) -> float | None:
        """Return the seconds since the last event of a source arrived, expired or not; None if none ever did."""
        with self._lock:
            entry = self._entries.get(source_id)
            return None if entry is None else self._clock.monotonic() - entry.received_s

    def __len__(self) -> int:
        """Return how many sources are held, expired ones included."""
        with self._lock:
            return len(self._entries)

    def _is_alive(self, entry: _Entry, now_s: float) -> bool:
        ttl_s = max(self._ttl_s, QUIET_TTL_S) if entry.event.quiet else self._ttl_s
        return now_s - entry.received_s <= ttl_s
