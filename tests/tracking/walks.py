"""Tracks that walk along given points, frame by frame, as a tracker would hand them on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from nvr.config.zones import LineConfig, ZoneConfig
from nvr.events.track_event import TrackEndReason, TrackEvent
from nvr.tracking.frame_facts import FrameFacts
from nvr.tracking.lifecycle import LifecycleOptions, TrackLifecycle
from nvr.tracking.track import Track

START = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
SIZE_PX = (1000, 500)
FRAME_S = 0.2
NAMES = ("person", "bicycle", "car")

LEFT_HALF = ZoneConfig(name="left", polygon=((0, 0), (0.5, 0), (0.5, 1), (0, 1)))
MIDDLE = LineConfig(name="middle", start=(0.5, 0), end=(0.5, 1))
"""Down the picture: `in` leads to the left side of the picture, which is the walker's right hand."""


def track(
    foot: tuple[float, float] = (0.25, 0.5),
    at_s: float = 0.0,
    *,
    track_id: int = 1,
    size_px: tuple[float, float] = (40, 100),
    **changes: object,
) -> Track:
    """Return a confirmed person seen at a time, standing on a point given in shares of the picture."""
    x, bottom = foot[0] * SIZE_PX[0], foot[1] * SIZE_PX[1]
    box = np.array([x - size_px[0] / 2, bottom - size_px[1], x + size_px[0] / 2, bottom], np.float32)
    seen = Track(
        track_id=track_id,
        xyxy_px=box,
        velocity_px_s=np.zeros(2, np.float32),
        confidence=0.8,
        class_id=0,
        class_votes={0: 2.4},
        is_confirmed=True,
        is_lost=False,
        hits=3,
        first_seen_s=0.0,
        last_seen_s=at_s,
    )
    return replace(seen, **changes)  # type: ignore[arg-type]  # fields by name


def facts(at_s: float, size_px: tuple[int, int] = SIZE_PX) -> FrameFacts:
    """Return the frame of a time; the tracker's clock is not the wall's."""
    return FrameFacts(round(at_s / FRAME_S), START + timedelta(seconds=at_s), at_s, size_px, "yolox-nano", NAMES)


def wall(at_s: float) -> datetime:
    return START + timedelta(seconds=at_s)


def line_of(start: tuple[float, float], end: tuple[float, float], n: int) -> list[tuple[float, float]]:
    """Return n points from start to end, both included."""
    return [
        (start[0] + i / (n - 1) * (end[0] - start[0]), start[1] + i / (n - 1) * (end[1] - start[1])) for i in range(n)
    ]


@dataclass
class Site:
    """A lifecycle, and the time of its next frame."""

    lifecycle: TrackLifecycle
    now_s: float = 0.0

    @classmethod
    def of(
        cls,
        zones: Sequence[ZoneConfig] = (LEFT_HALF,),
        lines: Sequence[LineConfig] = (MIDDLE,),
        options: LifecycleOptions | None = None,
    ) -> "Site":
        return cls(TrackLifecycle(3, instance_id="gate-house", zones=zones, lines=lines, options=options))

    def walk(self, feet: Iterable[tuple[float, float]], **changes: object) -> list[TrackEvent]:
        """Let one track stand on each point for a frame."""
        return [event for foot in feet for event in self.see([track(foot, self.now_s, **changes)])]  # type: ignore[arg-type]  # fields by name

    def see(self, tracks: Sequence[Track], end_reason: TrackEndReason = "lost") -> list[TrackEvent]:
        events = self.lifecycle.observe(tracks, (), facts(self.now_s), end_reason)
        self.now_s = round(self.now_s + FRAME_S, 6)
        return list(events)
