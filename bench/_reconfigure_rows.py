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


@dataclass(frozen=True, slots=True)
class Loss:
    """Frames in a row that no event tells of."""

    at_s: float
    """When the next event came."""
    n_frames: int


def losses(arrivals: Sequence[Arrival]) -> list[Loss]:
    """Return what is missing of a camera that is looked at frame by frame.

    Where its numbers begin anew, its connection did: that is one frame at least.
    """
    steps = [(later.at_s, later.frame_id - earlier.frame_id) for earlier, later in pairwise(arrivals)]
    return [Loss(at_s, step - 1 if step > 1 else 1) for at_s, step in steps if step != 1]


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
    lost = sum(loss.n_frames for loss in _losses_of_all(arrivals) if start_s <= loss.at_s <= end_s)
    target = "= 0" if is_judged else ""
    return Row(name, lost, "frames", target, ok=lost == 0 if is_judged else None)


def loss_rows(changes: Sequence[Change], arrivals: Mapping[int, Sequence[Arrival]], after_s: float) -> list[Row]:
    """Return how many frames some cameras have lost by each kind of change: while it was made, or soon after.

    Args:
        changes: All, in the order in which they were asked for. Of two that were so near, the later one is to blame.
        arrivals: By camera.
        after_s: How soon after its effect.
    """
    lost = dict.fromkeys((change.kind for change in changes), 0)
    for loss in _losses_of_all(arrivals):
        before = [change for change in changes if change.sent_s <= loss.at_s]
        if before and loss.at_s <= max(before[-1].completed_s, before[-1].effect_s) + after_s:
            lost[before[-1].kind] += loss.n_frames
    return [Row(f"{kind}.others_lost", n, "frames", "= 0", ok=n == 0) for kind, n in lost.items()]


def n_frames(arrivals: Mapping[int, Sequence[Arrival]], start_s: float, end_s: float) -> int:
    """Return how many events of some cameras came between two moments."""
    return sum(start_s <= arrival.at_s <= end_s for each in arrivals.values() for arrival in each)


def _losses_of_all(arrivals: Mapping[int, Sequence[Arrival]]) -> list[Loss]:
    return [loss for each in arrivals.values() for loss in losses(each)]
