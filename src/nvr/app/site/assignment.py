"""Which processor instance gets which camera: pure.

Cameras stay where they are as long as that is good enough: a move costs a reconnect. New ones go to where there is
room, and cameras move only while one instance has much more to do than another, the fewest that mend it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

MAX_IMBALANCE = 0.25
"""The busiest instance may have so much more to do than the mean before cameras move."""
MAX_MOVES = 4
"""At once; what is left to mend waits for the next time."""
WORTH_A_MOVE = 0.75
"""Largest part of the gap between two instances that a camera may be to move across it."""
CORES_PER_INSTANCE = 4


@dataclass(frozen=True, slots=True)
class CameraLoad:
    """One camera, for this purpose."""

    source_id: int
    pin: str | None = None
    """Instance that it is to run in; None for any."""
    cost: float | None = None
    """Cores that it takes, where that was measured."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where each camera runs."""

    cameras: Mapping[int, str]
    """Instance of each source id."""
    moves: int = 0
    """Cameras that ran elsewhere before and need not have gone: those whose instance is gone do not count."""

    def of(self, instance: str) -> tuple[int, ...]:
        """Return the cameras of an instance, in order."""
        return tuple(sorted(source_id for source_id, owner in self.cameras.items() if owner == instance))


def instance_names(prefix: str, n_instances: int, pins: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the names of a tenant's instances: numbered from 1, and those that cameras ask for."""
    numbered = [f"{prefix}-{number}" for number in range(1, n_instances + 1)]
    return tuple(dict.fromkeys([*numbered, *sorted(set(pins))]))


def instance_count(wanted: int | None, n_cores: int, n_cameras: int) -> int:
    """Return how many instances there should be, never more than cameras.

    Args:
        wanted: A number, or None for one for each four cores.
        n_cores: Of the machine.
        n_cameras: To be shared by them.
    """
    return min(most_instances(wanted, n_cores), n_cameras)


def most_instances(wanted: int | None, n_cores: int) -> int:
    """Return how many instances there are where there are cameras enough; as for `instance_count`."""
    return max(1, n_cores // CORES_PER_INSTANCE) if wanted is None else wanted


def assign(
    cameras: Sequence[CameraLoad],
    instances: Sequence[str],
    current: Mapping[int, str],
    *,
    may_move: bool,
) -> Assignment:
    """Give each camera an instance.

    Args:
        cameras: All that are to run; a pin must be one of `instances`.
        instances: Names, at least one where there are cameras.
        current: Where cameras run now; may name some that are gone.
        may_move: Whether cameras may move to even out the load.

    Raises:
        ValueError: There is no instance for a camera, or a pin that is none of the instances.
    """
    if cameras and not instances:
        raise ValueError(f"there are {len(cameras)} cameras and no instance")
    costs = _costs(cameras)
    placed: dict[int, str] = {}
    for camera in cameras:
        if camera.pin is not None and camera.pin not in instances:
            raise ValueError(f"camera {camera.source_id} is to run in {camera.pin!r}, which is none of {instances}")
        owner = camera.pin if camera.pin is not None else current.get(camera.source_id)
        if owner is not None and owner in instances:
            placed[camera.source_id] = owner
    loads = dict.fromkeys(instances, 0.0)
    for source_id, owner in placed.items():
        loads[owner] += costs[source_id]
    homeless = [camera.source_id for camera in cameras if camera.source_id not in placed]
    # longest processing time first: large ones are placed while there is room to even out with small ones
    for source_id in sorted(homeless, key=lambda source_id: (-costs[source_id], source_id)):
        owner = _least(loads)
        placed[source_id] = owner
        loads[owner] += costs[source_id]
    free = {camera.source_id for camera in cameras if camera.pin is None}
    moves = _even_out(placed, loads, costs, free) if may_move else 0
    return Assignment({camera.source_id: placed[camera.source_id] for camera in cameras}, moves)


def imbalance(loads: Mapping[str, float]) -> float:
    """Return by how much the busiest exceeds the mean, as a share of the mean; 0 where nothing is to do."""
    total = sum(loads.values())
    return max(loads.values()) / (total / len(loads)) - 1 if total > 0 else 0.0


def _costs(cameras: Sequence[CameraLoad]) -> dict[int, float]:
    measured = [camera.cost for camera in cameras if camera.cost is not None and camera.cost > 0]
    usual = median(measured) if measured else 1.0
    return {camera.source_id: camera.cost or usual for camera in cameras}


def _least(loads: Mapping[str, float]) -> str:
    return min(loads, key=lambda instance: (loads[instance], list(loads).index(instance)))


def _even_out(placed: dict[int, str], loads: dict[str, float], costs: Mapping[int, float], free: set[int]) -> int:
    moves = 0
    while moves < MAX_MOVES and imbalance(loads) > MAX_IMBALANCE:
        least = _least(loads)
        busiest = max(loads, key=lambda instance: loads[instance])
        gap = loads[busiest] - loads[least]
        candidates = [source_id for source_id, owner in placed.items() if owner == busiest and source_id in free]
        # half the gap would make both even, the whole gap only turn them round, and almost the whole mends nothing
        fitting = [source_id for source_id in candidates if costs[source_id] <= gap * WORTH_A_MOVE]
        if not fitting:
            break
        best = min(fitting, key=lambda source_id: (abs(costs[source_id] - gap / 2), source_id))
        placed[best] = least
        loads[busiest] -= costs[best]
        loads[least] += costs[best]
        moves += 1
    return moves
