"""One piece of coded video or audio on its way from a camera to all who want it."""

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from nvr.events.schema import TimestampSource

if TYPE_CHECKING:
    import av

    from nvr.media.parameters import StreamParameters

MediaKind = Literal["video", "audio"]


@dataclass(frozen=True, slots=True, eq=False)
class MediaPacket:
    """A packet as the camera coded it, with its place in time; shared by all readers, so none may change it.

    H.264 and H.265 are always Annex-B here (start codes), whatever the container held.
    """

    kind: MediaKind
    coded: "av.Packet[av.VideoStream] | av.Packet[av.AudioStream]"
    """The bytes, reference-counted. Its own pts, dts and stream are not to be used: see below."""
    parameters: "StreamParameters"
    """What a decoder or a file needs to know; the same object as long as nothing of it changes."""
    session: int
    """Number of the connection or of the stretch without a break of the time stamps: pts of two sessions have
    nothing to do with each other."""
    sequence: int
    """Counts all packets of the camera since the stream object was made, without a gap."""
    pts: int
    """Presentation time in units of `time_base`; never missing."""
    dts: int
    """Decoding time in units of `time_base`; never missing, rises strictly within a session and kind."""
    duration: int
    """In units of `time_base`; 0 where it is not known."""
    time_base: Fraction
    is_keyframe: bool
    """Decoding may start here; always true for audio."""
    size_bytes: int
    captured_at: datetime
    """Aware UTC: when the picture was captured, or the sound of the packet began."""
    timestamp_source: TimestampSource
    """How `captured_at` was obtained."""
    received_s: float
    """Monotonic seconds at which it was read."""

    @property
    def starts_gop(self) -> bool:
        """Whether a new GOP begins: a key frame of the video."""
        return self.is_keyframe and self.kind == "video"

    @property
    def media_s(self) -> float:
        """Presentation time in seconds, within its session."""
        time_base = self.time_base  # multiplied as a Fraction, each packet would cost 5 us
        return self.pts * time_base.numerator / time_base.denominator
