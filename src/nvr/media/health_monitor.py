"""Decide when a camera's health is worth a word; pure: samples and times in, events out.

Fed about once a second, says something only when the answer changes, and does not flap: what is wrong must last before
it is told, and be gone for a while before it is taken back.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from nvr.media.health import (
    CameraHealth,
    Connection,
    HealthChanged,
    HealthCounters,
    HealthLimits,
    HealthSample,
    HealthState,
)
from nvr.media.picture_health import PictureState

WINDOW_S = 10.0
"""Shares are measured over so long."""

RATE_WINDOW_S = 5.0
"""Frame rates at least over so long."""

LONG_WINDOW_S = 60.0
"""Breaks and reconnects are counted over so long."""

SAMPLE_EVERY_S = 0.5
"""Samples nearer to each other are not all remembered."""

MIN_PACKETS = 10
"""A share of fewer packets says nothing."""

MAX_TROUBLES = 16
"""More, of others or of one connection's errors, are not told apart."""

LEARN_S = 60.0
"""The usual frame rate follows what comes within about so long."""

_FROM_CONNECTION = {
    Connection.PAUSED: HealthState.PAUSED,
    Connection.ENDED: HealthState.ENDED,
    Connection.STOPPED: HealthState.STOPPED,
}
_FROM_PICTURE = {
    PictureState.BLACK: HealthState.BLACK,
    PictureState.EVEN: HealthState.BLACK,
    PictureState.FROZEN: HealthState.FROZEN,
}


