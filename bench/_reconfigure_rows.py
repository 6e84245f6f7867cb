"""What arrivals of events tell about a change while it was made; pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench._rows import Row


@dataclass(frozen=True, slots=True)
class Arrival:
    """One event, as a subscriber heard it."""

    at_s: float
    """Monotonic."""
    frame_id: int
    model_id: str


@dataclass(frozen=True, slots=True)
class Change:
    """One command and when it had its effect."""

    kind: str
    sent_s: float
    received_s: float
    """When the first answer came."""
    completed_s: float
    effect_s: float
    """When what was asked for was seen on the broker."""
    connect_s: float = 0.0
    """What the camera itself takes to its first key frame, measured apart."""


def lost_frames(arrivals: Sequence[Arrival], start_s: float, end_s: float) -> int:
    """Return how many frames of a camera that is looked at frame by frame are missing between two moments."""
    inside = [arrival.frame_id for arrival in arrivals if start_s <= arrival.at_s <= end_s]
    return sum(max(0, later - earlier - 1) for earlier, later in pairwise(inside))


def percentile(values: Iterable[float], share: float) -> float:
    """Return the smallest value that is not below `share` of all; 0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def rows_of(changes: Sequence[Change]) -> list[Row]:
    """Return the figures of one kind of change, in ms."""
    kind = changes[0].kind
    effects = [change.effect_s - change.sent_s for change in changes]
    own = [max(0.0, change.effect_s - change.sent_s - change.connect_s) for change in changes]
    received = [change.received_s - change.sent_s for change in changes]
    limit_ms = 100.0 if kind == "pause" else 1000.0
    p95_ms = 1000 * percentile(own, 0.95)
    rows = [
        Row(
            f"{kind}.received.p95",
            round(1000 * percentile(received, 0.95), 1),
            "ms",
            "< 100",
            ok=percentile(received, 0.95) < 0.1,
        ),
        Row(f"{kind}.effect.p50", round(1000 * percentile(own, 0.5), 1), "ms"),
        Row(f"{kind}.effect.p95", round(p95_ms, 1), "ms", f"< {limit_ms:g}", ok=p95_ms < limit_ms),
    ]
    if any(change.connect_s for change in changes):
        rows.append(Row(f"{kind}.with_connect.p95", round(1000 * percentile(effects, 0.95), 1), "ms"))
    return rows


def loss_row(
    name: str, arrivals: Mapping[int, Sequence[Arrival]], start_s: float, end_s: float, *, is_judged: bool
) -> Row:
    """Return how many frames some cameras have lost between two moments."""
    lost = sum(lost_frames(each, start_s, end_s) for each in arrivals.values())
    target = "= 0" if is_judged else ""
    return Row(name, lost, "frames", target, ok=lost == 0 if is_judged else None)


def loss_row_of(changes: Sequence[Change], arrivals: Mapping[int, Sequence[Arrival]], after_s: float) -> Row:
    """Return how many frames some cameras have lost during one kind of change, or within `after_s` of it."""
    lost = sum(
        lost_frames(each, change.sent_s - after_s, max(change.completed_s, change.effect_s) + after_s)
        for change in changes
        for each in arrivals.values()
    )
    return Row(f"{changes[0].kind}.others_lost", lost, "frames", "= 0", ok=lost == 0)
