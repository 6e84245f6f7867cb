"""One camera's own settings, where it differs from the others."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nvr.config.models import ModelText
from nvr.config.recording import RecordingModeText
from nvr.config.streams import CameraName, RtspTransport, StreamUri
from nvr.config.zones import (
    MAX_SHAPES,
    LineConfig,
    MotionMaskConfig,
    ObjectFilterConfig,
    ObjectMaskConfig,
    ZoneConfig,
)

DecodeWord = Literal["adaptive", "all", "nonref", "keyframes"]
HwaccelWord = Annotated[str, Field(pattern=r"^[a-z0-9_]{2,20}$")]
MaxFps = Annotated[float, Field(gt=0, le=240, allow_inf_nan=False)]
Confidence = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
QuietSeconds = Annotated[float, Field(ge=1, le=3600, allow_inf_nan=False)]


class CameraConfig(BaseModel):
    """A camera of a processor; what is none here is as the processor's settings say."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: CameraName | None = Field(default=None, description="What people call it; none: its address.")
    uri: StreamUri = Field(description="Its main stream, which is recorded: rtsp://, http://, /dev/video0 or a file.")
    detect_uri: StreamUri | None = Field(
        default=None,
        description="A smaller stream of the same camera, which is looked at instead; none: the main stream.",
    )
    source_id: int | None = Field(
        default=None, ge=0, le=1_000_000_000, description="Its number in events; none: the next free one."
    )
    decode: DecodeWord | None = Field(default=None, description="As `decode` of `streams`, for this camera.")
    hwaccel: HwaccelWord | None = Field(default=None, description="As `hwaccel` of `streams`, for this camera.")
    max_fps: MaxFps | None = Field(default=None, description="As `max_fps` of `streams`, for this camera.")
    quiet_s: QuietSeconds | None = Field(default=None, description="As `quiet_s` of `streams`, for this camera.")
    rtsp_transport: RtspTransport | None = Field(
        default=None, description="As `rtsp_transport` of `streams`, for this camera."
    )
    record: RecordingModeText | None = Field(default=None, description="As `mode` of `storage`, for this camera.")
    model_id: ModelText | None = Field(default=None, description="As `model_id` of `models`, for this camera.")
    confidence_threshold: Confidence | None = Field(
        default=None, description="As `confidence_threshold` of `models`, for this camera."
    )
    zones: Annotated[tuple[ZoneConfig, ...], Field(max_length=MAX_SHAPES)] = Field(
        default=(), description="Named areas of its picture, for events, counts and rules."
    )
    lines: Annotated[tuple[LineConfig, ...], Field(max_length=MAX_SHAPES)] = Field(
        default=(), description="Named lines in its picture; crossings are counted by direction."
    )
    motion_masks: Annotated[tuple[MotionMaskConfig, ...], Field(max_length=MAX_SHAPES)] = Field(
        default=(), description="Areas whose motion is no reason to look."
    )
    object_masks: Annotated[tuple[ObjectMaskConfig, ...], Field(max_length=MAX_SHAPES)] = Field(
        default=(), description="Areas in which objects are not believed."
    )
    filters: Annotated[tuple[ObjectFilterConfig, ...], Field(max_length=MAX_SHAPES)] = Field(
        default=(), description="What objects must be like to count; they apply before tracking."
    )

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        for setting in ("zones", "lines", "motion_masks", "object_masks"):
            names = [shape.name for shape in getattr(self, setting)]
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise ValueError(f"{setting}: the name {twice!r} is given twice")
        return self
