"""What is said about tracks: one object followed through many frames begins, goes on, ends."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from nvr.events.message import AwareUtc, Int64, MessagePart, NonNegative
from nvr.events.schema import BoundingBox, Confidence, FrameSide, SourceEvent, TimestampSource

TrackKind = Literal["start", "update", "end"]
TrackState = Literal["moving", "stationary"]
CrossingDirection = Literal["in", "out"]
TrackEndReason = Literal["lost", "cut", "removed", "shutdown"]

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class BestLook(MessagePart):
    """The frame in which the object was seen best."""

    frame_id: Int64 = Field(description="Number of the frame within the source since the processor's start.")
    timestamp: AwareUtc = Field(description="When that frame was captured, aware UTC.")
    bbox: BoundingBox = Field(description="Where the object is in it.")
    confidence: Confidence = Field(description="How sure the model was in that frame, 0..1.")


class PathPoint(MessagePart):
    """Where the object stood at a time: the bottom centre of its box, as shares of the picture."""

    x: Share = Field(description="From the left edge, as a share of the picture's width.")
    y: Share = Field(description="From the top edge, as a share of the picture's height.")
    offset_s: NonNegative = Field(description="Seconds after `first_seen`.")


class ZoneVisit(MessagePart):
    """One stay of the object in a zone."""

    zone: str = Field(description="Name of the zone.")
    entered_at: AwareUtc = Field(description="When it came in, or was first seen there.")
    left_at: AwareUtc | None = Field(default=None, description="When it left; unset while it is there.")


class LineCrossing(MessagePart):
    """The object went over a line."""

    line: str = Field(description="Name of the line.")
    direction: CrossingDirection = Field(
        description="`in`: from the left to the right hand of somebody who walks from the line's start to its end."
    )
    crossed_at: AwareUtc = Field(description="When the first frame beyond the line was captured.")


class TrackEvent(SourceEvent):
    """One object: that it appeared, how it does, or that it is gone."""

    kind: TrackKind = Field(description="What happened to the track: each has one start, any updates, one end.")
    track_id: Int64 = Field(description="Number of the track, unique within its source; `tracker_id` of a detection.")
    frame_id: Int64 = Field(description="Number of the frame that this event was made at.")
    timestamp: AwareUtc = Field(description="When that frame was captured, aware UTC.")
    first_seen: AwareUtc = Field(description="When the object was first seen, before it counted as a track.")
    last_seen: AwareUtc = Field(description="When it was last seen.")
    class_name: str = Field(description="Name of the class that most looks spoke for, weighted by confidence.")
    confidence: Confidence = Field(
        description="Mean confidence over all looks, in which a look that named another class counts 0."
    )
    bbox: BoundingBox = Field(description="Where it was when it was last seen.")
    state: TrackState = Field(description="Whether it moves or has stayed where it is for some seconds.")
    speed_px_s: NonNegative | None = Field(default=None, description="Speed in pixels of the source frame per second.")
    speed_heights_s: NonNegative | None = Field(
        default=None, description="Speed in heights of the picture per second, whatever its resolution."
    )
    best: BestLook | None = Field(
        default=None,
        description="The best look so far: highest confidence times area among those not cut by the picture's edge.",
    )
    path: tuple[PathPoint, ...] = Field(
        default=(), description="The way so far, simplified to at most 32 points, oldest first."
    )
    zones: tuple[str, ...] = Field(default=(), description="Names of the zones it stands in now.")
    zone_visits: tuple[ZoneVisit, ...] = Field(
        default=(), description="Its stays in zones, oldest first; at most the last 32."
    )
    line_crossings: tuple[LineCrossing, ...] = Field(
        default=(), description="The lines it went over, oldest first; at most the last 32."
    )
    frame_width: FrameSide | None = Field(default=None, description="Width of the source frame.")
    frame_height: FrameSide | None = Field(default=None, description="Height of the source frame.")
    timestamp_source: TimestampSource | None = Field(
        default=None,
        description="How `timestamp` was obtained: the camera's RTCP reports, arrival, or a file's own time.",
    )
    model_id: str | None = Field(default=None, description="The model that saw it last.")
    instance_id: str | None = Field(default=None, description="The processor that followed it.")
    end_reason: TrackEndReason | None = Field(
        default=None,
        description=(
            "Why it ended: not seen again for a while (lost), what was seen does not go on, as of another size, with "
            "other classes or after more than 10 s of nothing (cut), the camera was removed or paused (removed), or "
            "the processor was stopped (shutdown)."
        ),
    )

    @model_validator(mode="after")
    def _refuse_a_last_before_the_first(self) -> Self:
        if self.last_seen < self.first_seen:
            raise ValueError(
                f"last_seen {self.last_seen.isoformat()} is before first_seen {self.first_seen.isoformat()}"
            )
        return self
