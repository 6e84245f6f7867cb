"""The commands of a processor: each becomes a call of the processor, its recorder or the program around them."""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TypeAlias, TypeVar

from pydantic import JsonValue, ValidationError

from nvr.config.camera import CameraConfig
from nvr.control.controlled import ControlledProcessor, ControlledProgram, ControlledRecorder
from nvr.control.elsewhere import check_elsewhere, numbers_elsewhere
from nvr.control.handlers import CommandHandler, PartialError, Request
from nvr.control.parameters import (
    AddStreamParameters,
    ChangeModelParameters,
    Parameters,
    PauseParameters,
    RecordStartParameters,
    RenameInstanceParameters,
    SetConfidenceParameters,
    SetFpsParameters,
    SetLogLevelParameters,
    UpdateStreamParameters,
)
from nvr.control.refusal import RefusedError, command_error
from nvr.control.registry import KnownInstance
from nvr.core.clock import Clock, SystemClock
from nvr.core.errors import NvrError, UnsupportedError
from nvr.core.validation import first_problem
from nvr.events.instance_metrics import InstanceMetrics
from nvr.events.instance_status import STOPPED_BY_COMMAND, InstanceStatus

logger = logging.getLogger(__name__)

STAYS = "the old one looks on"

Told = TypeVar("Told", bound=Parameters)


Report: TypeAlias = dict[str, JsonValue]
"""What became of one camera: `source_id`, `ok`, and `error` or what is to be said of it."""


