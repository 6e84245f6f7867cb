"""Settings of a wall."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nvr.config.broker import MqttSettings
from nvr.config.streams import CameraName, PositiveSeconds, RtspTransport, StreamSettings, StreamUri

TileSide = Annotated[int, Field(ge=64, le=3840)]


class WallCamera(BaseModel):
    """A camera of a wall with a number and a name of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    source_id: int = Field(ge=0, le=1_000_000_000, description="Its number in events.")
    uri: StreamUri = Field(description="The stream to show; the smaller one of the camera is enough.")
    name: CameraName | None = Field(default=None, description="What people call it; none: its number.")
    rtsp_transport: RtspTransport | None = Field(default=None, description="As `rtsp_transport` of the wall.")


class VideoWallConfig(StreamSettings, MqttSettings):
    """Everything that `nvr wall` can be told."""

    cameras: tuple[WallCamera, ...] = Field(
        default=(), description="Cameras with numbers and names of their own, beside those of `stream_uris`."
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
    http_host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address of the wall page; 0.0.0.0 shows it to the whole network.",
    )
    http_port: Annotated[int, Field(ge=0, le=65535)] | None = Field(
        default=None, description="Port of the wall page, 0 for any free one; none: no page."
    )

    @property
    def numbered_cameras(self) -> tuple[WallCamera, ...]:
        """Every camera: those of `stream_uris` in order, then `cameras`."""
        listed = zip(self.source_ids, self.stream_uris, strict=True)
        return (*(WallCamera(source_id=source_id, uri=uri) for source_id, uri in listed), *self.cameras)

    @model_validator(mode="after")
    def _check_numbers(self) -> Self:
        numbers = [*self.source_ids, *(camera.source_id for camera in self.cameras)]
        twice = sorted({number for number in numbers if numbers.count(number) > 1})
        if twice:
            raise ValueError(f"cameras: source_id {twice[0]} is given twice")
        return self
