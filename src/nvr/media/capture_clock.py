"""When pictures were captured, by the one clock of the product: that of this machine.

Pure: times in, times out. Presentation stamps tell precisely how pictures lie to each other, arrival tells when that
was, with the delays of network and reader on top, and a camera's RTCP sender reports tell it without those, if the
camera's clock is right. What comes out rises with the presentation time and is corrected slowly.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from nvr.events.schema import TimestampSource
from nvr.media.arrival_envelope import ArrivalEnvelope

MAX_BEHIND_S = 5.0
"""A camera's report is believed while it lies at most so long before arrival: that is what coding, a relay's buffer and
a slow link take. More is a wrong clock, and recordings would be found at a wrong time."""

MAX_AHEAD_S = 0.1
"""Nothing arrives before it is captured: beyond the precision of NTP in a local network, such a clock is wrong."""

AGAIN_BELIEVED = 0.8
"""Share of these bounds within which a report that was refused must lie to be believed again."""

SLEW = 0.005
"""Seconds of correction per second of media: a film runs by 0.5 % too fast or slow, which nobody sees."""

SLEW_TIME_S = 2.0
"""Larger errors are corrected faster, in proportion: within about so long."""

MAX_SLEW = 0.9
"""Never so fast that pictures would change their order."""

STEP_S = 1.0
"""An error of more is corrected at once: this machine's clock was set, or time was lost."""

STEP_WAIT_S = 10.0
"""So long at most until a step waits for a place where it may be made."""

SAME_MOMENT_S = 0.001
"""Packets that were read together have times at least a microsecond apart, so the last may lie so far after arrival."""

OTHER_TIMELINE_S = 10.0
"""Presentation stamps that go back by more belong to another session."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK_S = 1e-6


@dataclass(frozen=True, slots=True)
class CaptureTime:
    """When a picture was captured, and how that is known."""

    captured_at: datetime
    """Aware UTC."""
    source: TimestampSource
    """`rtcp`: by the camera's reports; `arrival`: by arrival, less what jitter added."""
    clock_error_s: float | None
    """How far the camera's clock is ahead of arrival: slightly negative in a good one, by the time from capture to
    arrival. None while the camera tells none."""
    is_step: bool
    """The times before do not lead on to this one: this machine's clock was set, or time was lost."""


