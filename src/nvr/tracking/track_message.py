"""From the memory of a track to the event that travels."""

from pydantic import TypeAdapter

from nvr.events.schema import BoundingBox
from nvr.events.track_event import BestLook, LineCrossing, PathPoint, TrackEndReason, TrackEvent, TrackKind, ZoneVisit
from nvr.tracking.frame_facts import FrameFacts
from nvr.tracking.track import Track
from nvr.tracking.track_record import Look, TrackRecord, XyxyPx

_PATH = TypeAdapter(tuple[PathPoint, ...])
"""Builds all points at once, at a fifth of the time of one after the other."""


def build_track_event(
    kind: TrackKind,
    track: Track,
    record: TrackRecord,
    *,
    seen_in: FrameFacts,
    frame: FrameFacts,
    source_id: int,
    instance_id: str | None,
    end_reason: TrackEndReason | None,
) -> TrackEvent:
    """Return what is to be told of a track.

    Args:
        kind: What has happened; at an end, the stays in zones end when it was last seen.
        track: As it was when it was last seen or looked for.
        record: The memory of it.
        seen_in: The frame in which it was last seen: its boxes are in pixels of that, its class in that one's names.
        frame: The frame at which it is told, which after a cut may be of another size and model.
        source_id: The camera.
        instance_id: The processor.
        end_reason: Of an end.
    """
    last = record.last
    speed = record.motion.speed
    return TrackEvent(
        source_id=source_id,
        kind=kind,
        track_id=track.track_id,
        frame_id=frame.frame_id,
        timestamp=frame.captured_at,
        first_seen=min(seen_in.at(track.first_seen_s), last.captured_at),
        last_seen=last.captured_at,
        class_name=last.class_name,
        confidence=_confidence(track.class_votes[track.class_id] / track.hits),
        bbox=_box(last.xyxy_px),
        state=record.motion.state,
        speed_px_s=None if speed is None else round(speed * seen_in.size_px[1], 2),
        speed_heights_s=None if speed is None else round(speed, 4),
        best=_best(record.best),
        path=_path(record, track.first_seen_s),
        zones=tuple(record.inside),
        zone_visits=tuple(
            ZoneVisit(
                zone=visit.zone,
                entered_at=visit.entered_at,
                left_at=last.captured_at if kind == "end" and visit.left_at is None else visit.left_at,
            )
            for visit in record.visits
        ),
        line_crossings=tuple(
            LineCrossing(line=passage.line, direction=passage.direction, crossed_at=passage.crossed_at)
            for passage in record.passages
        ),
        frame_width=seen_in.size_px[0],
        frame_height=seen_in.size_px[1],
        timestamp_source=frame.timestamp_source,
        model_id=seen_in.model_id,
        instance_id=instance_id,
        end_reason=end_reason,
    )


def _path(record: TrackRecord, first_seen_s: float) -> tuple[PathPoint, ...]:
    points = [
        {"x": x, "y": y, "offset_s": round(time_s - first_seen_s, 3) if time_s > first_seen_s else 0.0}
        for time_s, x, y in record.path.points
    ]
    return _PATH.validate_python(points)


def _best(look: Look) -> BestLook:
    return BestLook(
        frame_id=look.frame_id,
        timestamp=look.captured_at,
        bbox=_box(look.xyxy_px),
        confidence=_confidence(look.confidence),
    )


def _confidence(value: float) -> float:
    return round(min(1.0, max(0.0, value)), 4)


def _box(xyxy_px: XyxyPx) -> BoundingBox:
    # a hundredth of a pixel is finer than any detector and short on the wire
    left, top, right, bottom = xyxy_px
    return BoundingBox(
        x=round((left + right) / 2, 2),
        y=round((top + bottom) / 2, 2),
        width=round(right - left, 2),
        height=round(bottom - top, 2),
    )