class ProcessorCommands:
    """Carries out the commands of a processor; its methods are called in the agent's threads."""

    def __init__(
        self,
        program: ControlledProgram,
        processor: Callable[[], ControlledProcessor | None],
        recorder: Callable[[], ControlledRecorder | None] = lambda: None,
        *,
        instances: Callable[[], Sequence[KnownInstance]] = lambda: (),
        clock: Clock | None = None,
    ) -> None:
        """Prepare.

        Args:
            program: What runs the processor.
            processor: Returns it; None while it starts or restarts.
            recorder: Returns what records its cameras; None where nothing is recorded.
            instances: Returns all of the tenant, as they are heard: no two have a camera of one number or name.
            clock: For what `ping` tells.
        """
        self._program = program
        self._get_processor = processor
        self._get_recorder = recorder
        self._instances = instances
        self._clock = clock or SystemClock()

    def handlers(self) -> dict[str, CommandHandler]:
        """Return what carries out each command."""
        return {
            "ping": self._ping,
            "status": lambda _: _json(self._program.status()),
            "metrics": lambda _: _json(self._program.metrics()),
            "pause": self._pause,
            "resume": lambda request: _sources(self._processor().resume(self._known(request))),
            "stop": self._stop,
            "restart": self._restart,
            "change_model": self._change_model,
            "set_fps": self._set_fps,
            "set_confidence": self._set_confidence,
            "add_stream": self._add_stream,
            "remove_stream": self._remove_stream,
            "update_stream": self._update_stream,
            "rename_instance": self._rename,
            "record_start": self._record_start,
            "record_stop": self._record_stop,
            "snapshot": self._snapshot,
            "set_log_level": set_log_level,
            "reload": lambda _: self._program.reload(),
        }

    def _processor(self) -> ControlledProcessor:
        processor = self._get_processor()
        if processor is None:
            raise RefusedError("failed", "the processor does not run yet, or begins anew: try again")
        return processor

    def _recorder(self) -> ControlledRecorder:
        recorder = self._get_recorder()
        if recorder is None:
            raise UnsupportedError("this instance records nothing: give it a folder for recordings and a mode")
        return recorder

    def _known(self, request: Request) -> tuple[int, ...] | None:
        """Return the cameras of this instance that a command is for; None for all."""
        return known_sources(request, camera_configs(self._processor()))

    def _ping(self, _request: Request) -> JsonValue:
        status = self._program.status()
        uptime_s = None
        if status.started_at is not None:
            uptime_s = round((self._clock.now() - status.started_at).total_seconds(), 3)
        return {"version": status.version, "state": status.state, "uptime_s": uptime_s}

    def _pause(self, request: Request) -> JsonValue:
        hang_up = _told(request, PauseParameters).hang_up
        return _sources(self._processor().pause(self._known(request), hang_up=hang_up))

    def _set_fps(self, request: Request) -> JsonValue:
        max_fps = _told(request, SetFpsParameters).max_fps
        return _sources(self._processor().set_max_fps(max_fps, self._known(request)))

    def _set_confidence(self, request: Request) -> JsonValue:
        confidence = _told(request, SetConfidenceParameters).confidence
        return _sources(self._processor().set_confidence(confidence, self._known(request)))

    def _stop(self, _request: Request) -> JsonValue:
        self._program.request_stop(STOPPED_BY_COMMAND)
        return {"is_stopping": True}

    def _restart(self, _request: Request) -> JsonValue:
        self._program.restart()
        return None

    def _rename(self, request: Request) -> JsonValue:
        instance_id = _told(request, RenameInstanceParameters).instance_id
        if request.is_for_all:
            raise RefusedError("invalid", "rename_instance needs one instance in target_instances, not '*'")
        self._program.rename(instance_id)
        return {"instance_id": instance_id}

    def _change_model(self, request: Request) -> JsonValue:
        told = _told(request, ChangeModelParameters)
        swap = self._processor().swap_model(told.model_id, instead_of=told.instead_of)
        if swap.wait(told.timeout_s) == "pending":
            swap.cancel()
            if swap.wait(0) != "done":
                raise RefusedError(
                    "failed", f"model {told.model_id} was not there within {told.timeout_s:g} s; {STAYS}"
                )
        if swap.error is not None:
            error = command_error(swap.error if isinstance(swap.error, Exception) else RuntimeError(repr(swap.error)))
            raise RefusedError(error.type, f"{error.reason}; {STAYS}")
        return {"model_id": told.model_id}

    def _add_stream(self, request: Request) -> JsonValue:
        camera = _told(request, AddStreamParameters).camera
        if request.is_for_all:
            raise RefusedError("invalid", "add_stream needs one instance in target_instances, not '*'")
        processor = self._processor()
        instances = self._instances()
        check_names(camera_configs(processor), [(None, camera)])
        check_elsewhere(instances, self._program.status().instance_id, camera)
        return {"source_id": processor.cameras.add(camera, avoid=numbers_elsewhere(instances))}

    def _remove_stream(self, request: Request) -> JsonValue:
        def remove(source_id: int) -> Report:
            processor.cameras.remove(source_id)
            return {}

        processor = self._processor()
        return for_each_camera(self._known(request) or (), remove)

    def _update_stream(self, request: Request) -> JsonValue:
        changes = _told(request, UpdateStreamParameters).changes
        processor = self._processor()
        before = camera_configs(processor)
        source_ids = known_sources(request, before) or ()
        wanted = {source_id: changed_camera(source_id, before[source_id], changes) for source_id in source_ids}
        check_names(before, list(wanted.items()))
        done: list[int] = []
        for source_id, camera in wanted.items():
            try:
                processor.update_camera(source_id, camera)
            except NvrError as error:
                _roll_back(processor, done, before, error, source_id)
            done.append(source_id)
        return _sources(done)

    def _record_start(self, request: Request) -> JsonValue:
        def start(source_id: int) -> Report:
            recorder.record_start(source_id, max_s)
            return {}

        recorder, max_s = self._recorder(), _told(request, RecordStartParameters).max_s
        return for_each_camera(self._cameras(request), start)

    def _record_stop(self, request: Request) -> JsonValue:
        def stop(source_id: int) -> Report:
            recorder.record_stop(source_id)
            return {}

        recorder = self._recorder()
        return for_each_camera(self._cameras(request), stop)

    def _snapshot(self, request: Request) -> JsonValue:
        def take(source_id: int) -> Report:
            event = recorder.snapshot(source_id)
            return {"path": event.path, "captured_at": event.start.isoformat().replace("+00:00", "Z")}

        recorder = self._recorder()
        return for_each_camera(self._cameras(request), take)

    def _cameras(self, request: Request) -> tuple[int, ...]:
        known = self._known(request)
        return tuple(sorted(camera_configs(self._processor()))) if known is None else known


def camera_configs(processor: ControlledProcessor) -> dict[int, CameraConfig]:
    """Return the settings of each camera of a processor, as they are now."""
    return {camera.source_id: camera.config for camera in processor.cameras}


