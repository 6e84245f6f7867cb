"""What is seen: a box, a detection, and the event of one analysed frame; names and meanings are the wire format."""

from typing import Annotated, Literal, Self

from pydantic import Field

from nvr.events.message import AwareUtc, Finite, Int64, Message, MessagePart, NonNegative, SourceId

MAX_SIDE_PX = 65_535
"""No video codec in use has larger pictures."""

TimestampSource = Literal["rtcp", "arrival", "file"]
FrameSide = Annotated[int, Field(gt=0, le=MAX_SIDE_PX)]
Confidence = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class SourceEvent(Message):
    """What all messages about one source share."""

    source_id: SourceId = Field(description="Number of the camera.")

    @property
    def subject(self) -> str:
        """The source, for errors."""
        return f"source {self.source_id}"


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