class CaptureClock:
    """Tells the capture time of each packet of one stream of one connection, in decoding order.

    A machine's clock that is set by up to a second is followed smoothly; one that is set by more is followed at once,
    at the next key frame (after ten seconds anywhere). If it was set back, capture times go back, once: the new ones
    are right, and the old ones were not.
    """

    def __init__(self, *, is_one_late: bool = False) -> None:
        """Begin with a connection.

        Args:
            is_one_late: Whether a packet is handed on only when the next one begins to arrive. FFmpeg does so with
                H.264 and H.265 over RTSP, whose packets do not tell where a picture ends.
        """
        self._is_one_late = is_one_late
        self._learnt_s: float | None = None  # arrival of the packet before
        self._envelope = ArrivalEnvelope()
        self._is_believed = True
        self._pts_s: float | None = None  # the highest yet
        self._offset_s = 0.0  # wall time minus presentation time, there
        self._before = (0.0, 0.0)  # both, at the highest before
        self._step_due_s: float | None = None

    def observe(self, pts_s: float, arrival_s: float) -> None:
        """Learn from a packet ahead of its `update`.

        Where the first ones of a session came at once, from a buffer, only the last of them tells how old they are.
        """
        came_s = self._learnt_s if self._is_one_late and self._learnt_s is not None else arrival_s
        self._envelope.add(pts_s, came_s)
        self._learnt_s = arrival_s

    def update(
        self,
        pts_s: float,
        arrival_s: float,
        arrival_at: datetime,
        report_at: datetime | None = None,
        *,
        may_step: bool = True,
    ) -> CaptureTime:
        """Return the capture time of the next packet.

        Args:
            pts_s: Its presentation time in seconds.
            arrival_s: Monotonic seconds at which it was read.
            arrival_at: The same moment, aware UTC.
            report_at: Its capture time by the camera's sender reports, aware UTC.
            may_step: Whether the times may step here: at key frames, where a recording can be cut.
        """
        is_other_timeline = self._pts_s is not None and pts_s < self._pts_s - OTHER_TIMELINE_S
        if is_other_timeline:
            self._envelope, self._pts_s, self._learnt_s = ArrivalEnvelope(), None, None
        self.observe(pts_s, arrival_s)
        arrival_wall_s = (arrival_at - _EPOCH).total_seconds()
        target_s = self._envelope.at(pts_s) + arrival_wall_s - arrival_s
        source: TimestampSource = "arrival"
        clock_error_s = None
        if report_at is not None:
            reported_s = (report_at - _EPOCH).total_seconds() - pts_s
            clock_error_s = reported_s - target_s
            self._judge(clock_error_s)
            if self._is_believed:
                source, target_s = "rtcp", min(reported_s, target_s)
        is_step = self._advance(pts_s, target_s, arrival_s, arrival_wall_s, may_step=may_step)
        return CaptureTime(self.at(pts_s), source, clock_error_s, is_step or is_other_timeline)

    def at(self, pts_s: float) -> datetime:
        """Return the capture time that belongs to a presentation time near the last ones, without learning."""
        offset_s = self._offset_s
        if self._pts_s is not None and pts_s < self._pts_s:
            before_s, before_offset_s = self._before
            share = max(0.0, pts_s - before_s) / (self._pts_s - before_s)
            offset_s = before_offset_s + share * (offset_s - before_offset_s)
        return _EPOCH + timedelta(microseconds=round((pts_s + offset_s) * 1e6))

    def _judge(self, clock_error_s: float) -> None:
        share = 1.0 if self._is_believed else AGAIN_BELIEVED
        self._is_believed = -share * MAX_BEHIND_S <= clock_error_s <= share * MAX_AHEAD_S

    def _advance(
        self, pts_s: float, target_s: float, arrival_s: float, arrival_wall_s: float, *, may_step: bool
    ) -> bool:
        """Move on to a packet; tell whether its time is a step from those before."""
        last_s = self._pts_s
        if last_s is None:
            self._place(pts_s, target_s, (pts_s - 1.0, target_s))
            return False
        if pts_s <= last_s:
            return False
        passed_s = pts_s - last_s
        foreseen_s = self._offset_s + self._envelope.slope * passed_s
        error_s = target_s - foreseen_s
        last_wall_s = last_s + self._offset_s
        is_off = error_s > STEP_S or last_wall_s > arrival_wall_s + STEP_S
        if is_off and self._is_time_to_step(arrival_s, may_step=may_step):
            self._place(pts_s, target_s, (last_s, target_s))
            return True
        if is_off:
            error_s = 0.0
        else:
            self._step_due_s = None
        most_s = passed_s * min(max(SLEW, abs(error_s) / SLEW_TIME_S), MAX_SLEW)
        offset_s = foreseen_s + min(max(error_s, -most_s), most_s)
        if last_wall_s < arrival_wall_s + SAME_MOMENT_S:  # nothing is captured after it came: stamps that jump ahead
            offset_s = min(offset_s, arrival_wall_s - pts_s)
        self._place(pts_s, max(offset_s, last_wall_s + _TICK_S - pts_s), (last_s, self._offset_s))
        return False

    def _is_time_to_step(self, arrival_s: float, *, may_step: bool) -> bool:
        if self._step_due_s is None:
            self._step_due_s = arrival_s + STEP_WAIT_S
        return may_step or arrival_s >= self._step_due_s

    def _place(self, pts_s: float, offset_s: float, before: tuple[float, float]) -> None:
        self._pts_s, self._offset_s, self._before = pts_s, offset_s, before