def known_sources(request: Request, cameras: Collection[int]) -> tuple[int, ...] | None:
    """Return which cameras of an instance a command is for; None for all, empty where those of others are meant.

    Raises:
        RefusedError: The instance was named, and has none of the cameras.
    """
    if request.source_ids is None:
        return None
    known = tuple(sorted(set(request.source_ids) & set(cameras)))
    if not known and not request.is_for_all:
        asked = ", ".join(str(source_id) for source_id in request.source_ids[:10])
        there = ", ".join(str(source_id) for source_id in sorted(cameras)[:20]) or "none"
        raise RefusedError("not_found", f"there is no camera {asked} here, there are {there}")
    return known


def changed_camera(source_id: int, camera: CameraConfig, changes: Mapping[str, JsonValue]) -> CameraConfig:
    """Return a camera with some settings changed.

    Raises:
        RefusedError: They do not fit those that stay.
    """
    try:
        return CameraConfig.model_validate(camera.model_dump(exclude_unset=True) | dict(changes))
    except ValidationError as error:
        raise RefusedError("invalid", f"camera {source_id}: {first_problem(error)}") from error


def check_names(cameras: Mapping[int, CameraConfig], wanted: Sequence[tuple[int | None, CameraConfig]]) -> None:
    """Refuse what would give two cameras of an instance one name, as the configuration file does.

    Args:
        cameras: Those that there are, by source id.
        wanted: What some of them are to be, with their source ids; None for one that is to come.

    Raises:
        RefusedError: Says which two.
    """
    changed = {source_id for source_id, _ in wanted}
    owners = {camera.name: f"camera {source_id}" for source_id, camera in cameras.items() if source_id not in changed}
    for source_id, camera in wanted:
        whose = "the new camera" if source_id is None else f"camera {source_id}"
        if camera.name is not None and owners.setdefault(camera.name, whose) != whose:
            raise RefusedError(
                "invalid", f"the name {camera.name!r} would be given twice, to {owners[camera.name]} and {whose}"
            )


def for_each_camera(source_ids: Iterable[int], act: Callable[[int], Report]) -> JsonValue:
    """Act on cameras one by one and report each.

    Raises:
        PartialError: It failed for some or all; the others are done. The result tells all the same.
    """
    reports: list[JsonValue] = []
    failures: list[RefusedError] = []
    for source_id in source_ids:
        try:
            reports.append({"source_id": source_id, "ok": True} | act(source_id))
        except NvrError as error:
            told = command_error(error)
            failures.append(RefusedError(told.type, told.reason))
            reports.append({"source_id": source_id, "ok": False, "error": told.model_dump(mode="json")})
    result: JsonValue = {"cameras": reports}
    if failures:
        number = "" if len(reports) == 1 else f"{len(failures)} of {len(reports)} cameras failed, the first: "
        raise PartialError(RefusedError(failures[0].type, f"{number}{failures[0]}"), result)
    return result


def set_log_level(request: Request) -> JsonValue:
    """Write more or less of a part of the program to the log."""
    told = _told(request, SetLogLevelParameters)
    if told.logger not in logging.root.manager.loggerDict:  # a logger that is made is never freed again
        raise RefusedError("not_found", f"no part of this program is called {told.logger}")
    logging.getLogger(told.logger).setLevel(told.level.upper())
    return {"level": told.level, "logger": told.logger}


def _roll_back(
    processor: ControlledProcessor,
    done: list[int],
    before: Mapping[int, CameraConfig],
    error: NvrError,
    source_id: int,
) -> None:
    """Give cameras back what they had, and say why; raises RefusedError in any case."""
    told = command_error(error)
    stuck: list[str] = []
    for changed in done:
        try:
            processor.update_camera(changed, before[changed])
        except NvrError as again:
            stuck.append(f"camera {changed} could not be set back: {command_error(again).reason}")
    end = "; ".join(stuck) if stuck else "nothing has changed"
    raise RefusedError(told.type, f"camera {source_id}: {told.reason}; {end}") from error


def _told(request: Request, model: type[Told]) -> Told:
    if not isinstance(request.parameters, model):  # the agent reads them by the same table
        raise RefusedError("invalid", f"{request.name} is told {type(request.parameters).__name__}")
    return request.parameters


def _json(message: InstanceStatus | InstanceMetrics) -> JsonValue:
    told: JsonValue = message.model_dump(mode="json", exclude_none=True)
    return told


def _sources(source_ids: Iterable[int]) -> JsonValue:
    return {"source_ids": list(source_ids)}
