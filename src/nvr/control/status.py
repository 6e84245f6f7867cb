"""What is told of an instance, from what its processor and its recorder report; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from nvr.config.camera import CameraConfig
from nvr.events.instance_status import CameraStatus, InstanceKind, InstanceState, InstanceStatus, ModelState
from nvr.media.health import HealthState
from nvr.media.stream import StreamState
from nvr.processor.camera import CameraReport
from nvr.processor.report import ProcessorReport
from nvr.recording.disk import RecordingState

_WELL = frozenset({HealthState.RUNNING, HealthState.CONNECTING, HealthState.PAUSED, HealthState.ENDED})
MAX_REASONS = 3
"""Troubles that are told by name."""


@dataclass(frozen=True, slots=True)
class InstanceFacts:
    """What of an instance does not change, but for its name."""

    instance_id: str
    started_at: datetime
    """Aware UTC."""
    heartbeat_s: float
    version: str
    host: str
    pid: int
    kind: InstanceKind = "processor"
    accepts_commands: bool = True


def bare_status(facts: InstanceFacts, state: InstanceState, now: datetime, reason: str | None = None) -> InstanceStatus:
    """Return the status of an instance whose cameras are not there yet, or no more."""
    return InstanceStatus(
        instance_id=facts.instance_id,
        kind=facts.kind,
        state=state,
        reason=reason,
        timestamp=now,
        started_at=facts.started_at,
        heartbeat_s=facts.heartbeat_s,
        version=facts.version,
        host=facts.host,
        pid=facts.pid,
        accepts_commands=facts.accepts_commands,
    )


def instance_status(
    facts: InstanceFacts,
    report: ProcessorReport,
    now: datetime,
    *,
    cameras: Mapping[int, CameraConfig],
    model_id: str,
    recording: Mapping[int, RecordingState] | None = None,
    record_mode: str | None = None,
) -> InstanceStatus:
    """Return the status of a processor that runs.

    Args:
        facts: What does not change.
        report: How it does at this moment.
        now: Aware UTC.
        cameras: Settings of the cameras by source id.
        model_id: What looks at cameras that name no model of their own.
        recording: What the recorder of each camera does; None where nothing is recorded.
        record_mode: Why cameras are recorded that say nothing else.
    """
    models = tuple(
        ModelState(model_id=model.model_id, state=model.state, reason=model.reason or None) for model in report.models
    )
    told = tuple(
        _camera_status(
            camera,
            config := cameras.get(camera.source_id),
            (recording or {}).get(camera.source_id),
            # after a change of the only model its new name counts; of several, those of the settings
            model_id=models[0].model_id if len(models) == 1 else (config and config.model_id) or model_id,
            mode=record_mode,
        )
        for camera in report.cameras
    )
    troubles = [f"camera {camera.source_id} is {camera.state}" for camera in told if not _is_well(camera)]
    troubles += [f"model {model.model_id} fails" for model in models if model.state != "ok"]
    troubles += ["the detector does not answer"] if report.detector_hangs else []
    state: InstanceState = "degraded" if troubles else "running"
    if told and not any(camera.is_detecting for camera in told):
        state = "paused"
    return bare_status(facts, state, now, _reason(troubles)).model_copy(update={"cameras": told, "models": models})


def with_namesake(status: InstanceStatus, namesake: str | None) -> InstanceStatus:
    """Return a status that tells of another process of the same name; None: there is none."""
    if namesake is None:
        return status
    reason = f"another process has the same name: {namesake}"
    return status.model_copy(
        update={
            "state": "degraded" if status.state in {"running", "paused"} else status.state,
            "reason": reason if status.reason is None else f"{reason}; {status.reason}",
        }
    )


def _is_well(camera: CameraStatus) -> bool:
    return camera.state in {state.value for state in _WELL}


def _camera_status(
    camera: CameraReport,
    config: CameraConfig | None,
    recorder: RecordingState | None,
    *,
    model_id: str,
    mode: str | None,
) -> CameraStatus:
    reasons = [] if camera.health is None or not camera.health.reason else [camera.health.reason]
    if recorder is not None and recorder.reason is not None:
        reasons.append(recorder.reason)
    return CameraStatus(
        source_id=camera.source_id,
        name=(None if config is None else config.name) or camera.name,
        state=_camera_state(camera),
        reason="; ".join(dict.fromkeys(reasons)) or None,
        is_detecting=camera.is_detecting and camera.state is not StreamState.PAUSED,
        fps=max(0.0, camera.stream.fps),
        analysed_fps=max(0.0, camera.tally.analysed_fps),
        model_id=model_id,
        recording=None if recorder is None else recorder.activity.value,
        record_mode=None if recorder is None else (None if config is None else config.record) or mode,
    )


def _camera_state(camera: CameraReport) -> str:
    """Return the health, which does not flap; what the connection does in the first second and when it is asked to."""
    if camera.health is None or camera.state in {StreamState.PAUSED, StreamState.STOPPED, StreamState.ENDED}:
        return camera.state.value
    return camera.health.state.value


def _reason(troubles: Sequence[str]) -> str | None:
    rest = len(troubles) - MAX_REASONS
    more = [f"and {rest} more"] if rest > 0 else []
    return ", ".join([*troubles[:MAX_REASONS], *more]) or None
