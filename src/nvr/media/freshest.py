"""Hand over the freshest frame of each camera; older ones give way."""

import threading
from itertools import islice

from nvr.media.frame import Frame


class FreshestFrames:
    """One place per camera; a newer frame replaces one that was not taken, and the loss is counted.

    Any thread may put; one thread takes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._has_frames = threading.Condition(self._lock)
        self._was_taken = threading.Condition(self._lock)
        self._waiting: dict[int, Frame] = {}
        self._replaced: dict[int, int] = {}
        self._is_closed = False

    def put(self, frame: Frame) -> None:
        """Offer a frame; never waits."""
        with self._lock:
            if frame.source_id in self._waiting:
                self._replaced[frame.source_id] = self._replaced.get(frame.source_id, 0) + 1
            # a replaced frame leaves its place in the line to the newer one, else a busy camera would never be served
            self._waiting[frame.source_id] = frame
            self._has_frames.notify()

    def wait_until_taken(self, source_id: int, timeout_s: float) -> bool:
        """Wait until no frame of a camera waits, so that the next one replaces none; False after `timeout_s`."""
        with self._lock:
            return self._was_taken.wait_for(lambda: source_id not in self._waiting or self._is_closed, timeout_s)

    def take(self, limit: int, timeout_s: float) -> list[Frame]:
        """Return what is ready, at most `limit` frames, those of the cameras that wait longest in front.

        Waits only while nothing is ready; empty after `timeout_s` or when closed. A camera whose frame was left
        over for want of room goes before those that come later, so none starves.
        """
        with self._lock:
            if not self._waiting and not self._is_closed:
                self._has_frames.wait(timeout_s)
            ready = list(islice(self._waiting.values(), limit))
            for frame in ready:
                del self._waiting[frame.source_id]
            if ready:
                self._was_taken.notify_all()
            return ready

    def forget(self, source_id: int) -> None:
        """Drop what waits of a camera, and its count: it has been removed."""
        with self._lock:
            self._waiting.pop(source_id, None)
            self._replaced.pop(source_id, None)
            self._was_taken.notify_all()

    def replaced(self, source_id: int) -> int:
        """Return how many frames of a camera gave way to newer ones."""
        with self._lock:
            return self._replaced.get(source_id, 0)

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
