"""Hand over the freshest frame of each camera; older ones give way."""

import threading
from itertools import islice

from nvr.media.frame import Frame


class FreshestFrames:
    """One place per camera; a newer frame replaces one that was not taken, and the loss is counted.

    Any thread may put; one thread takes.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._waiting: dict[int, Frame] = {}
        self._replaced: dict[int, int] = {}
        self._is_closed = False

    def put(self, frame: Frame) -> None:
        """Offer a frame; never waits."""
        with self._condition:
            if frame.source_id in self._waiting:
                self._replaced[frame.source_id] = self._replaced.get(frame.source_id, 0) + 1
            # a replaced frame leaves its place in the line to the newer one, else a busy camera would never be served
            self._waiting[frame.source_id] = frame
            self._condition.notify()

    def take(self, limit: int, timeout_s: float) -> list[Frame]:
        """Return what is ready, at most `limit` frames, those of the cameras that wait longest in front.

        Waits only while nothing is ready; empty after `timeout_s` or when closed. A camera whose frame was left
        over for want of room goes before those that come later, so none starves.
        """
        with self._condition:
            if not self._waiting and not self._is_closed:
                self._condition.wait(timeout_s)
            ready = list(islice(self._waiting.values(), limit))
            for frame in ready:
                del self._waiting[frame.source_id]
            return ready

    def replaced(self, source_id: int) -> int:
        """Return how many frames of a camera gave way to newer ones."""
        with self._condition:
            return self._replaced.get(source_id, 0)

    @property
    def is_closed(self) -> bool:
        """Whether no more frames are expected; some may still wait."""
        return self._is_closed

    def close(self) -> None:
        """Wake the taker; it gets what is left, then nothing."""
        with self._condition:
            self._is_closed = True
            self._condition.notify_all()
