"""Which packets of a camera are kept, and into which segments; pure: packets and wishes in, steps out.

A segment begins at a key frame. What is recorded for its time or for an event is whole GOPs, so that the next
recording can begin where this one ended and nothing is written twice; recording on demand ends to the packet.
"""

import math
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from nvr.events.recording_event import EndReason
from nvr.media.packet import MediaPacket
from nvr.recording.event_windows import EventWindow, EventWindows
from nvr.recording.modes import OFF, Modes, RecordingMode, next_boundary

SegmentReason = Literal["continuous", "event", "on-demand"]

_FOREVER = datetime.max.replace(tzinfo=UTC)

SILENCE_S = 10.0
"""A segment of a camera that sends nothing for so long is finished: the last seconds before an outage count most."""


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """How a camera's recording is cut and how far it reaches around an event."""

    segment_s: float = 10.0
    pre_roll_s: float = 5.0
    post_roll_s: float = 5.0
    silence_s: float = SILENCE_S


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a segment, and the reasons to record it that lie outside of its time."""

    reason: EndReason
    is_on_demand: bool
    is_continuous: bool


@dataclass(frozen=True, slots=True)
class Step:
    """What to do with a packet; in this order."""

    ends: Ended | None = None
    """Finish the open segment."""
    begins: bool = False
    """Open a segment whose first packet this is."""
    writes: bool = False
    """Write the packet."""


SKIP: Final = Step()
WRITE: Final = Step(writes=True)
BEGIN: Final = Step(begins=True, writes=True)


@dataclass(slots=True)
class _OpenSegment:
    first: MediaPacket
    boundary: datetime
    last_captured_at: datetime
    last_received_s: float
    is_on_demand: bool
    is_continuous: bool


class RecordingPlan:
    """The decisions for one camera: one thread decides over packets, any thread may say what it wishes."""

    def __init__(self, modes: Modes = OFF, settings: PlanSettings | None = None) -> None:
        """Begin with nothing recorded."""
        self._settings = settings or PlanSettings()
        self._modes = modes
        self._windows = EventWindows(self._settings.pre_roll_s, self._settings.post_roll_s)
        self._segment: _OpenSegment | None = None
        self._next_sequence = 0
        self._is_following = RecordingMode.CONTINUOUS in modes
        self._wanted_from: tuple[int, datetime] | None = None
        self._is_event_gop = False
        self._on_demand_until_s = -math.inf
        self._cut_wanted = False
        self._lock = threading.RLock()

    @property
    def modes(self) -> Modes:
        """Why the camera is recorded at present."""
        return self._modes

    @property
    def next_sequence(self) -> int:
        """Packets before this one are written or were passed by: nobody may go back behind it."""
        return self._next_sequence

    def set_modes(self, modes: Modes) -> None:
        """Record for other reasons from now on; what no reason holds any more ends at the next `tick`."""
        with self._lock:
            if RecordingMode.EVENTS not in modes:
                self._windows.take_all()
                self._is_event_gop = False
            if RecordingMode.ON_DEMAND not in modes:
                self._on_demand_until_s = -math.inf
            self._modes = modes
            self._is_following = RecordingMode.CONTINUOUS in modes or (self._is_following and bool(modes))

    def retune(self, settings: PlanSettings) -> None:
        """Decide by other lengths about what comes; the open segment and the windows that are known stay."""
        with self._lock:
            self._settings = settings
            self._windows.retune(settings.pre_roll_s, settings.post_roll_s)

    def note_event(self, captured_at: datetime) -> EventWindow | None:
        """Take note of a detection, however late; None where events are no reason to record."""
        with self._lock:
            if RecordingMode.EVENTS not in self._modes:
                return None
            window = self._windows.note(captured_at)
            segment = self._segment
            if segment is not None and window.start <= segment.last_captured_at <= window.end:
                self._is_event_gop = True
            return window

    def start_on_demand(self, now_s: float, max_s: float) -> None:
        """Record on demand, from the newest key frame on, for at most `max_s`; again while it runs: from now."""
        with self._lock:
            self._on_demand_until_s = now_s + max_s
            self._is_following = True
            if self._segment is not None:
                self._segment.is_on_demand = True

    def stop_on_demand(self, now_s: float) -> None:
        """End recording on demand; what other reasons hold goes on."""
        with self._lock:
            self._on_demand_until_s = min(self._on_demand_until_s, now_s)

    def wants_packets(self, now_s: float) -> bool:
        """Tell whether packets are to be read on; False while nothing is to be recorded."""
        if self._segment is None and not self._is_continuous and now_s >= self._on_demand_until_s:
            return self._is_following and RecordingMode.EVENTS in self._modes
        return True

    def pending_window(self) -> EventWindow | None:
        """Return a window that recording is to turn to now, while no segment is open."""
        with self._lock:
            return None if self._segment is not None else self._windows.oldest_pending()

    def begin_at(self, sequence: int, window: EventWindow) -> None:
        """Take a window and expect the GOP in which it begins: its key frame may come before it."""
        with self._lock:
            window.is_taken = True
            self._wanted_from = (sequence, window.end)
            self._is_following = True

    def decide(self, packet: MediaPacket) -> Step:
        """Say what becomes of the next packet, in the order of their sequences."""
        with self._lock:
            return self._decide(packet)

    def _decide(self, packet: MediaPacket) -> Step:
        segment = self._segment
        has_gap = packet.sequence != self._next_sequence
        self._next_sequence = packet.sequence + 1
        if segment is None:
            return self._open(packet) if packet.starts_gop and self._wants(packet) else SKIP
        if has_gap or packet.session != segment.first.session:
            return self._end("gap", packet, is_wanted=packet.starts_gop and self._wants(packet))
        if not packet.starts_gop:
            if packet.received_s >= self._stop_s:
                self._is_following = False
                return self._end("stopped", packet, is_wanted=False)
        elif not self._wants(packet):
            return self._end("stopped", packet, is_wanted=False)
        elif (reason := self._reason_to_cut(segment, packet)) is not None:
            return self._end(reason, packet, is_wanted=True)
        segment.last_captured_at = packet.captured_at
        segment.last_received_s = packet.received_s
        return WRITE

    def cut_at_key_frame(self) -> None:
        """Let the next key frame begin a segment: sound has come that the open one cannot hold."""
        self._cut_wanted = True

    def tick(self, now_s: float) -> Ended | None:
        """Say that the open segment ends although no packet says so; it is no longer open then."""
        with self._lock:
            segment = self._segment
            if segment is None:
                return None
            if now_s >= self._stop_s:
                self._is_following = False
                return self.abandon("stopped")
            is_silent = now_s - segment.last_received_s >= self._settings.silence_s
            return self.abandon("silence") if is_silent else None

    def abandon(self, reason: EndReason) -> Ended | None:
        """End the open segment for its disk's or owner's sake; recording goes on at the next key frame."""
        with self._lock:
            segment, self._segment = self._segment, None
            return None if segment is None else Ended(reason, segment.is_on_demand, segment.is_continuous)

    def return_to(self, sequence: int) -> None:
        """Expect a key frame again that could not be written, while no segment is open."""
        with self._lock:
            self._next_sequence = sequence
            if self._is_event_gop:
                self._wanted_from = (sequence, _FOREVER)

    def kind(self, ended: Ended, start: datetime, end: datetime) -> SegmentReason:
        """Return the strongest reason for which a segment was recorded: on demand, an event, continuous."""
        if ended.is_on_demand:
            return "on-demand"
        with self._lock:
            return "event" if not ended.is_continuous or self._windows.overlap(start, end) else "continuous"

    @property
    def _stop_s(self) -> float:
        """Monotonic time from which on no packet is wanted, as far as the present GOP says."""
        return math.inf if self._is_event_gop or self._is_continuous else self._on_demand_until_s

    @property
    def _is_continuous(self) -> bool:
        return RecordingMode.CONTINUOUS in self._modes

    def _open(self, packet: MediaPacket) -> Step:
        self._cut_wanted = False
        self._segment = _OpenSegment(
            packet,
            next_boundary(packet.captured_at.astimezone(UTC), self._settings.segment_s),
            packet.captured_at,
            packet.received_s,
            is_on_demand=packet.received_s < self._on_demand_until_s,
            is_continuous=self._is_continuous,
        )
        return BEGIN

    def _end(self, reason: EndReason, packet: MediaPacket, *, is_wanted: bool) -> Step:
        ended = self.abandon(reason)
        if not is_wanted:
            return Step(ended)
        self._open(packet)
        return Step(ended, begins=True, writes=True)

    def _wants(self, packet: MediaPacket) -> bool:
        """Decide over a GOP by its key frame."""
        wanted_from, self._wanted_from = self._wanted_from, None
        begins_window = (
            wanted_from is not None and packet.sequence == wanted_from[0] and packet.captured_at <= wanted_from[1]
        )
        self._is_event_gop = RecordingMode.EVENTS in self._modes and (
            self._windows.take_at(packet.captured_at) or begins_window
        )
        is_on_demand = packet.received_s < self._on_demand_until_s
        if is_on_demand and self._segment is not None:
            self._segment.is_on_demand = True
        self._is_following = self._is_event_gop or is_on_demand or self._is_continuous
        if not self._is_following:
            self._next_sequence = packet.sequence  # a later wish may still have it
        return self._is_following

    def _reason_to_cut(self, segment: _OpenSegment, packet: MediaPacket) -> EndReason | None:
        parameters = segment.first.parameters
        if self._cut_wanted or (packet.parameters is not parameters and packet.parameters != parameters):
            return "parameters"
        # a clock that was set back would else make a segment of hours
        if packet.captured_at >= segment.boundary or packet.captured_at < segment.first.captured_at:
            return "cut"
        return None
