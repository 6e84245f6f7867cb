"""What of that which cameras delivered was lost, and by which fault; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from bench._rows import Row

FaultKind = Literal["camera", "server", "recorder", "end"]
"""A camera drops its clients, the cameras' server goes away, the recorder is killed; and the run ends."""

ALLOWED_S = 1.0
"""What a fault may cost a camera."""
REACH_S = 15.0
"""A frame that is lost further from any fault was not lost by it."""
N_WORST = 10


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that was done on purpose."""

    kind: FaultKind
    at_s: float
    """Wall time in seconds, as the capture times of frames."""
    until_s: float
    """When it was over: the server or the recorder were back."""
    camera: int | None = None
    """Whom it hit; None for all."""

    def distance_s(self, at_s: float) -> float:
        """Return how far a moment is from it; 0 while it lasts."""
        return max(self.at_s - at_s, at_s - self.until_s, 0.0)


@dataclass(frozen=True, slots=True)
class Gap:
    """Frames of one camera, one after the other, that were delivered and are not on the disk."""

    camera: int
    start_s: float
    n_frames: int
    fault: Fault | None
    """What is to blame; None where nothing is near."""

    def describe(self, fps: float) -> str:
        """Return it as one line."""
        when = datetime.fromtimestamp(self.start_s).astimezone().isoformat(timespec="milliseconds")
        blame = "no fault near" if self.fault is None else f"{self.fault.kind} {self.start_s - self.fault.at_s:+.2f} s"
        return f"camera {self.camera}: {self.n_frames / fps:.2f} s from {when}, {blame}"


@dataclass(slots=True)
class Outcome:
    """What a run left."""

    fps: float
    delivered: Mapping[int, Sequence[float]]
    """Capture times of the frames that each camera sent to us, rising."""
    kept: Mapping[int, frozenset[float]]
    """Those of them that can be played, each by its capture time as in `delivered`."""
    faults: Sequence[Fault]
    n_segments: int = 0
    n_unplayable: int = 0
    """Files that cannot be read to their end."""
    n_unfinished: int = 0
    """Files that are still marked as being written, or were set aside."""
    is_index_equal: bool | None = None
    """Whether `nvr recordings verify` found the index equal to the disk; None where it was not asked."""
    gaps: list[Gap] = field(default_factory=list)


def find_gaps(outcome: Outcome) -> list[Gap]:
    """Return what was delivered and is not playable, the longest first."""
    gaps = []
    for camera, delivered in outcome.delivered.items():
        run: list[float] = []
        for at_s in delivered:
            if at_s not in outcome.kept.get(camera, frozenset()):
                run.append(at_s)
                continue
            if run:
                gaps.append(_gap(camera, run, outcome.faults))
            run = []
        if run:
            gaps.append(_gap(camera, run, outcome.faults))
    return sorted(gaps, key=lambda gap: -gap.n_frames)


def _gap(camera: int, run: Sequence[float], faults: Sequence[Fault]) -> Gap:
    near = [fault for fault in faults if fault.camera in (None, camera)]
    middle_s = (run[0] + run[-1]) / 2
    nearest = min(near, key=lambda fault: fault.distance_s(middle_s), default=None)
    is_to_blame = nearest is not None and nearest.distance_s(middle_s) <= REACH_S
    return Gap(camera, run[0], len(run), nearest if is_to_blame else None)


def judge(outcome: Outcome) -> list[Row]:
    """Return the figures of a run."""
    gaps = find_gaps(outcome)
    lost: dict[tuple[Fault, int], int] = {}
    for gap in gaps:
        if gap.fault is not None:
            lost[gap.fault, gap.camera] = lost.get((gap.fault, gap.camera), 0) + gap.n_frames
    blameless_s = sum(gap.n_frames for gap in gaps if gap.fault is None) / outcome.fps
    worst_s = max(lost.values(), default=0) / outcome.fps
    delivered_s = sum(len(times) for times in outcome.delivered.values()) / outcome.fps
    lost_s = sum(gap.n_frames for gap in gaps) / outcome.fps
    rows = [
        Row("chaos.delivered", round(delivered_s, 1), "s", "> 0", None, delivered_s > 0),
        Row("chaos.lost", round(lost_s, 2), "s"),
        Row("chaos.lost_per_fault_worst", round(worst_s, 2), "s", f"<= {ALLOWED_S:g}", None, worst_s <= ALLOWED_S),
        Row("chaos.lost_without_fault", round(blameless_s, 2), "s", "0", None, not blameless_s),
        *_fault_rows(outcome, lost),
        Row("chaos.segments", outcome.n_segments, "", "> 0", None, outcome.n_segments > 0),
        Row("chaos.segments_unplayable", outcome.n_unplayable, "", "0", None, not outcome.n_unplayable),
        Row("chaos.files_unfinished", outcome.n_unfinished, "", "0", None, not outcome.n_unfinished),
    ]
    if outcome.is_index_equal is not None:
        value = int(outcome.is_index_equal)
        rows.append(Row("chaos.index_equals_disk", value, "", "1", None, outcome.is_index_equal))
    return rows


def _fault_rows(outcome: Outcome, lost: Mapping[tuple[Fault, int], int]) -> list[Row]:
    rows = []
    for kind in ("camera", "server", "recorder", "end"):
        of_kind = [fault for fault in outcome.faults if fault.kind == kind]
        costs = [
            lost.get((fault, camera), 0) / outcome.fps
            for fault in of_kind
            for camera in outcome.delivered
            if fault.camera in (None, camera)
        ]
        rows.append(Row(f"chaos.{kind}.faults", len(of_kind), ""))
        if costs:
            rows.append(Row(f"chaos.{kind}.lost_mean", round(sum(costs) / len(costs), 3), "s"))
            rows.append(Row(f"chaos.{kind}.lost_worst", round(max(costs), 2), "s"))
    return rows
