"""A text stream that never blocks its writers: a terminal that was stopped, or a log that is full, holds up nobody."""

import contextlib
import threading
from collections import deque
from io import TextIOBase
from typing import TextIO

MAX_WAITING = 5000
"""Pieces of text that may wait; the oldest give way and are counted."""


class BackgroundWriter(TextIOBase):
    """Writes to another stream in a thread of its own; any thread may write."""

    def __init__(self, stream: TextIO, name: str = "log-writer") -> None:
        """Prepare; nothing is written before `start`."""
        super().__init__()
        self._stream = stream
        self._waiting: deque[str] = deque()
        self._has_work = threading.Condition()
        self._dropped = 0
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def dropped(self) -> int:
        """Pieces that were never written."""
        return self._dropped

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> bool:
        """Write what waits, at most for so long; False where the stream does not take it."""
        with self._has_work:
            self._is_stopping = True
            self._has_work.notify()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str, /) -> int:
        """Take a piece of text, without a wait."""
        self.put(text)
        return len(text)

    def put(self, text: str) -> None:
        """Take a piece of text, without a wait."""
        with self._has_work:
            if len(self._waiting) >= MAX_WAITING:
                self._waiting.popleft()
                self._dropped += 1
            self._waiting.append(text)
            self._has_work.notify()

    def flush(self) -> None:
        """Do nothing: the thread writes as soon as it can."""

    def _run(self) -> None:
        told = 0
        while True:
            with self._has_work:
                self._has_work.wait_for(lambda: self._waiting or self._is_stopping)
                pieces = list(self._waiting)
                self._waiting.clear()
                dropped = self._dropped
            if not pieces:
                return
            if dropped > told:
                pieces.append(f"({dropped - told} pieces of the log were too many and are left out)\n")
                told = dropped
            # a stream whose reader is gone takes nothing any more, and there is nobody left to tell
            with contextlib.suppress(OSError, ValueError):
                self._stream.write("".join(pieces))
                self._stream.flush()
