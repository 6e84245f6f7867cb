"""Which segments must go, the oldest first; pure. Deleting them is `cleaner.py`.

Each limit concerns some segments: those of a kind, a camera, a camera's kind, or all. It takes the oldest of them,
across kinds where it concerns several, and no more than brings it back to what it allows. Ages come first, then the
narrower limits, so that a wider one counts what those took.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from nvr.recording.index import Total
from nvr.recording.layout import CameraKey
from nvr.recording.policy import RetentionPolicy
from nvr.recording.segment import DELETABLE_KINDS, Segment, SegmentKind


class OldestFirst(Protocol):
    """Where the segments come from, as far as they are asked for."""

    def oldest_first(
        self,
        tenant: str | None = None,
        source_id: int | None = None,
        kinds: Collection[SegmentKind] | None = None,
    ) -> Iterator[Segment]:
        """Yield the segments of a tenant, camera and kinds by their start; None means all."""
        ...


Totals = Mapping[tuple[CameraKey, SegmentKind], Total]


class Reason(StrEnum):
    """Why a segment must go."""

    AGE = "age"
    CAMERA_KIND_SIZE = "size of the camera's kind"
    CAMERA_SIZE = "size of the camera"
    KIND_SIZE = "size of the kind"
    TOTAL_SIZE = "size of all"
    FREE_SPACE = "free space"


@dataclass(frozen=True, slots=True)
class DiskSpace:
    """What a disk has, in bytes that an ordinary user may fill."""

    total_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True)
class Excess:
    """A limit that cannot be kept: what is left is protected or cannot be deleted."""

    reason: Reason
    what: str
    """Whose limit it is, for people."""
    excess_bytes: int


@dataclass(slots=True)
class Plan:
    """What to delete, and what that does not achieve."""

    deletions: dict[Segment, Reason] = field(default_factory=dict)
    """In the order in which they are to go."""
    is_complete: bool = True
    """False where more must go than may be planned at once: plan again after deleting."""
    excesses: list[Excess] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Scope:
    tenant: str | None = None
    source_id: int | None = None
    kind: SegmentKind | None = None

    @classmethod
    def around(cls, camera: CameraKey, kind: SegmentKind) -> "tuple[_Scope, ...]":
        """Return every scope that a camera's segments of a kind are in."""
        tenant, source_id = camera.tenant, camera.source_id
        return cls(tenant, source_id, kind), cls(tenant, source_id), cls(kind=kind), cls()


def plan_deletions(
    source: OldestFirst,
    totals: Totals,
    policy: RetentionPolicy,
    *,
    now: datetime,
    disk: DiskSpace,
    at_most: int,
    spared: Collection[Segment] = frozenset(),
) -> Plan:
    """Choose the segments that must go for all limits to be kept.

    Args:
        source: Gives segments oldest first; only the first of them are taken out of it.
        totals: How much there is of each camera and kind, in agreement with `source`.
        policy: The limits.
        now: Aware UTC.
        disk: The room on it now.
        at_most: So many are chosen at once.
        spared: Segments that cannot be deleted for now; they are passed over like protected ones.
    """
    planner = _Planner(source, totals, at_most, spared)
    for camera, kind in totals:
        age = policy.limits_of(camera).max_age.get(kind)
        if age is not None and kind in DELETABLE_KINDS:
            planner.take_older(_Scope(camera.tenant, camera.source_id, kind), now - age)
    for camera, kind in totals:
        limit = policy.limits_of(camera).max_kind_bytes.get(kind)
        scope = _Scope(camera.tenant, camera.source_id, kind)
        planner.keep_below(limit, scope, Reason.CAMERA_KIND_SIZE, f"{camera} {kind}")
    for camera in dict.fromkeys(camera for camera, _ in totals):
        limit = policy.limits_of(camera).max_bytes
        planner.keep_below(limit, _Scope(camera.tenant, camera.source_id), Reason.CAMERA_SIZE, str(camera))
    for kind, limit in policy.max_kind_bytes.items():
        planner.keep_below(limit, _Scope(kind=kind), Reason.KIND_SIZE, kind)
    planner.keep_below(policy.max_total_bytes, _Scope(), Reason.TOTAL_SIZE, "all recordings")
    planner.keep_free(disk, policy.floor_bytes(disk.total_bytes))
    return planner.plan


class _Planner:
    def __init__(self, source: OldestFirst, totals: Totals, at_most: int, spared: Collection[Segment]) -> None:
        self.plan = Plan()
        self._source = source
        self._at_most = at_most
        self._spared = spared
        self._freed_bytes = 0
        self._held_bytes: Counter[_Scope] = Counter()
        for key, total in totals.items():
            self._hold(*key, total.size_bytes)

    def take_older(self, scope: _Scope, start: datetime) -> None:
        """Take what begins before a time."""
        self._take_while(lambda segment: segment.start < start, scope, Reason.AGE)

    def keep_below(self, limit_bytes: int | None, scope: _Scope, reason: Reason, what: str) -> None:
        """Take the oldest until no more than a limit is left."""
        if limit_bytes is not None:
            self._free(self._held_bytes[scope] - limit_bytes, scope, reason, what)

    def keep_free(self, disk: DiskSpace, floor_bytes: int) -> None:
        """Take the oldest of all until the disk has the room that it should have."""
        self._free(floor_bytes - disk.free_bytes - self._freed_bytes, _Scope(), Reason.FREE_SPACE, "the disk")

    def _hold(self, camera: CameraKey, kind: SegmentKind, size_bytes: int) -> None:
        for scope in _Scope.around(camera, kind):
            self._held_bytes[scope] += size_bytes

    def _free(self, excess_bytes: int, scope: _Scope, reason: Reason, what: str) -> None:
        if excess_bytes <= 0:
            return
        left_bytes = excess_bytes - self._take_while(lambda _: True, scope, reason, excess_bytes)
        if left_bytes > 0 and self.plan.is_complete:
            self.plan.excesses.append(Excess(reason, what, left_bytes))

    def _take_while(
        self, is_wanted: Callable[[Segment], bool], scope: _Scope, reason: Reason, until_bytes: int | None = None
    ) -> int:
        """Take segments in order while they are wanted and too few bytes were taken; return the bytes taken."""
        deletions = self.plan.deletions
        taken_bytes = 0
        kinds = DELETABLE_KINDS if scope.kind is None else (scope.kind,)
        if not self.plan.is_complete or not set(kinds) <= set(DELETABLE_KINDS):
            return 0
        for segment in self._source.oldest_first(scope.tenant, scope.source_id, kinds):
            if (until_bytes is not None and taken_bytes >= until_bytes) or not is_wanted(segment):
                break
            if segment in deletions or segment in self._spared:
                continue
            if len(deletions) == self._at_most:
                self.plan.is_complete = False
                break
            deletions[segment] = reason
            self._hold(segment.camera, segment.kind, -segment.size_bytes)
            self._freed_bytes += segment.size_bytes
            taken_bytes += segment.size_bytes
        return taken_bytes
