"""The whole of an installation in one file: broker, storage, models, cameras, processors, wall, tenants.

What each component gets of it is in `nvr.config.derive`; how the file is read, in `nvr.config.file`.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from nvr.config import site_checks
from nvr.config.broker import HostName, Port
from nvr.config.camera import CameraConfig, DecodeWord, HwaccelWord, MaxFps, QuietSeconds
from nvr.config.models import ModelText
from nvr.config.operations import ControlConfig, HomeAssistantConfig, HttpPort, LogConfig, MetricsConfig
from nvr.config.recording import RecordingConfig
from nvr.config.streams import PositiveSeconds, RtspTransport
from nvr.config.wall import TileSide
from nvr.core.errors import ConfigurationError
from nvr.core.names import check_name, check_tenant

_FROZEN = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

MAX_CAMERAS = 1000


class BrokerSection(BaseModel):
    """The MQTT broker that everything talks over."""

    model_config = _FROZEN

    host: HostName | None = Field(
        default=None,
        description="Name or address of the broker; none: `nvr up` starts a private one, others use localhost.",
    )
    port: Port = Field(default=1883, description="Port of the broker; 8883 is usual with TLS.")
    username: str | None = Field(default=None, description="User name at the broker; none for anonymous access.")
    password: SecretStr | None = Field(default=None, description="Password at the broker; never shown or logged.")
    tls: bool = Field(default=False, description="Encrypt the connection and verify the broker's certificate.")
    ca_file: Path | None = Field(
        default=None, description="PEM file of the authority that signed the broker's certificate; none: the system's."
    )
    cert_file: Path | None = Field(
        default=None, description="PEM file of the client certificate, where one is asked for."
    )
    key_file: Path | None = Field(default=None, description="PEM file of the key of the client certificate.")
    tls_insecure: bool = Field(
        default=False, description="Accept any certificate of the broker; only for a test, the traffic can be read."
    )
    topic_prefix: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        pattern=r"^[^+#\x00]+$",
        description="Topic of detections without the source id; none: `nvr/detections`, or `nvr/{tenant}/detections`.",
    )
    qos: Literal[0, 1, 2] = Field(default=0, description="QoS of detections: 0 is cheapest, 1 survives a lost packet.")
    enabled: bool = Field(
        default=True,
        description="False: nothing is published and no command is heard, where `jsonl_path` or recording is enough.",
    )

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if not self.tls and (self.ca_file or self.cert_file or self.tls_insecure):
            raise ValueError("ca_file, cert_file and tls_insecure mean nothing without tls: true")
        if self.password is not None and self.username is None:
            raise ValueError("password means nothing without username")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together, only one is given")
        return self


class ModelsSection(BaseModel):
    """The models and how they look."""

    model_config = _FROZEN

    model_id: ModelText = Field(
        default="yolox-nano", description="Catalogue name, path of an .onnx file, `motion`, or `roboflow:<model id>`."
    )
    confidence_threshold: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = Field(
        default=0.35, description="Detections less sure than this are not published, 0..1."
    )
    classes: tuple[str, ...] = Field(default=(), description="Class names to publish; empty: all that the model knows.")
    multiplex: Literal["canvas", "frames"] = Field(
        default="canvas",
        description="`canvas`: what moves in all cameras is looked at side by side in one picture, and each whole "
        "picture now and then; `frames`: each frame as a whole.",
    )
    max_batch: Annotated[int, Field(ge=1, le=256)] = Field(
        default=32, description="Most frames, one of each camera, that are looked at together."
    )
    max_wait_ms: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)] = Field(
        default=50.0,
        description="How long a frame may wait for those of other cameras, so that they share an inference.",
    )
    full_look_s: Annotated[float, Field(ge=0.1, le=3600, allow_inf_nan=False)] = Field(
        default=10.0, description="`canvas` looks at the whole picture of each camera every so many seconds."
    )
    inference_threads: Annotated[int, Field(ge=1, le=64)] | None = Field(
        default=None,
        description="Copies of the model, with a thread each, where it runs on a CPU; none: one per core, at most 4, "
        "and of several processors of `nvr up` each its part.",
    )


class StreamsSection(BaseModel):
    """How cameras are read and decoded, where they say nothing else."""

    model_config = _FROZEN

    rtsp_transport: RtspTransport = Field(
        default="tcp", description="tcp loses nothing and passes firewalls; udp for cameras that speak nothing else."
    )
    open_timeout_s: PositiveSeconds = Field(default=5.0, description="How long a camera may take to answer.")
    read_timeout_s: PositiveSeconds = Field(
        default=5.0, description="How long a camera may stay silent before its connection is given up."
    )
    reconnect_max_s: PositiveSeconds = Field(
        default=30.0, description="Longest wait between two tries to reach a camera; the first tries come sooner."
    )
    max_fps: MaxFps | None = Field(
        default=5.0, description="Most frames per second that are analysed of each camera; none: as many as possible."
    )
    decode: DecodeWord = Field(
        default="adaptive",
        description="`adaptive`: key frames only while nothing moves, everything while something does; `all`; "
        "`nonref`: without the frames that no other needs; `keyframes`.",
    )
    hwaccel: HwaccelWord = Field(
        default="none",
        description="Hardware that decodes: `none`, `auto` or a kind of device, such as `cuda` or `vaapi`; what this "
        "build of FFmpeg or the machine has not falls back to the CPU, with one warning.",
    )
    quiet_s: QuietSeconds = Field(
        default=5.0, description="Seconds without motion until `adaptive` decodes key frames only."
    )
    file_pace: Literal["realtime", "fast"] = Field(
        default="realtime",
        description="Cameras that are files are played at their own pace, or as fast as they can be analysed, then "
        "without leaving out a frame of `max_fps`.",
    )


class SiteCamera(CameraConfig):
    """A camera; what is none here is as `streams`, `models` and `storage` say."""

    enabled: bool = Field(default=True, description="False keeps its settings and does not connect to it.")
    tenant: str | None = Field(default=None, description="Which of `tenants` it belongs to; none: the default one.")
    processor: str | None = Field(
        default=None, description="Instance that it is to run in, such as `processor-2`; none: where there is room."
    )


class ProcessorsSection(BaseModel):
    """The processes that look and record, with `nvr up`."""

    model_config = _FROZEN

    count: Literal["auto"] | Annotated[int, Field(ge=1, le=64)] = Field(
        default="auto", description="Processor instances per tenant; `auto`: one for each four cores."
    )
    instance_prefix: str = Field(
        default="processor",
        description="Instances are called so, with a number; with another one, `nvr up` ends them and starts others.",
    )
    rebalance_s: Annotated[float, Field(ge=10, le=86_400, allow_inf_nan=False)] = Field(
        default=300.0, description="Cameras move to a less loaded instance at most every so many seconds."
    )
    spare: bool = Field(
        default=True,
        description="Keep one more process in waiting, some 100 MB of memory, so that a processor that was killed is "
        "back in half the time.",
    )
    jsonl_path: Path | None = Field(default=None, description="Also append each event as a line of JSON to this file.")
    sink_queue_size: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=256, description="Events that may wait for a slow sink before the oldest is dropped and counted."
    )
    enable_watchdog: bool = Field(
        default=True,
        description="Reconnect a camera that is connected but delivers no picture, and report a detector that hangs.",
    )
    watchdog_timeout_s: PositiveSeconds = Field(
        default=10.0, description="How long a camera may deliver no picture, or the detector no answer, before that."
    )

    @model_validator(mode="after")
    def _check_prefix(self) -> Self:
        try:
            check_name(f"{self.instance_prefix}-64", "instance")
        except ConfigurationError as error:
            raise ValueError(str(error)) from error
        return self


class WallSection(BaseModel):
    """The wall page and window."""

    model_config = _FROZEN

    enabled: bool = Field(default=True, description="`nvr up` serves a wall page.")
    http_host: str = Field(
        default="127.0.0.1", min_length=1, description="Address of the page; 0.0.0.0 shows it to the whole network."
    )
    http_port: HttpPort | None = Field(
        default=8080,
        description="Port of the page, 0 for any free one; the walls of further tenants take the next ones.",
    )
    tile_width: TileSide = Field(default=480, description="Width of a camera's tile in pixels.")
    tile_height: TileSide = Field(default=270, description="Height of a camera's tile in pixels.")
    detection_ttl_seconds: PositiveSeconds = Field(
        default=1.0, description="How long boxes stay when no newer event comes, in seconds."
    )
    stale_after_seconds: PositiveSeconds = Field(
        default=3.0, description="A camera without a new picture for so long is shown as stale, in seconds."
    )
    display_fps: Annotated[float, Field(gt=0, le=120, allow_inf_nan=False)] = Field(
        default=25.0, description="Most pictures of the wall per second."
    )
    min_confidence: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = Field(
        default=0.0, description="Boxes less sure than this are not drawn, 0..1."
    )


class TenantConfig(BaseModel):
    """A tenant: topics and recordings of its own."""

    model_config = _FROZEN

    name: str = Field(description="Its name, one level of its topics.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        try:
            check_tenant(self.name)
        except ConfigurationError as error:
            raise ValueError(str(error)) from error
        return self


class NvrConfig(BaseModel):
    """Everything that a configuration file can say."""

    model_config = _FROZEN

    broker: BrokerSection = Field(default=BrokerSection(), description="The MQTT broker that everything talks over.")
    storage: RecordingConfig = Field(default=RecordingConfig(), description="What is recorded, where, for how long.")
    models: ModelsSection = Field(default=ModelsSection(), description="The models and how they look.")
    streams: StreamsSection = Field(
        default=StreamsSection(), description="How cameras are read and decoded, where they say nothing else."
    )
    cameras: Annotated[tuple[SiteCamera, ...], Field(max_length=MAX_CAMERAS)] = Field(
        default=(), description="The cameras."
    )
    processors: ProcessorsSection = Field(
        default=ProcessorsSection(), description="The processes that look and record, with `nvr up`."
    )
    wall: WallSection = Field(default=WallSection(), description="The wall page and window.")
    tenants: Annotated[tuple[TenantConfig, ...], Field(max_length=1000)] = Field(
        default=(), description="Tenants beside the default one, each with topics and recordings of its own."
    )
    control: ControlConfig = Field(default=ControlConfig(), description="Who may command, and what is written down.")
    metrics: MetricsConfig = Field(default=MetricsConfig(), description="Figures for operators.")
    home_assistant: HomeAssistantConfig = Field(
        default=HomeAssistantConfig(), description="Devices that Home Assistant finds by itself."
    )
    log: LogConfig = Field(default=LogConfig(), description="What is written to stderr.")

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        mistakes = list(site_checks.mistakes(self))
        if mistakes:  # with their places, which a ValueError could not tell
            raise ValidationError.from_exception_data(
                type(self).__name__,
                [
                    InitErrorDetails(type=PydanticCustomError("site", "{said}", {"said": said}), loc=path, input=value)
                    for path, said, value in mistakes
                ],
            )
        return self
