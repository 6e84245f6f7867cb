"""When what goes wrong, drawn by lot; pure."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from bench._chaos_rows import FaultKind


@dataclass(frozen=True, slots=True)
class Plan:
    """How long a run takes and how often something goes wrong, in seconds."""

    run_s: float
    n_cameras: int = 4
    first_s: float = 20.0
    """Of undisturbed recording before the first fault."""
    last_s: float = 25.0
    """Of undisturbed recording after the last one."""
    apart_s: tuple[float, float] = (15.0, 45.0)
    """From the end of a fault to the next one."""
    away_s: tuple[float, float] = (1.0, 6.0)
    """How long the server or the recorder is away."""


QUICK = Plan(run_s=32.0, first_s=6.0, last_s=8.0, apart_s=(2.5, 4.0), away_s=(1.0, 2.0))


@dataclass(frozen=True, slots=True)
class Step:
    """One fault to come."""

    at_s: float
    """Seconds after the beginning of the run."""
    kind: FaultKind
    camera: int | None
    away_s: float
    """How long the server or the recorder stays away; 0 for a camera, which takes new clients at once."""


def plan_faults(plan: Plan, rng: random.Random) -> Sequence[Step]:
    """Return the faults of a run in order; each kind comes as soon as every other one has come."""
    steps: list[Step] = []
    kinds: list[FaultKind] = []
    at_s = plan.first_s
    while at_s < plan.run_s - plan.last_s:
        if not kinds:
            kinds = ["camera", "server", "recorder"]
            rng.shuffle(kinds)
        kind = kinds.pop()
        away_s = 0.0 if kind == "camera" else rng.uniform(*plan.away_s)
        steps.append(Step(at_s, kind, rng.randrange(plan.n_cameras) if kind == "camera" else None, away_s))
        at_s += away_s + rng.uniform(*plan.apart_s)
    return steps
