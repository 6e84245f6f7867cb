"""Hand over the freshest frame of each camera; older ones give way."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from nvr.core.clock import Clock, SystemClock
from nvr.media.frame import Frame

EXPECTED_FOR_S = 0.5
"""A camera that gave a frame this lately is waited for while others are gathered."""

Rank = Callable[[int, float], float]
"""Of a source id, and the seconds that it has waited."""


@dataclass(slots=True)
class _Waiting:
    frame: Frame
    since_s: float
    """When the first frame came that was not taken: those that replace it keep its place in the line."""


class FreshestFrames:
    """One place per camera; a newer frame replaces one that was not taken, and the loss is counted.

    Any thread may put; one thread takes.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._has_frames = threading.Condition(self._lock)
        self._was_taken = threading.Condition(self._lock)
        self._waiting: dict[int, _Waiting] = {}
        self._last_put_s: dict[int, float] = {}
        self._replaced: dict[int, int] = {}
        self._n_replaced = 0
        self._is_closed = False

    def put(self, frame: Frame) -> None:
        """Offer a frame; never waits."""
        now_s = self._clock.monotonic()
        with self._lock:
            self._last_put_s[frame.source_id] = now_s
            waiting = self._waiting.get(frame.source_id)
            if waiting is None:
                self._waiting[frame.source_id] = _Waiting(frame, now_s)
            else:
                self._replaced[frame.source_id] = self._replaced.get(frame.source_id, 0) + 1
                self._n_replaced += 1
                waiting.frame = frame
            self._has_frames.notify()

    def wait_until_taken(self, source_id: int, timeout_s: float) -> bool:
        """Wait until no frame of a camera waits, so that the next one replaces none; False after `timeout_s`."""
        with self._lock:
            return self._was_taken.wait_for(lambda: source_id not in self._waiting or self._is_closed, timeout_s)

    def take(
        self,
        limit: int,
        timeout_s: float,
        *,
        gather_s: float = 0.0,
        rank: Rank | None = None,
    ) -> list[Frame]:
        """Return what is ready, at most `limit` frames; empty after `timeout_s` or when closed.

        Waits while nothing is ready; then at most until the first frame is `gather_s` old, for cameras that have
        given frames lately.

        Args:
            limit: Most frames.
            timeout_s: How long to wait for a first frame.
            gather_s: How long it may wait for others.
            rank: The lowest go first; without it those that have waited longest, so that none starves.
        """
        with self._lock:
            if not self._waiting and not self._is_closed:
                self._has_frames.wait(timeout_s)
            if gather_s > 0:
                self._gather(limit, gather_s)
            now_s = self._clock.monotonic()
            waits_s = {key: now_s - waiting.since_s for key, waiting in self._waiting.items()}
            ids = sorted(waits_s, key=lambda key: -waits_s[key] if rank is None else rank(key, waits_s[key]))
            ready = [self._waiting.pop(source_id).frame for source_id in ids[:limit]]
            if ready:
                self._was_taken.notify_all()
            return ready

    def _gather(self, limit: int, gather_s: float) -> None:
        while self._waiting and not self._is_closed:
            now_s = self._clock.monotonic()
            left_s = min(waiting.since_s for waiting in self._waiting.values()) + gather_s - now_s
            n_expected = sum(now_s - put_s <= EXPECTED_FOR_S for put_s in self._last_put_s.values())
            is_urgent = any(waiting.frame.is_replayed for waiting in self._waiting.values())  # more of them follow
            if is_urgent or left_s <= 0 or len(self._waiting) >= min(limit, n_expected):
                return
            self._has_frames.wait(left_s)

    def forget(self, source_id: int) -> None:
        """Drop what waits of a camera, and its count: it has been removed."""
        with self._lock:
            self._waiting.pop(source_id, None)
            self._last_put_s.pop(source_id, None)
            self._replaced.pop(source_id, None)
            self._was_taken.notify_all()

    def drop(self, source_id: int) -> None:
        """Drop what waits of a camera that pauses, and let the taker go round: it may have to say goodbye."""
        with self._lock:
            self._waiting.pop(source_id, None)
            self._was_taken.notify_all()
            self._has_frames.notify_all()

    def replaced(self, source_id: int) -> int:
        """Return how many frames of a camera gave way to newer ones."""
        with self._lock:
            return self._replaced.get(source_id, 0)

    @property
    def n_waiting(self) -> int:
        """How many frames wait now."""
        return len(self._waiting)

    @property
    def n_places(self) -> int:
        """How many may wait: one of each camera that has given any."""
        return len(self._last_put_s)

    @property
    def n_replaced(self) -> int:
        """How many frames gave way to newer ones, of all cameras that ever were."""
        return self._n_replaced

    @property
    def is_closed(self) -> bool:
        """Whether no more frames are expected; some may still wait."""
        return self._is_closed

    def close(self) -> None:
        """Wake the taker and those who wait for it; the taker gets what is left, then nothing."""
        with self._lock:
            self._is_closed = True
            self._has_frames.notify_all()
            self._was_taken.notify_all()
