"""What is said about files of recordings; pure."""

from nvr.events.recording_event import SegmentEvent
from nvr.media.frame import Frame
from nvr.recording.best_frame import Candidate
from nvr.recording.layout import SegmentOrigin
from nvr.recording.segment import Segment
from nvr.recording.segment_writer import FinishedSegment


def segment_event(finished: FinishedSegment, instance_id: str) -> SegmentEvent:
    """Return the announcement of a finished segment."""
    segment, video = finished.segment, finished.video
    return SegmentEvent(
        source_id=segment.source_id,
        type="segment",
        kind=segment.kind.value,
        start=segment.start,
        end=segment.end,
        duration_ms=segment.duration_ms,
        size_bytes=segment.size_bytes,
        path=segment.path.as_posix(),
        codec=video.codec,
        width=video.width_px or None,
        height=video.height_px or None,
        has_audio=finished.has_audio,
        timestamp_source=finished.timestamp_source,
        end_reason=finished.end_reason,
        replaces=None if finished.replaces is None else finished.replaces.path.as_posix(),
        instance_id=instance_id,
    )


def repaired_event(segment: Segment, instance_id: str) -> SegmentEvent:
    """Return the announcement of a segment that a crash left and that was repaired."""
    return SegmentEvent(
        source_id=segment.source_id,
        type="segment",
        kind=segment.kind.value,
        start=segment.start,
        end=segment.end,
        duration_ms=segment.duration_ms,
        size_bytes=segment.size_bytes,
        path=segment.path.as_posix(),
        end_reason="crash",
        instance_id=instance_id,
    )


def snapshot_event(
    origin: SegmentOrigin, frame: Frame, size_bytes: int, candidate: Candidate | None, instance_id: str
) -> SegmentEvent:
    """Return the announcement of a snapshot; without a candidate it was taken on demand."""
    return SegmentEvent(
        source_id=origin.source_id,
        type="snapshot",
        kind="on-demand" if candidate is None else "event",
        start=origin.start,
        end=origin.start,
        duration_ms=0,
        size_bytes=size_bytes,
        path=origin.snapshot_path.as_posix(),
        codec="mjpeg",
        width=frame.width,
        height=frame.height,
        timestamp_source=frame.timestamp_source,
        class_name=None if candidate is None else candidate.class_name,
        confidence=None if candidate is None else candidate.confidence,
        instance_id=instance_id,
    )
