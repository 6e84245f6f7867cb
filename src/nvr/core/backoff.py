"""How long to wait before the next try: exponential, bounded, jittered."""

import random


class Backoff:
    """Delays that grow until `reset`, spread so that many cameras do not return in step.

    Each delay is drawn evenly from the upper half of its bound ("equal jitter"), so that it never
    falls to zero and two cameras that failed together still part.
    """

    def __init__(
        self,
        initial_s: float = 0.5,
        max_s: float = 30.0,
        factor: float = 2.0,
        rng: random.Random | None = None,
    ) -> None:
        if not 0 < initial_s <= max_s or factor < 1:
            raise ValueError(f"expected 0 < initial <= max and factor >= 1, got {initial_s}, {max_s}, {factor}")
        self._initial_s = initial_s
        self._max_s = max_s
        self._factor = factor
        self._rng = rng or random.Random()  # noqa: S311 - spreads load, keeps no secret
        self._bound_s = initial_s

    def next_s(self) -> float:
        """Return the next delay in seconds and grow the bound of the one after."""
        bound_s = self._bound_s
        self._bound_s = min(bound_s * self._factor, self._max_s)
        return self._rng.uniform(bound_s / 2, bound_s)

    def reset(self) -> None:
        """Start again from the first delay, after a success."""
        self._bound_s = self._initial_s
