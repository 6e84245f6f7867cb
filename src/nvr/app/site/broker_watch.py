"""Whether the private broker hangs: pure.

A broker that hangs does not end, and even takes connections, since the kernel does that for it. We notice that it is
gone by its missing answers; a second connection then tells whether it hangs, or we alone have lost it.
"""

ASK_AFTER_S = 10.0
"""So long without the broker, and again after so long: who was killed is back sooner by itself."""


class BrokerWatch:
    """Says when to ask. Not thread-safe."""

    def __init__(self) -> None:
        self._lost_s: float | None = None

    def is_time_to_ask(self, *, is_connected: bool, now_s: float) -> bool:
        """Tell whether somebody should see if the broker answers, at monotonic second `now_s`."""
        if is_connected:
            self._lost_s = None
        elif self._lost_s is None:
            self._lost_s = now_s
        elif now_s - self._lost_s >= ASK_AFTER_S:
            self._lost_s = now_s
            return True
        return False
