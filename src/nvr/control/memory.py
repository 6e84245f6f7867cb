"""What a process remembers of commands for as long as it lives, whatever becomes of its connection and its settings.

How each ended, so that one that comes again is answered and not carried out; and which signed ones were taken, so that
none is taken twice. Of what was taken before the process began nothing is known: all that may be from then is refused.
"""

import heapq
import threading
from datetime import datetime, timedelta

from nvr.control.admission import AHEAD_S
from nvr.control.outcomes import Outcome, Outcomes
from nvr.control.refusal import RefusedError
from nvr.core.clock import Clock, SystemClock

MAX_SIGNED = 10_000
"""Signed commands whose ids are kept; beyond them the oldest are refused by their age, earlier than they had to be."""


class CommandMemory:
    """Made once per process and instance, and given to each agent; any thread may ask."""

    def __init__(self, *, began_at: datetime | None = None, clock: Clock | None = None) -> None:
        """Begin to remember.

        Args:
            began_at: When the process began, aware UTC; by default now.
            clock: For the wall time.
        """
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._outcomes = Outcomes()
        self._signed: set[str] = set()
        self._by_age: list[tuple[datetime, str]] = []
        self._since = (began_at or self._clock.now()) + timedelta(seconds=AHEAD_S)

    def outcome(self, command_id: str) -> Outcome | None:
        """Return how a command ended; None where it is new, in work, or forgotten."""
        with self._lock:
            return self._outcomes.get(command_id)

    def remember(self, command_id: str, outcome: Outcome) -> None:
        """Keep how a command ended."""
        with self._lock:
            self._outcomes.put(command_id, outcome)

    def take_signed(self, command_id: str, issued_at: datetime, max_skew_s: float) -> None:
        """Take a command whose signature is right, once.

        Args:
            command_id: Part of what is signed.
            issued_at: The same, aware UTC; no further ahead of the wall time than `AHEAD_S`.
            max_skew_s: Older ones are refused anyway.

        Raises:
            RefusedError: It was taken before, or nobody knows whether it was.
        """
        now = self._clock.now()
        with self._lock:
            self._forget_before(now - timedelta(seconds=max_skew_s))
            if command_id in self._signed:
                raise RefusedError("unauthorised", "it was taken before, and its answer is no longer known")
            if issued_at <= self._since:
                raise RefusedError(
                    "unauthorised",
                    f"it was issued at {issued_at.isoformat()}, and of those up to {self._since.isoformat()} nobody "
                    "knows whether they were taken before: sign it again",
                )
            self._signed.add(command_id)
            heapq.heappush(self._by_age, (issued_at, command_id))
            while len(self._by_age) > MAX_SIGNED:
                self._forget_oldest()

    def begin_anew(self) -> None:
        """Refuse all signed commands of before: what was taken without a look at its signature is not known."""
        with self._lock:
            self._since = max(self._since, self._clock.now() + timedelta(seconds=AHEAD_S))

    def _forget_before(self, oldest: datetime) -> None:
        while self._by_age and self._by_age[0][0] < oldest:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        issued_at, command_id = heapq.heappop(self._by_age)
        self._signed.discard(command_id)
        # also where the limit of the age is raised later, or the clock is set back
        self._since = max(self._since, issued_at)
