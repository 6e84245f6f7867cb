"""Settings of a wall."""

from typing import Annotated

from pydantic import Field

from nvr.config.broker import MqttSettings
from nvr.config.streams import PositiveSeconds, StreamSettings

TileSide = Annotated[int, Field(ge=64, le=3840)]


class VideoWallConfig(StreamSettings, MqttSettings):
    """Everything that `nvr wall` can be told."""

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
