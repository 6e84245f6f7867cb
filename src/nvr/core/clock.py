"""The only place that reads a clock; everyone else is handed a `Clock`."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Wall time for what people read, monotonic time for intervals."""

    def now(self) -> datetime:
        """Return the wall time as aware UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back; only differences mean anything."""
        ...


class SystemClock:
    """The clocks of the operating system."""

    def now(self) -> datetime:
        """Return the wall time as aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds of `time.monotonic`."""
        return time.monotonic()


class ManualClock:
    """A clock that moves only when told, for tests and simulations."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed_s = 0.0

    def now(self) -> datetime:
        """Return the start time plus all that was advanced."""
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        """Return the seconds advanced so far."""
        return self._elapsed_s

    def advance(self, seconds: float) -> None:
        """Move both clocks forward; negative seconds raise ValueError."""
        if seconds < 0:
            raise ValueError(f"a clock cannot go back, got {seconds} s")
        self._elapsed_s += seconds
