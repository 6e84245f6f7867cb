"""Settings of what runs beside the cameras: control, metrics, logs, Home Assistant."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

_FROZEN = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

HttpPort = Annotated[int, Field(ge=0, le=65535)]
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["text", "json"]


class ControlConfig(BaseModel):
    """The control plane: who may command, and what is written down about it."""

    model_config = _FROZEN

    enabled: bool = Field(default=True, description="Take commands from the broker; status is published either way.")
    key: Annotated[SecretStr, Field(min_length=16)] | None = Field(
        default=None,
        description="Shared key of at least 16 characters: only commands that are signed with it are taken.",
    )
    max_skew_s: Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)] = Field(
        default=60.0, description="A signed command is refused when it is older than this; none is carried out twice."
    )
    audit_path: Path | None = Field(
        default=None, description="Append each command and its outcome as a line of JSON to this file."
    )
    heartbeat_s: Annotated[float, Field(ge=1, le=300, allow_inf_nan=False)] = Field(
        default=5.0, description="The status is published at least every so many seconds."
    )


class MetricsConfig(BaseModel):
    """Figures for operators."""

    model_config = _FROZEN

    http_host: str = Field(
        default="127.0.0.1", min_length=1, description="Address of the Prometheus endpoint; 0.0.0.0 for the network."
    )
    http_port: HttpPort | None = Field(
        default=None, description="Port of the Prometheus and health endpoint, 0 for any free one; none: no endpoint."
    )
    interval_s: Annotated[float, Field(ge=1, le=3600, allow_inf_nan=False)] = Field(
        default=10.0, description="The figures are also published to the broker every so many seconds."
    )


class LogConfig(BaseModel):
    """What is written to stderr."""

    model_config = _FROZEN

    level: LogLevel = Field(default="info", description="The least important that is written.")
    format: LogFormat = Field(default="text", description="Lines for people, or JSON objects for programs.")


class HomeAssistantConfig(BaseModel):
    """Devices and entities that Home Assistant finds by itself."""

    model_config = _FROZEN

    enabled: bool = Field(default=False, description="Announce each camera to Home Assistant over the broker.")
    discovery_prefix: str = Field(
        default="homeassistant",
        min_length=1,
        max_length=100,
        pattern=r"^[^+#/\x00]+(/[^+#/\x00]+)*$",
        description="Topic under which Home Assistant looks for devices.",
    )
    classes: tuple[str, ...] = Field(
        default=("person", "car"), description="Classes that get a binary sensor and a counter of their own."
    )
    switches: bool | None = Field(
        default=None,
        description="Let Home Assistant switch detection and recording; none: unless control.key is set, as switches "
        "cannot be signed. Never where control.enabled is false.",
    )
    snapshots: bool = Field(
        default=False, description="Publish a small picture of each camera, too; the only pictures on the broker."
    )
    snapshot_interval_s: Annotated[float, Field(ge=1, le=3600, allow_inf_nan=False)] = Field(
        default=10.0, description="Seconds from one picture to the next."
    )
    snapshot_width: Annotated[int, Field(ge=64, le=1920)] = Field(
        default=640, description="Width of the pictures in pixels."
    )
    off_delay_s: Annotated[float, Field(ge=0, le=300, allow_inf_nan=False)] = Field(
        default=5.0, description="A binary sensor goes off so many seconds after the last sight."
    )
