"""What there is to show of one camera at one moment, and in which words."""

import threading
from dataclasses import dataclass
from enum import StrEnum

from nvr.core.clock import Clock
from nvr.events import DetectionEvent
from nvr.media import StreamState
from nvr.wall.detection_cache import DetectionCache
from nvr.wall.sources import FrameSource, WallFrame

SILENT_PROCESSOR_S = 5.0
"""A processor also tells when it sees nothing; after so long without a word the wall says so."""
MAX_CREDIBLE_LATENCY_MS = 60_000.0
"""More than that, or less than nothing, is the difference of two clocks and not shown."""


class TileState(StrEnum):
    """How a camera is shown."""

    CONNECTING = "connecting"
    """No picture yet, and no failure either."""
    LIVE = "live"
    STALE = "stale"
    """Connected, but the last picture is too old."""
    OFFLINE = "offline"
    """The last try to reach it failed."""
    ENDED = "ended"
    """A file that was played to its end."""


@dataclass(frozen=True, slots=True)
class CameraView:
    """Everything that is drawn of one camera."""

    source_id: int
    title: str
    uri: str
    """Where the camera is, without credentials."""
    state: TileState
    frame: WallFrame | None
    """The last picture, however old."""
    event: DetectionEvent | None
    """What belongs on a live picture; None on any other."""
    notice: str | None
    """What is wrong, in a few words; None while it is live."""
    reason: str | None
    """What the camera's last error was, without credentials."""
    footnote: str | None
    """A discreet remark about the detections."""
    facts: str
    """Rates and latency, as shown in the corner."""
    fps: float
    latency_ms: float | None
    """From capture to the first look at the event, where the clocks make that credible."""


def state_of(stream: StreamState, frame_age_s: float | None, stale_after_s: float) -> TileState:
    """Decide how a camera is shown from what its stream does and how old its last picture is."""
    if frame_age_s is not None and frame_age_s <= stale_after_s:
        return TileState.LIVE
    if stream is StreamState.OFFLINE:
        return TileState.OFFLINE
    if stream in {StreamState.ENDED, StreamState.STOPPED}:
        return TileState.ENDED
    return TileState.CONNECTING if frame_age_s is None else TileState.STALE


def notice_of(state: TileState, silent_s: float) -> str | None:
    """Return the words for a camera without a live picture.

    Args:
        state: How it is shown.
        silent_s: Seconds since its last picture, or since the wall began to wait for the first.
    """
    seconds = duration(silent_s)
    match state:
        case TileState.LIVE:
            return None
        case TileState.CONNECTING:
            return f"connecting, {seconds}"
        case TileState.STALE:
            return f"no new picture for {seconds}"
        case TileState.OFFLINE:
            return f"offline for {seconds}"
        case TileState.ENDED:
            return "ended"


def duration(seconds: float) -> str:
    """Return seconds as people read them: `7 s`, `3 min`, `2 h`."""
    whole = max(0, int(seconds))
    if whole < 120:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 7200 else f"{whole // 3600} h"


class Camera:
    """Puts together what a stream, the detection cache and the clock say. Thread-safe."""

    def __init__(
        self, source: FrameSource, cache: DetectionCache, *, stale_after_s: float, clock: Clock, name: str | None = None
    ) -> None:
        self._source = source
        self._name = name
        self._cache = cache
        self._stale_after_s = stale_after_s
        self._clock = clock
        self._waiting_since_s = clock.monotonic()
        self._lock = threading.Lock()
        self._seen: DetectionEvent | None = None
        self._latency_ms: float | None = None

    @property
    def source_id(self) -> int:
        """Number of the camera."""
        return self._source.source_id

    @property
    def source(self) -> FrameSource:
        """Where its pictures come from."""
        return self._source

    @property
    def title(self) -> str:
        """What people call it."""
        return self._name or f"Camera {self._source.source_id}"

    def look(self) -> CameraView:
        """Return what there is to show now."""
        # the event first: its frame may be the one that arrives in between, never the other way round
        event = self._cache.get(self.source_id)
        frame, stats, now_s = self._source.latest(), self._source.stats, self._clock.monotonic()
        age_s = None if frame is None else now_s - frame.received_s
        state = state_of(self._source.state, age_s, self._stale_after_s)
        latency_ms = self._latency_of(event)
        return CameraView(
            source_id=self.source_id,
            title=self.title,
            uri=self._source.name,
            state=state,
            frame=frame,
            event=event if state is TileState.LIVE else None,
            notice=notice_of(state, now_s - self._waiting_since_s if age_s is None else age_s),
            reason=None if state is TileState.LIVE else stats.last_error,
            footnote=self._footnote(now_s) if state is TileState.LIVE else None,
            facts=_facts(stats.fps, event, latency_ms),
            fps=stats.fps,
            latency_ms=latency_ms,
        )

    def _latency_of(self, event: DetectionEvent | None) -> float | None:
        if event is None:
            return None
        with self._lock:
            if event is not self._seen:
                elapsed_ms = (self._clock.now() - event.timestamp).total_seconds() * 1000
                self._latency_ms = elapsed_ms if 0 <= elapsed_ms <= MAX_CREDIBLE_LATENCY_MS else None
                self._seen = event
            return self._latency_ms

    def _footnote(self, now_s: float) -> str | None:
        silence_s = self._cache.silence_s(self.source_id)
        silent_s = now_s - self._waiting_since_s if silence_s is None else silence_s
        return f"no detections from a processor for {duration(silent_s)}" if silent_s >= SILENT_PROCESSOR_S else None


def _facts(fps: float, event: DetectionEvent | None, latency_ms: float | None) -> str:
    parts = [f"{fps:.0f} fps"]
    if event is not None and event.fps is not None:
        parts.append(f"{event.fps:.1f} det/s")
    if latency_ms is not None:
        parts.append(f"{latency_ms:.0f} ms")
    return "  ·  ".join(parts)
