"""From the tracks of each frame to events: that an object appeared, how it does, that it is gone.

Pure: times are those of the frames, so that the same frames give the same events. Following objects is left to
`nvr.tracking.tracker`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from nvr.config.zones import LineConfig, ZoneConfig
from nvr.events.track_event import TrackEndReason, TrackEvent, TrackKind
from nvr.tracking.frame_facts import FrameFacts
from nvr.tracking.track import Track
from nvr.tracking.track_message import build_track_event
from nvr.tracking.track_record import Changes, Look, TrackRecord
from nvr.tracking.zone_counts import CountsSnapshot, ZoneCounts
from nvr.tracking.zone_map import ZoneMap

_ROUNDING_S = 1e-6


@dataclass(frozen=True, slots=True)
class LifecycleOptions:
    """How often is told that a track goes on; what changes its zones, lines or state is told at once."""

    update_s: float = 1.0
    """Least seconds between two updates of a moving track."""
    stationary_update_s: float = 10.0
    """The same of a stationary one, of which there is little to tell."""


@dataclass(slots=True)
class _Live:
    """A track that has not ended."""

    record: TrackRecord
    track: Track
    seen_in: FrameFacts
    """The frame of the last look."""
    told_s: float | None = None
    """Capture time of the last event, on the tracker's scale; none before the start."""
    is_news: bool = True
    """Whether it was seen since then."""


