"""What is said about recordings: a segment is finished, or a snapshot was taken."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from nvr.events.message import AwareUtc, Int64
from nvr.events.schema import Confidence, FrameSide, SourceEvent, TimestampSource

RecordingKind = Literal["continuous", "event", "on-demand", "protected"]
EndReason = Literal["cut", "stopped", "gap", "parameters", "silence", "disk", "shutdown", "crash"]

# each level as `nvr.core.names` allows names: no reader can be led out of its folder
RelativePath = Annotated[
    str, Field(max_length=1024, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)*$")
]
NonNegativeInt64 = Annotated[Int64, Field(ge=0)]


class SegmentEvent(SourceEvent):
    """A finished segment or snapshot; when it is sent, the file is on the disk under its final name."""

    type: Literal["segment", "snapshot"] = Field(description="What was recorded: a piece of video, or one picture.")
    kind: RecordingKind = Field(description="Why it was recorded; the kind says how long it is kept.")
    start: AwareUtc = Field(description="When its first frame was captured, aware UTC.")
    end: AwareUtc = Field(description="When its last frame ended; of a snapshot the same as `start`.")
    duration_ms: NonNegativeInt64 = Field(description="Length of the media in milliseconds; 0 for a snapshot.")
    size_bytes: NonNegativeInt64 = Field(description="Size of the file.")
    path: RelativePath = Field(description="The file, relative to the folder of recordings, with `/` between levels.")
    codec: str | None = Field(default=None, description="FFmpeg's name of the video's or picture's codec.")
    width: FrameSide | None = Field(default=None, description="Width of the picture.")
    height: FrameSide | None = Field(default=None, description="Height of the picture.")
    has_audio: bool | None = Field(default=None, description="Whether the segment holds sound.")
    timestamp_source: TimestampSource | None = Field(
        default=None,
        description="How `start` was obtained: the camera's RTCP reports, arrival, or a file's own time.",
    )
    end_reason: EndReason | None = Field(
        default=None,
        description=(
            "Why the segment ends where it does: its time was full (cut), nothing more was wanted (stopped), packets "
            "were lost or the connection began anew (gap), the camera changed size or codec (parameters), it fell "
            "silent (silence), the disk failed (disk), the recorder was stopped (shutdown), or it died and the file "
            "was repaired (crash)."
        ),
    )
    replaces: RelativePath | None = Field(
        default=None, description="The path under which the same file was announced before its kind rose."
    )
    class_name: str | None = Field(default=None, description="What a snapshot was taken of.")
    confidence: Confidence | None = Field(default=None, description="How sure the model was of that, 0..1.")
    instance_id: str | None = Field(default=None, description="The processor that recorded it.")

    @model_validator(mode="after")
    def _refuse_an_end_before_the_start(self) -> Self:
        if self.end < self.start:
            raise ValueError(f"end {self.end.isoformat()} is before start {self.start.isoformat()}")
        return self
