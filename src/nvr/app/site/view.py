"""How an installation does, as values that can be shown or counted: pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum

from nvr.control.registry import KnownInstance, Presence
from nvr.events.instance_metrics import CameraMetrics, DiskMetrics, InstanceMetrics
from nvr.events.instance_status import STOPPED_BY_COMMAND, CameraStatus, ChildState, InstanceStatus

WELL_CAMERAS = frozenset({"running", "paused", "ended", "stopped"})
WELL_INSTANCES = frozenset({"running", "paused"})
TROUBLED = frozenset({"waiting", "failed"})
ENDED = TROUBLED | {"stopped"}
"""States of children that are told; one that was stopped on purpose is no trouble."""
MEANT = frozenset({"asleep", "sampled_out", "paused"})
"""Reasons for which a frame is left out on purpose; all others are losses."""
MEANT_ENDS = frozenset({"stopped", STOPPED_BY_COMMAND})
"""What an instance says that was ended on purpose: it is missed by nobody but a supervisor."""
HOW_TO_START = "`nvr ctl reload` starts it again"
NOT_LOOKED_AT = "not looked at"
"""Of a camera that pauses, while its connection and its recording go on."""


class Verdict(IntEnum):
    """How all of it is; also the exit status of `nvr status`."""

    WELL = 0
    UNWELL = 1
    UNREACHABLE = 2


@dataclass(frozen=True, slots=True)
class Observation:
    """What is known of one instance."""

    tenant: str | None
    known: KnownInstance
    metrics: InstanceMetrics | None = None
    cores: Mapping[int, float] | None = None
    """Cores of each camera, where two counts were seen."""


@dataclass(frozen=True, slots=True)
class InstanceRow:
    """One instance, for a table."""

    name: str
    kind: str
    state: str
    reason: str
    n_cameras: int
    cpu_percent: float | None
    rss_bytes: int | None
    events_lost: int | None
    models: str
    is_well: bool


@dataclass(frozen=True, slots=True)
class CameraRow:
    """One camera, for a table; what is None is not known."""

    instance: str
    source_id: int
    name: str
    state: str
    reason: str
    fps: float
    analysed_fps: float
    lost_frames: int | None
    p50_ms: float | None
    p95_ms: float | None
    cpu_percent: float | None
    recording: str
    model_id: str
    is_well: bool


@dataclass(frozen=True, slots=True)
class SiteView:
    """Everything at one moment."""

    instances: tuple[InstanceRow, ...]
    cameras: tuple[CameraRow, ...]
    disks: tuple[DiskMetrics, ...]
    verdict: Verdict


def view_of(observations: Iterable[Observation]) -> SiteView:
    """Return what a person wants to see.

    Instances that were ended on purpose are left out, unless a supervisor has them: their cameras belong to somebody.
    """
    present = [each for each in observations if not _was_ended(each.known)]
    stopped = [child for each in present for child in each.known.status.children if _was_stopped(each.known, child)]
    instances = (*(_instance_row(each) for each in present), *(_stopped_row(child) for child in stopped))
    rows = [_camera_row(each, camera) for each in present for camera in each.known.status.cameras]
    rows += [_unserved_row(child, source_id) for child in stopped for source_id in child.source_ids]
    rows = _with_doubles(rows, _owners(present))
    cameras = tuple(sorted(rows, key=lambda row: (row.source_id, row.instance)))
    disks = {disk.total_bytes: disk for each in present if each.metrics is not None and (disk := each.metrics.disk)}
    return SiteView(instances, cameras, tuple(disks.values()), _verdict(present, instances, cameras))


def _verdict(present: list[Observation], instances: tuple[InstanceRow, ...], cameras: tuple[CameraRow, ...]) -> Verdict:
    if not any(each.known.presence is Presence.ALIVE for each in present):
        return Verdict.UNREACHABLE
    is_well = all(row.is_well for row in instances) and all(row.is_well for row in cameras)
    return Verdict.WELL if is_well else Verdict.UNWELL


def _owners(present: list[Observation]) -> dict[tuple[str | None, int], list[str]]:
    """Return the living instances that have a camera of each number; a tenant has each number once."""
    owners = defaultdict(list)
    for each in present:
        if each.known.presence is Presence.ALIVE:
            for camera in each.known.status.cameras:
                owners[each.tenant, camera.source_id].append(_name(each))
    return owners


def _with_doubles(rows: list[CameraRow], owners: Mapping[tuple[str | None, int], list[str]]) -> list[CameraRow]:
    """Say that cameras of one number are not well: nobody can tell apart what is said of them."""
    twice = {(name, key[1]): names for key, names in owners.items() if len(names) > 1 for name in names}
    return [row if (names := twice.get((row.instance, row.source_id))) is None else _double(row, names) for row in rows]


def _double(row: CameraRow, names: list[str]) -> CameraRow:
    others = ", ".join(name for name in names if name != row.instance)
    reason = f"{others} has a camera {row.source_id}, too"
    return replace(row, is_well=False, reason=f"{reason}; {row.reason}" if row.reason else reason)


def _was_ended(known: KnownInstance) -> bool:
    return known.presence is Presence.OFFLINE and known.status.reason in MEANT_ENDS


def _was_stopped(supervisor: KnownInstance, child: ChildState) -> bool:
    is_alive = supervisor.presence is Presence.ALIVE
    return is_alive and child.state == "stopped" and child.reason == STOPPED_BY_COMMAND


def _stopped_row(child: ChildState) -> InstanceRow:
    n = len(child.source_ids)
    unserved = f"{n} camera{' is' if n == 1 else 's are'} not served"
    return InstanceRow(
        name=child.name,
        kind="processor",
        state=child.state,
        reason=f"{child.reason}, {unserved}; {HOW_TO_START}",
        n_cameras=n,
        cpu_percent=None,
        rss_bytes=None,
        events_lost=None,
        models="",
        is_well=False,
    )


def _unserved_row(child: ChildState, source_id: int) -> CameraRow:
    return CameraRow(
        instance=child.name,
        source_id=source_id,
        name="",
        state="not served",
        reason=f"its instance was {child.reason}",
        fps=0.0,
        analysed_fps=0.0,
        lost_frames=None,
        p50_ms=None,
        p95_ms=None,
        cpu_percent=None,
        recording="",
        model_id="",
        is_well=False,
    )


def _name(each: Observation) -> str:
    return each.known.instance_id if each.tenant is None else f"{each.tenant}/{each.known.instance_id}"


def _instance_row(each: Observation) -> InstanceRow:
    status, metrics = each.known.status, each.metrics
    is_alive = each.known.presence is Presence.ALIVE
    ended = [f"{child.name}: {child.state}, {child.reason}" for child in status.children if child.state in ENDED]
    return InstanceRow(
        name=_name(each),
        kind=status.kind,
        state=status.state if is_alive else each.known.presence.value,
        reason=status.reason or "; ".join(ended),
        n_cameras=_n_cameras(status),
        cpu_percent=None if metrics is None else metrics.cpu_percent,
        rss_bytes=None if metrics is None else metrics.rss_bytes,
        events_lost=None if metrics is None else metrics.events_lost,
        models=", ".join(
            model.model_id if model.state == "ok" else f"{model.model_id} ({model.reason or model.state})"
            for model in status.models
        ),
        is_well=is_alive and status.state in WELL_INSTANCES and not any(_is_troubled(each) for each in status.children),
    )


def _n_cameras(status: InstanceStatus) -> int:
    return len(status.cameras) or sum(len(child.source_ids) for child in status.children)


def _is_troubled(child: ChildState) -> bool:
    return child.state in TROUBLED


def _camera_row(each: Observation, camera: CameraStatus) -> CameraRow:
    counted = None
    if each.metrics is not None:
        counted = next((found for found in each.metrics.cameras if found.source_id == camera.source_id), None)
    is_alive = each.known.presence is Presence.ALIVE
    latency = None if counted is None else counted.latency.get("capture_to_publish")
    cores = None if each.cores is None else each.cores.get(camera.source_id)
    return CameraRow(
        instance=_name(each),
        source_id=camera.source_id,
        name=camera.name,
        state=camera.state if is_alive else each.known.presence.value,
        reason=camera.reason or ("" if camera.is_detecting or camera.state == "paused" else NOT_LOOKED_AT),
        fps=camera.fps if counted is None else counted.fps,
        analysed_fps=camera.analysed_fps if counted is None else counted.analysed_fps,
        lost_frames=None if counted is None else lost_frames(counted),
        p50_ms=None if latency is None else latency.p50_ms,
        p95_ms=None if latency is None else latency.p95_ms,
        cpu_percent=None if cores is None else 100 * cores,
        recording=camera.recording or "",
        model_id=camera.model_id or "",
        is_well=is_alive and camera.state in WELL_CAMERAS,
    )


def lost_frames(camera: CameraMetrics) -> int:
    """Return the frames that should have been looked at and were not."""
    return sum(count for reason, count in camera.dropped.items() if reason not in MEANT)