class TrackLifecycle:
    """The tracks of one camera as events. Called from one thread at a time, after each update of the tracker."""

    def __init__(
        self,
        source_id: int,
        *,
        instance_id: str | None = None,
        zones: Sequence[ZoneConfig] = (),
        lines: Sequence[LineConfig] = (),
        options: LifecycleOptions | None = None,
    ) -> None:
        self._source_id = source_id
        self._instance_id = instance_id
        self._zones, self._lines = tuple(zones), tuple(lines)
        self._options = options or LifecycleOptions()
        self._counts = ZoneCounts([zone.name for zone in zones], [line.name for line in lines])
        self._live: dict[int, _Live] = {}
        self._map: ZoneMap | None = None
        self._frame: FrameFacts | None = None

    def observe(
        self,
        tracks: Collection[Track],
        ended: Collection[Track],
        frame: FrameFacts,
        end_reason: TrackEndReason = "lost",
    ) -> tuple[TrackEvent, ...]:
        """Take the tracker's state after a frame and return what is to be told, ends first.

        Args:
            tracks: All live tracks, those not confirmed too: what they did before counts once they are.
            ended: Confirmed tracks that ended since the last call. What stands in neither has ended as well.
            frame: The frame that the tracker was updated with.
            end_reason: Why those ended, where it is known better, such as `cut` after a reset.

        Raises:
            InvalidInputError: A side of the frame is not positive.
        """
        zone_map = self._map_of(frame.size_px)
        self._frame = frame
        staying = {track.track_id for track in tracks} - {track.track_id for track in ended}
        events = self._end(sorted(self._live.keys() - staying), end_reason, frame)
        for track in tracks:
            if track.track_id in staying and (event := self._follow(track, frame, zone_map)) is not None:
                events.append(event)
        return tuple(events)

    def finish(self, reason: TrackEndReason) -> tuple[TrackEvent, ...]:
        """End all tracks, as where the camera is removed; timed by the last frame."""
        return () if self._frame is None else tuple(self._end(sorted(self._live), reason, self._frame))

    def retune(self, zones: Sequence[ZoneConfig], lines: Sequence[LineConfig], instance_id: str | None) -> None:
        """Go on with other zones, lines and name, between two frames; tracks stay.

        Who stood in a zone that is gone or was changed has left it with its last look, and may come in again with the
        next one. Counters go on under the same names.
        """
        self._instance_id = instance_id
        if (tuple(zones), tuple(lines)) == (self._zones, self._lines):
            return
        same_zones = {zone.name for zone in zones if zone in self._zones}
        same_lines = {line.name for line in lines if line in self._lines}
        for live in self._live.values():
            left = live.record.leave_all_but(same_zones, same_lines)
            if live.told_s is not None:
                self._count(Changes(left=left))
        self._counts.reshape([zone.name for zone in zones], [line.name for line in lines])
        self._zones, self._lines, self._map = tuple(zones), tuple(lines), None

    def zones_of(self, track_id: int) -> tuple[str, ...]:
        """Return the names of the zones that a live track stands in; none for an unknown one."""
        live = self._live.get(track_id)
        return () if live is None else tuple(live.record.inside)

    def zones_at(self, xyxy_px: Sequence[float], class_name: str, size_px: tuple[int, int]) -> tuple[str, ...]:
        """Return the names of the zones that a box without a track stands in.

        Raises:
            InvalidInputError: A side of the frame is not positive.
        """
        return self._map_of(size_px).zones_at(xyxy_px, class_name)

    def counts(self) -> CountsSnapshot:
        """Return how many stand in each zone, came in, and crossed each line, since this lifecycle began."""
        return self._counts.snapshot()

    def _map_of(self, size_px: tuple[int, int]) -> ZoneMap:
        if self._map is None or self._map.size_px != size_px:
            self._map = ZoneMap.of(self._zones, self._lines, size_px)
        return self._map

    def _follow(self, track: Track, frame: FrameFacts, zone_map: ZoneMap) -> TrackEvent | None:
        live = self._live.get(track.track_id)
        changes = Changes()
        if live is None:
            live = _Live(TrackRecord.begin(_look(track, frame), zone_map), track, frame)
            self._live[track.track_id] = live
        elif track.last_seen_s > live.record.last.time_s:
            changes = live.record.see(_look(track, frame), zone_map)
            live.seen_in, live.is_news = frame, True
        live.track = track
        if not track.is_confirmed:
            return None
        if live.told_s is None:
            self._count(live.record.history)
            return self._tell("start", live, frame)
        self._count(changes)
        return self._tell("update", live, frame) if changes or self._is_due(live, frame) else None

    def _is_due(self, live: _Live, frame: FrameFacts) -> bool:
        is_moving = live.record.motion.state == "moving"
        interval_s = self._options.update_s if is_moving else self._options.stationary_update_s
        return live.is_news and live.told_s is not None and frame.captured_s - live.told_s > interval_s - _ROUNDING_S

    def _end(self, track_ids: Sequence[int], reason: TrackEndReason, frame: FrameFacts) -> list[TrackEvent]:
        ended = [self._live.pop(track_id) for track_id in track_ids]
        told = [live for live in ended if live.told_s is not None]
        for live in told:
            self._count(Changes(left=tuple(live.record.inside.values())))
        return [self._tell("end", live, frame, reason) for live in told]

    def _tell(
        self, kind: TrackKind, live: _Live, frame: FrameFacts, reason: TrackEndReason | None = None
    ) -> TrackEvent:
        live.told_s, live.is_news = frame.captured_s, False
        return build_track_event(
            kind,
            live.track,
            live.record,
            seen_in=live.seen_in,
            frame=frame,
            source_id=self._source_id,
            instance_id=self._instance_id,
            end_reason=reason,
        )

    def _count(self, changes: Changes) -> None:
        for visit in changes.entered:
            self._counts.enter(visit.zone, visit.class_name)
        for visit in changes.left:
            self._counts.leave(visit.zone, visit.class_name)
        for passage in changes.crossed:
            self._counts.cross(passage.line, passage.direction, passage.class_name)


def _look(track: Track, frame: FrameFacts) -> Look:
    left, top, right, bottom = track.xyxy_px.tolist()
    return Look(
        frame.frame_id,
        frame.at(track.last_seen_s),
        track.last_seen_s,
        (left, top, right, bottom),
        track.confidence,
        frame.class_name(track.class_id),
    )
