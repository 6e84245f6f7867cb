"""Looks at every camera once a second and tells what has changed about it."""

import logging
import threading
from collections.abc import Callable, Iterable

from nvr.core.clock import Clock
from nvr.core.throttle import ThrottledLog
from nvr.media.health import CameraHealth, Connection, HealthChanged, HealthCounters, HealthSample, HealthState
from nvr.media.health_monitor import HealthMonitor
from nvr.media.picture_health import PictureVerdict
from nvr.media.stream import CameraStream, StreamState, StreamStats

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0

HealthHandler = Callable[[HealthChanged], None]

_CONNECTIONS = {
    StreamState.CONNECTING: Connection.CONNECTING,
    StreamState.RUNNING: Connection.CONNECTED,
    StreamState.STALLED: Connection.CONNECTED,
    StreamState.OFFLINE: Connection.LOST,
    StreamState.PAUSED: Connection.PAUSED,
    StreamState.ENDED: Connection.ENDED,
    StreamState.STOPPED: Connection.STOPPED,
}

_QUIET_STATES = frozenset({HealthState.RUNNING, HealthState.CONNECTING, HealthState.PAUSED, HealthState.ENDED})


class HealthWatch:
    """A thread that samples the cameras; what they do is decided by a `HealthMonitor` each."""

    def __init__(
        self,
        sample: Callable[[], Iterable[tuple[int, HealthSample]]],
        *,
        clock: Clock,
        on_change: HealthHandler | None = None,
    ) -> None:
        """Prepare the watch.

        Args:
            sample: Tells how every camera is at this moment, with its source id.
            clock: For intervals and times.
            on_change: Called in the watch's thread for each change; what it raises is logged and counted.
        """
        self._sample = sample
        self._clock = clock
        self._on_change = on_change
        self._monitors: dict[int, HealthMonitor] = {}
        self._replaced: set[int] = set()
        self._trouble = ThrottledLog(logger, logging.ERROR, clock=clock)
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)

    def health(self, source_id: int) -> CameraHealth | None:
        """Return how a camera is, as of the last look; None before the first."""
        monitor = self._monitors.get(source_id)
        return None if monitor is None else monitor.health

    def forget(self, source_id: int) -> None:
        """Begin anew with a camera, whose counters do the same: its connection is another one; any thread."""
        self._replaced.add(source_id)

    def start(self) -> None:
        """Begin, in the background."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """End the thread."""
        self._is_stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def look(self) -> list[HealthChanged]:
        """Look once at every camera; returns what has changed, after telling it."""
        now_s, at = self._clock.monotonic(), self._clock.now()
        changes: list[HealthChanged] = []
        while self._replaced:
            self._monitors.pop(self._replaced.pop(), None)
        samples = dict(self._sample())
        monitors = {key: self._monitors.get(key) or HealthMonitor(key, at) for key in samples}
        self._monitors = monitors  # one that is gone begins anew should it come back
        for source_id, sample in samples.items():
            changes += monitors[source_id].observe(sample, now_s, at)
        for change in changes:
            self._tell(change)
        return changes

    def _tell(self, change: HealthChanged) -> None:
        level = logging.INFO if change.new in _QUIET_STATES else logging.WARNING
        reason = f": {change.reason}" if change.reason else ""
        who = {"source_id": change.source_id}
        logger.log(level, "camera %d is %s%s", change.source_id, change.new.value, reason, extra=who)
        if self._on_change is None:
            return
        try:
            self._on_change(change)
        except Exception as error:  # noqa: BLE001 - the supervisor of user code: it must not end the watch
            self._trouble.report(f"telling the health of camera {change.source_id} failed: {error!r}", error)

    def _run(self) -> None:
        while not self._is_stopping.wait(LOOK_EVERY_S):
            self.look()


def sample_of(
    detect: CameraStream, main: CameraStream, picture: PictureVerdict | None, troubles: tuple[str, ...] = ()
) -> HealthSample:
    """Return what is known of a camera now.

    Args:
        detect: The stream that is looked at.
        main: The stream that is recorded; maybe the same.
        picture: What its last pictures show.
        troubles: What others have to say, as its recorder.
    """
    stats = detect.stats
    is_running = detect.state in {StreamState.RUNNING, StreamState.STALLED}
    if main is not detect and main.state not in {StreamState.RUNNING, StreamState.CONNECTING, StreamState.PAUSED}:
        troubles = (f"its main stream is {main.state.value}", *troubles)
    return HealthSample(
        connection=_CONNECTIONS[detect.state],
        counters=_counters(stats),
        packet_age_s=detect.packet_age_s() if is_running else 0.0,
        error=stats.last_error,
        picture=picture if is_running else None,
        clock_error_s=stats.clock_error_s if is_running else None,
        troubles=troubles,
    )


def _counters(stats: StreamStats) -> HealthCounters:
    return HealthCounters(
        packets=stats.demuxed.packets,
        keyframes=stats.demuxed.keyframes,
        size_bytes=stats.demuxed.size_bytes,
        decoded=stats.decoding.decoded,
        skipped=stats.decoding.skipped,
        lost=stats.decoding.lost,
        broken=stats.broken_packets,
        reconnects=stats.breaks,
        timestamp_breaks=stats.demuxed.timestamp_breaks,
    )
