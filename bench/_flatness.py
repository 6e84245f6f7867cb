"""Does a series of samples grow? Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

MAX_SLOPE_POINTS = 400
"""A slope is taken from all pairs of points, so a long series is thinned to this many first."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one process used at one moment."""

    at_s: float
    rss_mb: float
    """Everything resident, shared libraries and files included."""
    uss_mb: float
    """What would be free if it ended."""
    n_threads: int
    n_fds: int


def ends(values: Sequence[float]) -> tuple[float, float]:
    """Return the medians of the first and the last tenth, at least one value each."""
    if not values:
        raise ValueError("expected at least one value, got none")
    n = max(1, len(values) // 10)
    return median(values[:n]), median(values[-n:])


def growth_percent(values: Sequence[float]) -> float:
    """Return by how much the last tenth stands above the first, both by their medians."""
    first, last = ends(values)
    return (last - first) / first * 100


def trend_percent(times_s: Sequence[float], values: Sequence[float]) -> float:
    """Return what a straight line through all values rises from the first to the last, of the first tenth.

    The line is the one of Theil and Sen: the median of the slopes of all pairs, which single steps do not bend.
    """
    step = max(1, -(-len(values) // MAX_SLOPE_POINTS))
    points = list(zip(times_s[::step], values[::step], strict=True))
    slopes = [
        (later - earlier) / (end_s - start_s)
        for index, (start_s, earlier) in enumerate(points)
        for end_s, later in points[index + 1 :]
        if end_s > start_s
    ]
    if not slopes:
        return 0.0
    return median(slopes) * (times_s[-1] - times_s[0]) / ends(values)[0] * 100
