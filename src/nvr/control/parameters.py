"""What each command may be told; the reference page is written from these models."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from nvr.config.camera import CameraConfig, MaxFps
from nvr.config.known_settings import unknown_settings
from nvr.config.models import ModelText
from nvr.config.operations import LogLevel
from nvr.config.problems import written
from nvr.control.refusal import RefusedError
from nvr.core.names import is_name
from nvr.core.validation import first_problem

SourcesWord = Literal["none", "optional", "required"]
Confidence = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]

FIXED = frozenset({"source_id"})
"""What of a camera no `update_stream` can change."""


class Parameters(BaseModel):
    """What a command may be told; this one is for those that take nothing."""

    # strict here, while a camera is read as in a file
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, hide_input_in_errors=True, protected_namespaces=()
    )


class PauseParameters(Parameters):
    """Of `pause`."""

    hang_up: bool = Field(
        default=False, description="Also end the connection to the camera, and so its recording, until `resume`."
    )


class ChangeModelParameters(Parameters):
    """Of `change_model`."""

    model_id: ModelText = Field(
        description="Catalogue name, path of an .onnx file, `motion`, or `roboflow:<model id>`; it is loaded beside "
        "the old one, which looks on until then."
    )
    instead_of: ModelText | None = Field(
        default=None, description="The model of the settings whose cameras are meant; none: the instance's own."
    )
    timeout_s: Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)] = Field(
        default=60.0, description="Give up, and keep the old model, when the new one is not there after so long."
    )


class SetFpsParameters(Parameters):
    """Of `set_fps`."""

    max_fps: MaxFps | None = Field(
        description="Most frames per second that are looked at of each camera; null: no limit of its "
        "own, so that single cameras go by that of all, and all by none."
    )


class SetConfidenceParameters(Parameters):
    """Of `set_confidence`."""

    confidence: Confidence = Field(description="Detections less sure than this are not published, 0..1.")


class AddStreamParameters(Parameters):
    """Of `add_stream`."""

    camera: CameraConfig = Field(
        description="The camera, as an entry of `cameras` in a configuration file; without a `source_id` it gets the "
        "next free one. Out of reach, it is offline and tried until it comes, which is no failure."
    )


class UpdateStreamParameters(Parameters):
    """Of `update_stream`."""

    changes: dict[str, JsonValue] = Field(
        min_length=1,
        description="New values of some settings of the camera; null: as for all cameras. What is not named stays. "
        "An address that does not answer is a failure.",
    )

    @model_validator(mode="after")
    def _check_changes(self) -> Self:
        if fixed := sorted(FIXED & self.changes.keys()):
            raise ValueError(f"{fixed[0]} of a camera cannot be changed: remove the camera and add it again")
        if unknown := _unknown_name(self.changes, CameraConfig):
            raise ValueError(unknown)
        trial = {"uri": "rtsp://camera"} | self.changes
        try:
            CameraConfig.model_validate(trial)
        except ValidationError as error:
            raise ValueError(first_problem(error)) from error
        return self


class RenameInstanceParameters(Parameters):
    """Of `rename_instance`."""

    instance_id: str = Field(description="Its new name: one level of a topic, used by no other instance.")

    @model_validator(mode="after")
    def _check_name(self) -> Self:
        if not is_name(self.instance_id):
            raise ValueError(
                f"instance_id {self.instance_id[:80]!r} is not a valid name: use 1 to 63 letters, digits, '_', '-' or "
                "'.', the first a letter or digit"
            )
        return self


class RecordStartParameters(Parameters):
    """Of `record_start`."""

    max_s: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] | None = Field(
        default=None, description="End by itself after so many seconds; none: as `on_demand_max_s` of the settings."
    )


class SetLogLevelParameters(Parameters):
    """Of `set_log_level`."""

    level: LogLevel = Field(description="The least important that is written.")
    logger: Annotated[str, Field(pattern=r"^nvr(\.[a-z0-9_]{1,40}){0,6}$")] = Field(
        default="nvr", description="The part of the program that is meant, such as `nvr.recording`."
    )


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """One command."""

    summary: str
    """What it does, for the reference and the command line."""
    parameters: type[Parameters] = Parameters
    sources: SourcesWord = "none"
    """Whether it may, or must, say which cameras it is for."""
    is_question: bool = False
    """It changes nothing."""
    is_quick: bool = True
    """It never waits: its thread serves no command that may take seconds."""


COMMANDS: Mapping[str, CommandSpec] = MappingProxyType(
    {
        "ping": CommandSpec("Answer, and say which version runs since when.", is_question=True),
        "status": CommandSpec("Answer with the InstanceStatus of this moment.", is_question=True),
        "metrics": CommandSpec("Answer with the InstanceMetrics of this moment.", is_question=True),
        "pause": CommandSpec(
            "Look at cameras no more and publish nothing of them, at once. Connection and recording go on.",
            PauseParameters,
            "optional",
        ),
        "resume": CommandSpec("Look at paused cameras again.", sources="optional"),
        "stop": CommandSpec(
            "End the instance in order; recordings are closed properly. No other command is in its way."
        ),
        "restart": CommandSpec("End and begin anew, by the file as it is now.", is_quick=False),
        "change_model": CommandSpec(
            "Look with another model, without a pause; a failure leaves the old one.",
            ChangeModelParameters,
            is_quick=False,
        ),
        "set_fps": CommandSpec("Look at more or fewer frames of cameras.", SetFpsParameters, "optional"),
        "set_confidence": CommandSpec("Publish more or less sure detections.", SetConfidenceParameters, "optional"),
        "add_stream": CommandSpec(
            "Begin with another camera, which may be out of reach and come later; a failure changes nothing.",
            AddStreamParameters,
            is_quick=False,
        ),
        "remove_stream": CommandSpec(
            "End cameras; their recordings are closed properly and kept.", sources="required", is_quick=False
        ),
        "update_stream": CommandSpec(
            "Change settings of cameras: live where possible, else they connect anew. A failure changes nothing.",
            UpdateStreamParameters,
            "required",
            is_quick=False,
        ),
        "rename_instance": CommandSpec(
            "Go on under another name. The answer comes under the old one.", RenameInstanceParameters, is_quick=False
        ),
        "record_start": CommandSpec(
            "Record cameras from now on, whatever their mode.", RecordStartParameters, "optional"
        ),
        "record_stop": CommandSpec("End recording on demand.", sources="optional"),
        "snapshot": CommandSpec(
            "Keep the newest picture of cameras among the recordings.", sources="optional", is_quick=False
        ),
        "set_log_level": CommandSpec("Write more or less to the log.", SetLogLevelParameters),
        "reload": CommandSpec(
            "Read the configuration file again and apply what is different; an invalid one changes nothing.",
            is_quick=False,
        ),
    }
)


def read_parameters(name: str, params: Mapping[str, JsonValue], source_ids: tuple[int, ...] | None) -> Parameters:
    """Return what a command is told.

    Raises:
        RefusedError: There is no such command, it is told something wrong, or which cameras it is for does not fit.
    """
    spec = COMMANDS.get(name)
    if spec is None:
        raise RefusedError("unknown_command", f"there is no command {name!r}; known are {', '.join(COMMANDS)}")
    if spec.sources == "none" and source_ids is not None:
        raise RefusedError("invalid", f"{name} is not for single cameras: leave source_ids out")
    if spec.sources == "required" and not source_ids:
        raise RefusedError("invalid", f"{name} needs source_ids: which cameras it is for")
    if unknown := _unknown_name(params, spec.parameters):
        raise RefusedError("invalid", f"{name}: {unknown}")
    try:
        return spec.parameters.model_validate_json(json.dumps(params))
    except ValidationError as error:
        raise RefusedError("invalid", f"{name}: {first_problem(error)}") from error
    except ValueError as error:  # json.dumps: half a surrogate pair is no JSON
        raise RefusedError("invalid", f"{name}: its parameters are no JSON: {error}") from error


def _unknown_name(content: Mapping[str, JsonValue], model: type[BaseModel]) -> str | None:
    """Return the first name that is no setting, and the nearest that is one."""
    return next((f"{written(path)}: {advice}" for path, advice in unknown_settings(content, model)), None)