class HealthMonitor:
    """Watches one camera; used by one thread."""

    def __init__(self, source_id: int, at: datetime, limits: HealthLimits | None = None) -> None:
        """Begin with a camera that is about to connect.

        Args:
            source_id: Number of the camera.
            at: Now, aware UTC.
            limits: From when on something is worth a word.
        """
        self._limits = limits = limits or HealthLimits()
        self._link = _Link(limits)
        self._conditions: dict[str, _Condition] = {}
        self._recent: deque[tuple[float, HealthCounters]] = deque()
        self._connected_s: float | None = None
        self._rate = _UsualRate(limits)
        self._silent_s = float("-inf")
        self._told: tuple[HealthState, frozenset[str]] = (HealthState.CONNECTING, frozenset())
        self._errors: set[str] = set()
        self._health = CameraHealth(source_id, HealthState.CONNECTING, "", at, HealthCounters())

    @property
    def health(self) -> CameraHealth:
        """How the camera is, as of the last sample."""
        return self._health

    def observe(self, sample: HealthSample, now_s: float, at: datetime) -> list[HealthChanged]:
        """Take what is known now and return what is to be told: one event or none.

        Args:
            sample: See there.
            now_s: Monotonic seconds.
            at: The same moment, aware UTC.
        """
        self._remember(sample, now_s)
        state = self._link.follow(sample, now_s)
        if state is not HealthState.RUNNING:
            self._conditions.clear()
        elif sample.connection is Connection.CONNECTED:
            self._judge(sample, now_s)
        wrong = {key: condition.reason for key, condition in self._conditions.items() if condition.is_on}
        reason = ""
        if wrong:
            picture = next((state for state in (HealthState.BLACK, HealthState.FROZEN) if state in wrong), None)
            state = picture or HealthState.DEGRADED
            keys = [key for key in wrong if key == picture or key not in _FROM_PICTURE.values()]
            wrong = {key: wrong[key] for key in sorted(keys, key=lambda key: key != picture)}
            reason = "; ".join(wrong.values())
        elif state is HealthState.OFFLINE:
            reason = sample.error or self._health.reason
        return self._tell(state, reason, frozenset(wrong), sample.counters, at)

    def _tell(
        self, state: HealthState, reason: str, wrong: frozenset[str], counters: HealthCounters, at: datetime
    ) -> list[HealthChanged]:
        old = self._health
        is_new_error = state is HealthState.OFFLINE and reason not in self._errors and len(self._errors) < MAX_TROUBLES
        if state is not HealthState.OFFLINE:
            self._errors.clear()
        elif is_new_error:
            self._errors.add(reason)
        since = old.since if state is old.state else at
        self._health = CameraHealth(old.source_id, state, reason, since, counters)
        if (state, wrong) == self._told and not is_new_error:
            return []
        self._told = (state, wrong)
        return [HealthChanged(old.source_id, old.state, state, reason, at, counters)]

    def _remember(self, sample: HealthSample, now_s: float) -> None:
        recent = self._recent
        if not recent or now_s - recent[-1][0] >= SAMPLE_EVERY_S:
            recent.append((now_s, sample.counters))
        while now_s - recent[0][0] > LONG_WINDOW_S:
            recent.popleft()
        if sample.connection is not Connection.CONNECTED:
            self._connected_s = None
        elif self._connected_s is None:
            self._connected_s = now_s

    def _judge(self, sample: HealthSample, now_s: float) -> None:
        limits = self._limits
        for key, reason, wrong_for_s in self._findings(sample, now_s):
            condition = self._conditions.setdefault(key, _Condition())
            condition.look(reason, now_s, wrong_for_s, limits.right_for_s)
        seen = {f"trouble {trouble}": trouble for trouble in sample.troubles[:MAX_TROUBLES]}
        for key in [*self._conditions, *seen]:
            if key.startswith("trouble ") and (key in self._conditions or len(self._conditions) < 2 * MAX_TROUBLES):
                condition = self._conditions.setdefault(key, _Condition())
                condition.look(seen.get(key, ""), now_s, 0.0, limits.right_for_s)
        self._conditions = {
            key: condition for key, condition in self._conditions.items() if condition.is_on or condition.is_in_doubt
        }

    def _findings(self, sample: HealthSample, now_s: float) -> Iterator[tuple[str, str, float]]:
        """Yield a key for each thing that may be wrong, what is (or nothing), and how long that must last."""
        limits = self._limits
        for state in (HealthState.BLACK, HealthState.FROZEN):
            is_bad = sample.picture is not None and _FROM_PICTURE.get(sample.picture.state) is state
            yield state, sample.picture.reason if sample.picture is not None and is_bad else "", 0.0
        least_gap_s = max(limits.gap_s, 4 / self._rate.usual_fps if self._rate.usual_fps else 0.0)
        is_silent = sample.packet_age_s >= least_gap_s
        yield "gap", f"no packet for {sample.packet_age_s:.1f} s" if is_silent else "", 0.0
        error_s = sample.clock_error_s or 0.0
        is_off = self._is_over("clock", abs(error_s), limits.clock_error_s)
        yield "clock", f"the camera's clock is {_offset(error_s)}" if is_off else "", limits.wrong_for_s
        yield from self._counted(sample.counters, now_s)
        if self._connected_s is not None and now_s - self._connected_s >= WINDOW_S:
            yield from self._measured(sample.counters, now_s)
            yield from self._paced(sample.counters, now_s, is_silent=is_silent)

    def _counted(self, counters: HealthCounters, now_s: float) -> Iterator[tuple[str, str, float]]:
        limits = self._limits
        before = self._before(now_s, LONG_WINDOW_S)[1]
        breaks = counters.timestamp_breaks - before.timestamp_breaks
        is_over = self._is_over("breaks", breaks, limits.timestamp_breaks)
        yield "breaks", f"time stamps jumped {breaks} times in a minute" if is_over else "", 0.0
        reconnects = counters.reconnects - before.reconnects
        is_over = self._is_over("reconnects", reconnects, limits.reconnects)
        yield "reconnects", f"the connection broke {reconnects} times in a minute" if is_over else "", 0.0
        lost = counters.lost - self._before(now_s, WINDOW_S)[1].lost
        is_over = self._is_over("lost", lost, limits.lost_packets)
        yield "lost", f"{lost} packets were gone before they were read" if is_over else "", 0.0

    def _measured(self, counters: HealthCounters, now_s: float) -> Iterator[tuple[str, str, float]]:
        limits = self._limits
        before = self._before(now_s, WINDOW_S)[1]
        packets = counters.packets - before.packets
        has_enough = packets >= MIN_PACKETS
        broken = min(1.0, (counters.broken - before.broken) / packets) if has_enough else 0.0
        is_over = self._is_over("broken", broken, limits.broken_share)
        yield "broken", f"{_percent(broken)} of the packets are broken" if is_over else "", limits.wrong_for_s
        skipped = min(1.0, (counters.skipped - before.skipped) / packets) if has_enough else 0.0
        is_over = self._is_over("skipped", skipped, limits.skipped_share)
        sentence = f"the decoder passes over {_percent(skipped)} of the packets to keep up"
        yield "skipped", sentence if is_over else "", limits.wrong_for_s

    def _paced(self, counters: HealthCounters, now_s: float, *, is_silent: bool) -> Iterator[tuple[str, str, float]]:
        window_s = self._rate.window_s
        if is_silent:  # told by itself; what comes after it does not come slowly
            self._silent_s = now_s
        if now_s - self._silent_s <= window_s + 1:
            yield "rate", "", 0.0
            return
        before_s, before = self._before(now_s, window_s)
        fps = (counters.packets - before.packets) / (now_s - before_s) if now_s > before_s else 0.0
        is_low = self._rate.is_low(fps, now_s, was_low=self._is_on("rate"))
        sentence = f"the frame rate fell from {_rounded(self._rate.usual_fps)} to {_rounded(fps)} a second"
        # by then all of the window lies after the fall, and the sentence tells the new rate
        yield "rate", sentence if is_low else "", max(self._limits.wrong_for_s, window_s)

    def _before(self, now_s: float, window_s: float) -> tuple[float, HealthCounters]:
        return next(entry for entry in self._recent if now_s - entry[0] <= window_s)

    def _is_on(self, key: str) -> bool:
        return key in self._conditions and self._conditions[key].is_on

    def _is_over(self, key: str, value: float, bounds: tuple[float, float]) -> bool:
        wrong_from, right_to = bounds
        return value > right_to if self._is_on(key) else value >= wrong_from


