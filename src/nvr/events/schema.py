"""The messages, as frozen pydantic models: field names and meanings here are the wire format.

A reader accepts fields that it does not know and refuses a higher major `schema_version`. Fields are only
ever added, and additions are optional. What comes over the wire is read strictly: a number is a JSON number,
neither a string nor a boolean. A caller in Python may hand over what converts without loss, such as numpy scalars.
"""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)
from pydantic_core import PydanticSerializationError

from nvr.core.errors import MessageError
from nvr.core.validation import first_problem

SCHEMA_VERSION = "1.0"
_SCHEMA_MAJOR = int(SCHEMA_VERSION.partition(".")[0])

MAX_MESSAGE_BYTES = 4 * 2**20
"""More is refused unread: 4 MiB hold some 25,000 detections, and a reader's memory is not the sender's to fill."""

MAX_INT64 = 2**63 - 1
"""Stores and other languages keep these integers in 64 bits."""

TimestampSource = Literal["rtcp", "arrival", "file"]


def to_aware_utc(value: datetime) -> datetime:
    """Return the same instant as aware UTC; a naive value is taken as local time.

    Roboflow's `VideoFrame.frame_timestamp` is naive local time, and so were the events of older publishers. In the
    hour that a clock repeats in autumn, the first pass is meant unless `fold` says otherwise.

    Raises:
        ValueError: The instant falls outside the years 1 to 9999 of UTC.
    """
    try:
        return value.astimezone(UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise ValueError(f"{value.isoformat()} is outside the years 1 to 9999 of UTC") from error


MAX_SIDE_PX = 65_535
"""No video codec in use has larger pictures."""

AwareUtc = Annotated[datetime, AfterValidator(to_aware_utc)]
Int64 = Annotated[int, Field(ge=-MAX_INT64 - 1, le=MAX_INT64)]
SourceId = Annotated[int, Field(ge=0, le=MAX_INT64)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
FrameSide = Annotated[int, Field(gt=0, le=MAX_SIDE_PX)]
Confidence = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class MessagePart(BaseModel):
    """What messages are made of: frozen, and open to fields of the future."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class SourceEvent(MessagePart):
    """What all messages about one source share: the version, the source, and how they travel."""

    schema_version: str = Field(
        default=SCHEMA_VERSION,
        pattern=r"^[0-9]{1,6}\.[0-9]{1,6}$",
        description="Version of this message: a reader refuses a higher major one.",
    )
    source_id: SourceId = Field(description="Number of the camera.")

    @field_validator("schema_version")
    @classmethod
    def _refuse_higher_major(cls, value: str) -> str:
        major = int(value.partition(".")[0])
        if major > _SCHEMA_MAJOR:
            raise ValueError(f"version {value} is newer than this reader, which knows {_SCHEMA_MAJOR}.x")
        return value

    def to_json(self) -> bytes:
        """Return the message as it travels: UTF-8 JSON without the optional fields that are unset.

        Raises:
            MessageError: A name holds half a surrogate pair, which has no UTF-8.
        """
        try:
            return self.model_dump_json(exclude_none=True).encode()
        except (PydanticSerializationError, UnicodeError) as error:
            raise MessageError(f"{type(self).__name__} of source {self.source_id} has no JSON: {error}") from error

    @classmethod
    def from_json(cls, payload: bytes | str) -> Self:
        """Read a message as it travels; of a key that stands twice, the last counts.

        Raises:
            MessageError: It is no JSON, too large, breaks the schema or has a higher major version; names
                field and value.
        """
        if len(payload) > MAX_MESSAGE_BYTES:
            raise MessageError(f"not a {cls.__name__}: {len(payload)} bytes, at most {MAX_MESSAGE_BYTES}")
        try:
            return cls.model_validate_json(payload, strict=True)
        except ValidationError as error:
            raise MessageError(f"not a {cls.__name__}: {first_problem(error)}") from error


class BoundingBox(MessagePart):
    """A box by its centre, in pixels of the source frame."""

    x: Finite = Field(description="Centre, pixels from the left edge of the source frame.")
    y: Finite = Field(description="Centre, pixels from the top edge of the source frame.")
    width: NonNegative = Field(description="Width in pixels of the source frame.")
    height: NonNegative = Field(description="Height in pixels of the source frame.")

    @classmethod
    def from_xyxy_px(cls, left: float, top: float, right: float, bottom: float) -> Self:
        """Build a box from its edges in source pixels; `right >= left` and `bottom >= top`."""
        return cls(x=(left + right) / 2, y=(top + bottom) / 2, width=right - left, height=bottom - top)

    @property
    def xyxy_px(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom edge in source pixels."""
        half_width, half_height = self.width / 2, self.height / 2
        return (self.x - half_width, self.y - half_height, self.x + half_width, self.y + half_height)


class Detection(MessagePart):
    """One object seen in one frame."""

    class_name: str = Field(description="Name of the class, as the model's catalogue entry says it.")
    confidence: Confidence = Field(description="How sure the model is, 0..1.")
    bbox: BoundingBox = Field(description="Where it is.")
    tracker_id: Int64 | None = Field(default=None, description="The track it belongs to, unique per source.")
    class_id: Int64 | None = Field(default=None, description="Number of the class in the model's list.")
    zones: tuple[str, ...] = Field(default=(), description="Names of the zones it stands in.")
    held: bool | None = Field(
        default=None,
        description="True for an object that was not looked at again in this frame, since nothing moved there: it is "
        "where it was.",
    )


class DetectionEvent(SourceEvent):
    """What a model saw in one analysed frame of one source; sent also when it saw nothing."""

    frame_id: Int64 = Field(description="Number of the frame within the source since the processor's start.")
    timestamp: AwareUtc = Field(description="When the frame was captured, aware UTC.")
    model_id: str = Field(description="The model that looked.")
    inference_time_ms: NonNegative = Field(description="Time of the inference call that held this frame.")
    detections: tuple[Detection, ...] = Field(default=(), description="What was seen.")
    fps: NonNegative | None = Field(default=None, description="Frames of this source analysed per second.")
    latency_ms: Finite | None = Field(
        default=None,
        description="From capture to the building of this event; negative if the camera's clock is ahead.",
    )
    frame_width: FrameSide | None = Field(default=None, description="Width of the source frame.")
    frame_height: FrameSide | None = Field(default=None, description="Height of the source frame.")
    pts: Int64 | None = Field(default=None, description="Presentation time of the frame, in units of the stream.")
    rtp_timestamp: Annotated[int, Field(ge=0, lt=2**32)] | None = Field(
        default=None, description="RTP timestamp of the frame, where known."
    )
    timestamp_source: TimestampSource | None = Field(
        default=None,
        description="How `timestamp` was obtained: the camera's RTCP reports, arrival, or a file's own time.",
    )
    instance_id: str | None = Field(default=None, description="The processor that published it.")
    replayed: bool | None = Field(
        default=None,
        description="True for a frame of the past: motion was noticed after it, so that it was decoded late.",
    )
    quiet: bool | None = Field(
        default=None,
        description="True while nothing moves: what is seen holds until the next event, at most 10 s later.",
    )
