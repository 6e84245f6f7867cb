"""Settings of recording: what is recorded, where, and how long it is kept."""

import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator


def _off(value: object) -> object:
    return "off" if value is False else value  # what YAML makes of a bare `off`


_MODES = r"^(off|(continuous|events|on_demand)(\+(continuous|events|on_demand)){0,2})$"


def _check_mode(text: str) -> str:
    if not re.match(_MODES, text):
        raise ValueError("expected off, or some of continuous, events and on_demand joined by +")
    return text


RecordingModeText = Annotated[
    str, BeforeValidator(_off), AfterValidator(_check_mode), Field(json_schema_extra={"pattern": _MODES})
]
Days = Annotated[float, Field(gt=0, le=36_500, allow_inf_nan=False)]
Gigabytes = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]
RollSeconds = Annotated[float, Field(ge=0, le=300, allow_inf_nan=False)]
SourceId = Annotated[int, Field(ge=0, le=1_000_000_000)]

_FROZEN = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class CameraRetention(BaseModel):
    """How long one camera's recordings are kept, where that differs from the others; none: as for all."""

    model_config = _FROZEN

    retain_continuous_days: Days | None = Field(default=None, description="Age at which continuous recordings go.")
    retain_event_days: Days | None = Field(default=None, description="Age at which recordings of events go.")
    retain_on_demand_days: Days | None = Field(default=None, description="Age at which recordings on demand go.")
    max_gb: Gigabytes | None = Field(
        default=None, description="Most that all recordings of the camera may take, in GB of 10⁹ bytes."
    )


class RecordingConfig(BaseModel):
    """Everything that recording can be told."""

    model_config = _FROZEN

    root: Path | None = Field(
        default=None,
        description="Folder of the recordings, which must be there: it is never made, as its disk may not be mounted "
        "yet; none: nothing is recorded.",
    )
    mode: RecordingModeText = Field(
        default="off",
        description="What is recorded of a camera that says nothing else: `off`, or some of `continuous`, `events` and "
        "`on_demand` joined by `+`.",
    )
    segment_s: Annotated[float, Field(ge=1, le=3600, allow_inf_nan=False)] = Field(
        default=10.0,
        description="Length of a file in seconds, aligned to the wall clock and cut at the next key frame.",
    )
    fragment_s: Annotated[float, Field(ge=0.1, le=1.0, allow_inf_nan=False)] = Field(
        default=0.5, description="How much of a file is written at once, in seconds: what a power cut can lose."
    )
    pre_roll_s: RollSeconds = Field(
        default=5.0, description="Seconds before an event that belong to it; they are held in memory."
    )
    post_roll_s: RollSeconds = Field(default=10.0, description="Seconds after the last of an event that belong to it.")
    on_demand_max_s: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] = Field(
        default=3600.0, description="A recording on demand that nobody stops ends after so many seconds."
    )
    retain_continuous_days: Days | None = Field(
        default=7.0, description="Continuous recordings go when they are older, in days; none: age is no reason."
    )
    retain_event_days: Days | None = Field(
        default=30.0, description="Recordings of events go when they are older, in days; none: age is no reason."
    )
    retain_on_demand_days: Days | None = Field(
        default=30.0, description="Recordings on demand go when they are older, in days; none: age is no reason."
    )
    max_total_gb: Gigabytes | None = Field(
        default=None, description="Most that all recordings may take, in GB of 10⁹ bytes; none: what the disk has."
    )
    max_camera_gb: Gigabytes | None = Field(
        default=None, description="Most that the recordings of each camera may take, in GB; none: no limit."
    )
    max_continuous_gb: Gigabytes | None = Field(
        default=None, description="Most that continuous recordings of all cameras may take, in GB; none: no limit."
    )
    max_event_gb: Gigabytes | None = Field(
        default=None, description="Most that recordings of events of all cameras may take, in GB; none: no limit."
    )
    max_on_demand_gb: Gigabytes | None = Field(
        default=None, description="Most that recordings on demand of all cameras may take, in GB; none: no limit."
    )
    min_free_gb: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] = Field(
        default=2.0, description="The oldest recordings go before the disk has less room than this, in GB."
    )
    min_free_percent: Annotated[float, Field(ge=0, le=90, allow_inf_nan=False)] = Field(
        default=5.0, description="The same as a share of the disk, in percent; the larger of both counts."
    )
    clean_interval_s: Annotated[float, Field(ge=1, le=3600, allow_inf_nan=False)] = Field(
        default=30.0,
        description="Seconds from one look for what must go to the next; it comes at once when room is short.",
    )
    cameras: dict[SourceId, CameraRetention] = Field(
        default={}, description="Other limits for some cameras, by their source id."
    )

    @model_validator(mode="after")
    def _check_mode(self) -> Self:
        words = self.mode.split("+")
        if len(set(words)) != len(words):
            raise ValueError(f"mode names a word twice: {self.mode}")
        return self

    def retention_of(self, source_id: int) -> CameraRetention:
        """Return a camera's limits with those of all cameras in place of what it does not say."""
        own = self.cameras.get(source_id, CameraRetention())
        everyone = CameraRetention(
            retain_continuous_days=self.retain_continuous_days,
            retain_event_days=self.retain_event_days,
            retain_on_demand_days=self.retain_on_demand_days,
            max_gb=self.max_camera_gb,
        )
        return everyone.model_copy(update=own.model_dump(exclude_none=True))