@dataclass(slots=True)
class _Condition:
    """One thing that may be wrong: the words said when it began, and since when it looks otherwise."""

    reason: str = ""
    is_on: bool = False
    other_since_s: float | None = None

    @property
    def is_in_doubt(self) -> bool:
        return self.other_since_s is not None

    def look(self, reason: str, now_s: float, wrong_for_s: float, right_for_s: float) -> None:
        """Take what is wrong now, empty for nothing."""
        if bool(reason) == self.is_on:
            self.other_since_s = None
            return
        if self.other_since_s is None:
            self.other_since_s = now_s
        if now_s - self.other_since_s >= (right_for_s if self.is_on else wrong_for_s):
            self.is_on, self.reason, self.other_since_s = not self.is_on, reason, None


class _Link:
    """What to say of the connection: a short break is none, and what has broken must hold for a while."""

    def __init__(self, limits: HealthLimits) -> None:
        self._limits = limits
        self._state = HealthState.CONNECTING
        self._other_since_s: float | None = None
        self._packets = 0

    def follow(self, sample: HealthSample, now_s: float) -> HealthState:
        state = _FROM_CONNECTION.get(sample.connection)
        if state is not None:
            return self._enter(state, sample)
        if self._state in _FROM_CONNECTION.values():
            self._enter(HealthState.CONNECTING, sample)
        is_playing = sample.connection is Connection.CONNECTED and sample.counters.packets > self._packets
        if not is_playing and self._state is not HealthState.RUNNING:
            self._packets = sample.counters.packets
        if self._state is HealthState.CONNECTING:
            if is_playing:
                return self._enter(HealthState.RUNNING, sample)
            return self._enter(HealthState.OFFLINE, sample) if sample.connection is Connection.LOST else self._state
        is_running = self._state is HealthState.RUNNING
        is_same = (
            is_running if sample.connection is Connection.CONNECTED and (is_running or is_playing) else not is_running
        )
        if is_same:
            self._other_since_s = None
            return self._state
        if self._other_since_s is None:
            self._other_since_s = now_s
        wait_s = self._limits.grace_s if is_running else self._limits.settled_s
        if now_s - self._other_since_s >= wait_s:
            return self._enter(HealthState.OFFLINE if is_running else HealthState.RUNNING, sample)
        return self._state

    def _enter(self, state: HealthState, sample: HealthSample) -> HealthState:
        self._state, self._other_since_s, self._packets = state, None, sample.counters.packets
        return state


class _UsualRate:
    """The frame rate that is usual for a camera, and when it is too low."""

    def __init__(self, limits: HealthLimits) -> None:
        self._limits = limits
        self.usual_fps = 0.0
        self._accepted_fps = float("inf")  # the lowest that lasted
        self._low_since_s: float | None = None
        self._learnt_s: float | None = None

    @property
    def window_s(self) -> float:
        """Over which to measure: long enough for some packets."""
        return min(max(RATE_WINDOW_S, MIN_PACKETS / self.usual_fps if self.usual_fps else 0.0), LONG_WINDOW_S)

    def is_low(self, fps: float, now_s: float, *, was_low: bool) -> bool:
        low_from, right_from = self._limits.rate_share
        least_fps = (right_from if was_low else low_from) * min(self.usual_fps, self._accepted_fps)
        passed_s = 0.0 if self._learnt_s is None else now_s - self._learnt_s
        self._learnt_s = now_s
        if fps >= least_fps:
            self._low_since_s = None
            weight = min(1.0, passed_s / LEARN_S) if self.usual_fps else 1.0
            # a rate that was accepted as low is no news and does not change what is usual
            if fps >= low_from * self.usual_fps:
                self.usual_fps += weight * (fps - self.usual_fps)
            return False
        if self._low_since_s is None:
            self._low_since_s = now_s
        if now_s - self._low_since_s >= self._limits.usual_after_s:
            self._accepted_fps = fps
        return True


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.095 else f"{share:.1%}"


def _rounded(fps: float) -> str:
    return f"{fps:.0f}" if fps >= 9.5 else f"{fps:.1f}".removesuffix(".0")


def _offset(error_s: float) -> str:
    direction = "ahead" if error_s > 0 else "behind"
    size_s = abs(error_s)
    if size_s >= 2 * 86_400:
        return f"{size_s / 86_400:.0f} days {direction}"
    return f"{size_s:.0f} s {direction}"
