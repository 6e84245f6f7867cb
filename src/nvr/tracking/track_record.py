"""All that is remembered of one track: where it went, how it was seen best, which zones and lines it met."""

import math
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from nvr.tracking.geometry import Point
from nvr.tracking.lines import Direction, LineWatch
from nvr.tracking.motion_state import MotionState
from nvr.tracking.track_path import TrackPath
from nvr.tracking.zone_map import ZoneMap
from nvr.tracking.zones import Membership

MAX_VISITS = 32
"""Of zones, and as many crossings of lines; the newest are kept."""

_MARGIN = 0.05
"""In heights of the box: further than a detector's foot point usually trembles."""
_EDGE_SHARE = 0.003
"""What comes so near to the picture's edge, as a share of its side, is cut by it."""

XyxyPx = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the object."""

    frame_id: int
    captured_at: datetime
    time_s: float
    """When the frame was captured, on the tracker's scale."""
    xyxy_px: XyxyPx
    confidence: float
    class_name: str
    """What it is, by all looks so far."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One stay in a zone."""

    zone: str
    class_name: str
    """What the object was thought to be when it came in."""
    entered_at: datetime
    left_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """One crossing of a line."""

    line: str
    class_name: str
    direction: Direction
    crossed_at: datetime


@dataclass(frozen=True, slots=True)
class Changes:
    """What a look changed that cannot wait to be told."""

    entered: tuple[Visit, ...] = ()
    left: tuple[Visit, ...] = ()
    crossed: tuple[Passage, ...] = ()
    is_new_state: bool = False

    def __bool__(self) -> bool:
        return bool(self.entered or self.left or self.crossed or self.is_new_state)


@dataclass(slots=True)
class TrackRecord:
    """The memory of one track; bounded, however long it lives."""

    last: Look
    best: Look
    best_score: tuple[bool, float]
    size_px: tuple[int, int]
    """Of the frames in which it was seen last and best."""
    motion: MotionState = field(default_factory=MotionState)
    path: TrackPath = field(default_factory=TrackPath)
    inside: dict[str, Visit] = field(default_factory=dict)
    """The stays that go on, by zone, in the order of coming in."""
    past_visits: "deque[Visit]" = field(default_factory=lambda: deque(maxlen=MAX_VISITS))
    passages: "deque[Passage]" = field(default_factory=lambda: deque(maxlen=MAX_VISITS))
    _memberships: dict[str, Membership] = field(default_factory=dict)
    _watches: dict[str, LineWatch] = field(default_factory=dict)

    @classmethod
    def begin(cls, look: Look, zone_map: ZoneMap) -> "TrackRecord":
        """Return the record of a track after its first look."""
        record = cls(look, look, _score(look, zone_map.size_px), zone_map.size_px)
        record.see(look, zone_map)
        return record

    @property
    def visits(self) -> tuple[Visit, ...]:
        """The latest `MAX_VISITS` stays, in the order of coming in."""
        return tuple(sorted([*self.past_visits, *self.inside.values()], key=lambda each: each.entered_at)[-MAX_VISITS:])

    @property
    def history(self) -> Changes:
        """All that happened so far, for who counts it once."""
        visits = self.visits
        return Changes(visits, tuple(visit for visit in visits if visit.left_at is not None), tuple(self.passages))

    def see(self, look: Look, zone_map: ZoneMap) -> Changes:
        """Take the next look, which must be later than the last, and tell what it changed."""
        self.last = look
        score = _score(look, zone_map.size_px)
        if score > self.best_score or zone_map.size_px != self.size_px:  # boxes of one size do not compare with another
            self.best, self.best_score, self.size_px = look, score, zone_map.size_px
        height_px = zone_map.size_px[1]
        left, top, right, bottom = look.xyxy_px
        size = math.sqrt(max(0.0, (right - left) * (bottom - top))) / height_px
        is_new_state = self.motion.update(
            look.time_s, (left + right) / 2 / height_px, (top + bottom) / 2 / height_px, size
        )
        foot, margin = zone_map.foot(look.xyxy_px), _MARGIN * (bottom - top) / height_px
        self.path.add(look.time_s, foot[0] / zone_map.aspect, foot[1])
        entered, left_visits = self._visit(look, zone_map, foot, margin)
        return Changes(entered, left_visits, self._cross(look, zone_map, foot, margin), is_new_state)

    def leave_all_but(self, zones: Collection[str], lines: Collection[str]) -> tuple[Visit, ...]:
        """Forget where it stands to other zones and lines; returns the stays that this ends."""
        self._memberships = {name: each for name, each in self._memberships.items() if name in zones}
        self._watches = {name: each for name, each in self._watches.items() if name in lines}
        left = [
            replace(visit, left_at=self.last.captured_at) for name, visit in self.inside.items() if name not in zones
        ]
        self.inside = {name: visit for name, visit in self.inside.items() if name in zones}
        self.past_visits.extend(left)
        return tuple(left)

    def _visit(
        self, look: Look, zone_map: ZoneMap, foot: Point, margin: float
    ) -> tuple[tuple[Visit, ...], tuple[Visit, ...]]:
        entered, left = [], []
        for zone in zone_map.zones:
            membership = self._memberships.setdefault(zone.name, Membership())
            if not membership.update(zone, foot, look.class_name, margin, look.time_s):
                continue
            changed_at = _at(look, membership.changed_s)
            if membership.is_inside:
                visit = Visit(zone.name, look.class_name, changed_at)
                self.inside[zone.name] = visit
                entered.append(visit)
            else:
                visit = replace(self.inside.pop(zone.name), left_at=changed_at)
                self.past_visits.append(visit)
                left.append(visit)
        return tuple(entered), tuple(left)

    def _cross(self, look: Look, zone_map: ZoneMap, foot: Point, margin: float) -> tuple[Passage, ...]:
        crossed = []
        for line in zone_map.lines:
            crossing = self._watches.setdefault(line.name, LineWatch()).update(line, foot, margin, look.time_s)
            if crossing is not None and line.counts(look.class_name):
                crossed.append(Passage(line.name, look.class_name, crossing.direction, _at(look, crossing.crossed_s)))
        self.passages.extend(crossed)
        return tuple(crossed)


def _at(look: Look, time_s: float) -> datetime:
    return look.captured_at - timedelta(seconds=look.time_s - time_s)


def _score(look: Look, size_px: tuple[int, int]) -> tuple[bool, float]:
    """Return how good a look is: a whole object before a cut one, then confidence times area."""
    left, top, right, bottom = look.xyxy_px
    width, height = size_px
    margin_x, margin_y = _EDGE_SHARE * width, _EDGE_SHARE * height
    is_whole = left > margin_x and top > margin_y and right < width - margin_x and bottom < height - margin_y
    return is_whole, look.confidence * (right - left) * (bottom - top)
