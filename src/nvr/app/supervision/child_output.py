"""What a child process writes, as lines that cannot fill anything: bounded in length, number and rate."""

import re
from collections import deque
from dataclasses import dataclass

from nvr.core.masking import mask_credentials

MAX_LINE_BYTES = 4000
LINES_PER_S = 50.0
BURST_LINES = 200
"""A trace or a start with many cameras is shown whole; an endless flood is not."""
KEPT_LINES = 20
_NEWS = re.compile(r'\d\d:\d\d:\d\d (INFO|DEBUG|WARNING) |\{"timestamp": "[^"]*", "level": "(info|debug|warning)"')
"""A log record of what mends itself or is for who is curious, in either format: nobody ends for that."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of some bytes."""

    lines: tuple[str, ...]
    """To be shown, credentials hidden."""
    left_out: int = 0
    """Lines that were too many before these."""


class ChildOutput:
    """Makes lines of bytes; keeps the last ones, for the report of the end. Not thread-safe."""

    def __init__(self) -> None:
        self._part = b""
        self._is_cut = False
        self._budget = float(BURST_LINES)
        self._counted_s: float | None = None
        self._left_out = 0
        self._kept: deque[str] = deque(maxlen=KEPT_LINES)
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Lines that were never shown."""
        return self._dropped

    @property
    def last_lines(self) -> tuple[str, ...]:
        """The last lines, those too that were not shown."""
        return tuple(self._kept)

    @property
    def last_words(self) -> str:
        """The last line that may be the reason of an end, which no news is; empty where there is none."""
        return next((line for line in reversed(self._kept) if line.strip() and not _NEWS.match(line)), "").strip()

    def take(self, data: bytes, now_s: float) -> Taken:
        """Take what was read, at monotonic second `now_s`, and return the lines that are complete."""
        *whole, rest = data.split(b"\n")
        lines = [self._finish(piece) for piece in whole]
        self._keep_part(rest)
        return self._show(lines, now_s)

    def close(self, now_s: float) -> Taken:
        """Return the line that was begun, as the process has ended."""
        return self._show([self._finish(b"")] if self._part else [], now_s)

    def _keep_part(self, piece: bytes) -> None:
        room = MAX_LINE_BYTES - len(self._part)
        self._is_cut = self._is_cut or len(piece) > room
        self._part += piece[:room]

    def _finish(self, piece: bytes) -> str:
        self._keep_part(piece)
        text = self._part.decode("utf-8", errors="replace").rstrip("\r")
        line = f"{text}…" if self._is_cut else text
        self._part, self._is_cut = b"", False
        line = mask_credentials(line)
        self._kept.append(line)
        return line

    def _show(self, lines: list[str], now_s: float) -> Taken:
        if self._counted_s is not None:
            self._budget = min(float(BURST_LINES), self._budget + (now_s - self._counted_s) * LINES_PER_S)
        self._counted_s = now_s
        n_shown = min(len(lines), int(self._budget))
        self._budget -= n_shown
        left_out = self._left_out if n_shown else 0
        n_dropped = len(lines) - n_shown
        self._left_out = self._left_out - left_out + n_dropped
        self._dropped += n_dropped
        return Taken(tuple(lines[:n_shown]), left_out)
