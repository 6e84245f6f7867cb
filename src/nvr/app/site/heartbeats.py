"""Which processes live but do not answer: pure.

A process that hangs does not end. It is found by its silence, but only as long as we ourselves hear the broker: while
that is away nobody is heard, and after a pause of this very process (a machine that slept, a terminal's Ctrl-Z) what
was said meanwhile has yet to be read. One that was never heard since its start is left alone: it may be fetching a
model, or the broker does not let it say how it is, which is no reason to end recordings. How long one may be silent it
says itself, as a changed setting reaches it later than us.
"""

from collections.abc import Iterable, Mapping

MISSED_HEARTBEATS = 6
"""A process that was heard once and then missed so many hangs."""
LEAST_SILENCE_S = 30.0
"""However often it is to be heard: a broker that hangs silences all, and is itself found out by its missing answers
within 20 s."""
PAUSED_S = 5.0
"""We say several times a second whether we hear the broker; who has not for so long did not run."""


class Heartbeats:
    """When each process was heard last. Not thread-safe."""

    def __init__(self) -> None:
        self._heard_s: dict[str, float] = {}
        self._may_be_silent_s: dict[str, float] = {}
        self._listening_since_s: float | None = None
        self._noted_s = 0.0

    def note_broker(self, *, is_connected: bool, now_s: float) -> None:
        """Say whether we hear the broker, at monotonic second `now_s`."""
        if not is_connected:
            self._listening_since_s = None
        elif self._listening_since_s is None or now_s - self._noted_s > PAUSED_S:
            self._listening_since_s = now_s
        self._noted_s = now_s

    def note(self, name: str, now_s: float, heartbeat_s: float) -> None:
        """Say that a process was heard, which wants to be heard again within `heartbeat_s`."""
        self._heard_s[name] = now_s
        self._may_be_silent_s[name] = max(LEAST_SILENCE_S, MISSED_HEARTBEATS * heartbeat_s)

    def has_answered(self, name: str, started_s: float) -> bool:
        """Tell whether a process was heard since its start at monotonic second `started_s`."""
        return self._heard_s.get(name, started_s) > started_s

    def silent(self, started_s: Mapping[str, float], now_s: float) -> dict[str, float]:
        """Return the processes that hang, and for how many seconds nothing was heard of them.

        Args:
            started_s: Those that run, and since when, in monotonic seconds.
            now_s: Now.
        """
        if self._listening_since_s is None:
            return {}
        found = {}
        for name, since_s in started_s.items():
            if self.has_answered(name, since_s):
                silent_s = now_s - max(self._heard_s[name], self._listening_since_s)
                if silent_s >= self._may_be_silent_s[name]:
                    found[name] = silent_s
        return found

    def forget_others(self, names: Iterable[str]) -> None:
        """Forget all processes but these."""
        wanted = set(names)
        self._heard_s = {name: heard_s for name, heard_s in self._heard_s.items() if name in wanted}
        self._may_be_silent_s = {name: each_s for name, each_s in self._may_be_silent_s.items() if name in wanted}
