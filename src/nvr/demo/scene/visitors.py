"""Who comes by in a scene where else nothing moves: one after the other, with quiet in between, drawn by lot."""

import math
from dataclasses import dataclass

import numpy as np

from nvr.core.errors import ConfigurationError
from nvr.demo.scene.backdrop import BackdropKind
from nvr.demo.scene.cast import Actor, Vehicle, Walker, choose_clothes, choose_paint
from nvr.demo.scene.path import Visit
from nvr.demo.scene.perspective import person_height
from nvr.demo.scene.vehicle import LENGTH_PER_PERSON
from nvr.demo.scene.walker import STRIDE_PER_HEIGHT

LEAST_SPARSE_S = 30.0
"""A loop with fewer seconds may have no visit."""

_VISIT_S = (0.4, 8.0)  # the first and last moments are slivers at the edge: a tenth of a second is not seen
_QUIET_S = (5.0, 20.0)
_STREET_LANES = (0.655, 0.80)
_WALKER_ROWS: dict[BackdropKind, tuple[float, float]] = {"street": (0.90, 0.97), "hall": (0.60, 0.96)}
_HALF_WIDTH_PER_HEIGHT = 0.25
_LEAST_CROSSING_S = {"car": 1.2, "person": 4.0}
_RUN_HEIGHTS_PER_S = 1.6
_DRIVE_LENGTHS_PER_S = 0.85
_DEEPEST = 0.7


@dataclass(frozen=True, slots=True)
class _Stage:
    kind: BackdropKind
    aspect: float
    duration_s: float


@dataclass(frozen=True, slots=True)
class _Slot:
    start_s: float
    length_s: float


def choose_visitors(
    kind: BackdropKind, aspect: float, duration_s: float, rng: np.random.Generator
) -> tuple[Actor, ...]:
    """Return the visitors of a loop in their order: 0.3 to 8 s each, 5 to 20 s apart, the seam included.

    Raises:
        ConfigurationError: The loop is shorter than `LEAST_SPARSE_S`.
    """
    if duration_s < LEAST_SPARSE_S:
        raise ConfigurationError(f"expected a sparse scene of at least {LEAST_SPARSE_S:g} s, got {duration_s:g} s")
    stage = _Stage(kind, aspect, duration_s)
    visitors: list[Actor] = []
    for slot in _choose_slots(duration_s, rng):
        is_car = kind == "street" and rng.uniform() < 0.5
        choose = _choose_car if is_car else _choose_person
        visitors.append(choose(len(visitors) + 1, stage, slot, rng))
    return tuple(visitors)


def _choose_slots(duration_s: float, rng: np.random.Generator) -> list[_Slot]:
    slots: list[_Slot] = []
    shortest, longest = (math.log(length_s) for length_s in _VISIT_S)
    start_s = float(rng.uniform(_QUIET_S[0], 1.5 * _QUIET_S[0]))
    while True:
        slot = _Slot(start_s, math.exp(float(rng.uniform(shortest, longest))))
        if slot.start_s + slot.length_s > duration_s - _QUIET_S[0]:
            return slots
        slots.append(slot)
        start_s = slot.start_s + slot.length_s + float(rng.uniform(*_QUIET_S))


def _choose_person(object_id: int, stage: _Stage, slot: _Slot, rng: np.random.Generator) -> Walker:
    foot_y = float(rng.uniform(*_WALKER_ROWS[stage.kind]))
    height = person_height(foot_y) / stage.aspect
    depth = None
    if slot.length_s < _LEAST_CROSSING_S["person"]:
        depth = _depth(_RUN_HEIGHTS_PER_S * height, slot.length_s)
    path = _choose_visit(stage, slot, _HALF_WIDTH_PER_HEIGHT * height, depth, rng)
    return Walker(object_id, path, foot_y, 1 / (STRIDE_PER_HEIGHT * height), choose_clothes(rng))


def _choose_car(object_id: int, stage: _Stage, slot: _Slot, rng: np.random.Generator) -> Vehicle:
    foot_y = _STREET_LANES[int(rng.integers(len(_STREET_LANES)))]
    length = LENGTH_PER_PERSON * person_height(foot_y) / stage.aspect
    depth = None
    if slot.length_s < _LEAST_CROSSING_S["car"]:
        depth = _depth(_DRIVE_LENGTHS_PER_S * length, slot.length_s)
    path = _choose_visit(stage, slot, length / 2, depth, rng)
    return Vehicle(object_id, path, foot_y, choose_paint(rng))


def _depth(speed_per_s: float, length_s: float) -> float:
    # half of the time to come in, and a sine covers 2/pi of what its greatest speed would
    return min(_DEEPEST, speed_per_s * length_s / math.pi)


def _choose_visit(stage: _Stage, slot: _Slot, margin: float, depth: float | None, rng: np.random.Generator) -> Visit:
    start, end = slot.start_s / stage.duration_s, (slot.start_s + slot.length_s) / stage.duration_s
    return Visit(int(rng.choice([-1, 1])), start, end, margin, depth)
