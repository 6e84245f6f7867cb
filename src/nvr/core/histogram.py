"""How values spread over fixed buckets: cheap to count, to add up, and to tell percentiles of."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

LATENCY_BOUNDS_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0)
"""Upper bounds for latencies: most of them where people set their limits, below a second."""

INFERENCE_BOUNDS_S = (0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0, 5.0)
"""Upper bounds for inferences: from a GPU's millisecond to a large model on a slow CPU."""


@dataclass(frozen=True, slots=True)
class HistogramSnapshot:
    """What was counted until one moment."""

    bounds: tuple[float, ...]
    """Upper bounds of the buckets, inclusive and rising."""
    counts: tuple[int, ...]
    """Of each bucket, and last of what lies above all bounds; not cumulative."""
    total: float
    """Sum of all values."""
    highest: float
    """The highest value; 0 without any."""
    clamped: int = 0
    """Values that were negative or no number, and were counted as 0."""

    @property
    def count(self) -> int:
        """How many values there are."""
        return sum(self.counts)

    @property
    def mean(self) -> float:
        """Their mean; 0 without any."""
        count = self.count
        return self.total / count if count else 0.0

    def percentile(self, share: float) -> float:
        """Return the upper bound of a percentile: `share` (0..1) of the values lie at or below; 0 without any."""
        if not 0 <= share <= 1:
            raise ValueError(f"share: expected 0 to 1, got {share}")
        needed = max(1, math.ceil(share * self.count - 1e-9))
        for bound, reached in self.cumulative():
            if reached >= needed:
                return min(bound, self.highest)
        return 0.0

    def cumulative(self) -> list[tuple[float, int]]:
        """Return each bound, infinity last, with how many values lie at or below it."""
        reached, steps = 0, []
        for bound, count in zip((*self.bounds, math.inf), self.counts, strict=True):
            reached += count
            steps.append((bound, reached))
        return steps

    def merged(self, other: "HistogramSnapshot") -> "HistogramSnapshot":
        """Return both as one.

        Raises:
            ValueError: They have other bounds.
        """
        if self.bounds != other.bounds:
            raise ValueError(f"histograms with bounds {self.bounds} and {other.bounds} cannot be merged")
        return HistogramSnapshot(
            self.bounds,
            tuple(mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)),
            self.total + other.total,
            max(self.highest, other.highest),
            self.clamped + other.clamped,
        )


class Histogram:
    """Counts values without a lock: one thread observes, any may take snapshots, which may miss the value in work."""

    __slots__ = ("_bounds", "_clamped", "_counts", "_highest", "_total")

    def __init__(self, bounds: Sequence[float] = LATENCY_BOUNDS_S) -> None:
        """Begin empty.

        Raises:
            ValueError: The bounds do not rise, or are none.
        """
        self._bounds = tuple(bounds)
        if not self._bounds or any(low >= high for low, high in zip(self._bounds, self._bounds[1:], strict=False)):
            raise ValueError(f"bounds: expected some that rise, got {self._bounds}")
        self._counts = [0] * (len(self._bounds) + 1)
        self._total = 0.0
        self._highest = 0.0
        self._clamped = 0

    def observe(self, value: float) -> None:
        """Count a value; what is negative (two clocks differ) or no number counts as 0, and apart."""
        if not 0.0 <= value < math.inf:
            self._clamped += 1
            value = 0.0
        if value > self._highest:  # noqa: PLR1730 - max() costs 60 ns more
            self._highest = value
        self._total += value
        self._counts[bisect_left(self._bounds, value)] += 1

    def snapshot(self) -> HistogramSnapshot:
        """Return what was counted so far; any thread."""
        return HistogramSnapshot(self._bounds, tuple(self._counts), self._total, self._highest, self._clamped)
