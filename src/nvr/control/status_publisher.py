"""Tells the status: when something changed, each heartbeat, and whenever the broker is there again."""

import logging
import threading
from collections.abc import Callable

from nvr.control.connection import InstanceConnection
from nvr.control.news import is_news
from nvr.core.clock import Clock, SystemClock
from nvr.core.throttle import ThrottledLog
from nvr.events.instance_status import InstanceStatus

logger = logging.getLogger(__name__)

StatusSource = Callable[[], InstanceStatus]
"""Returns how the instance is now; quick."""

CHECK_S = 0.25
"""How often a change is looked for."""


class StatusPublisher:
    """Looks at the status four times a second, in a thread of its own."""

    def __init__(
        self,
        connection: InstanceConnection,
        source: StatusSource,
        *,
        heartbeat_s: float,
        check_s: float = CHECK_S,
        clock: Clock | None = None,
    ) -> None:
        """Prepare.

        Args:
            connection: Carries it; its owner starts and stops it.
            source: Says how the instance is; called in the publisher's thread.
            heartbeat_s: It is told at least so often.
            check_s: How often a change is looked for.
            clock: For the heartbeat.
        """
        self._connection = connection
        self._source = source
        self._heartbeat_s = heartbeat_s
        self._check_s = check_s
        self._clock = clock or SystemClock()
        self._told: InstanceStatus | None = None
        self._told_s = 0.0
        self._wake = threading.Event()
        self._is_forced = threading.Event()
        self._is_stopping = threading.Event()
        self._trouble = ThrottledLog(logger, clock=self._clock)
        self._thread = threading.Thread(target=self._run, name="control-status", daemon=True)

    def start(self) -> None:
        """Begin; the first status goes out as soon as the broker is there."""
        self._connection.on_connect(self.tell_again)
        self._connection.on_overwritten(self._is_forced.set)  # no more often than a change is looked for
        self._thread.start()

    def set_heartbeat(self, heartbeat_s: float) -> None:
        """Tell it at least so often from now on."""
        if heartbeat_s != self._heartbeat_s:
            self._heartbeat_s = heartbeat_s
            self.look()

    def look(self) -> None:
        """Look for a change now: something was done."""
        self._wake.set()

    def tell_again(self) -> None:
        """Tell the status now, changed or not: the broker may not have it."""
        self._is_forced.set()
        self._wake.set()

    def stop(self, timeout_s: float = 1.0) -> bool:
        """End; nothing is told after it. False where the source hangs."""
        self._is_stopping.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._is_stopping.is_set():
            self._wake.wait(self._check_s)
            self._wake.clear()
            try:
                self._look()
            except Exception as error:  # noqa: BLE001 - the supervisor: a status less is better than none any more
                self._trouble.report(f"the status could not be told: {error!r}", error)

    def _look(self) -> None:
        if not self._connection.is_connected:
            return
        is_forced = self._is_forced.is_set()
        self._is_forced.clear()
        status = self._source()
        now_s = self._clock.monotonic()
        is_due = self._told is None or now_s - self._told_s >= self._heartbeat_s
        if self._is_stopping.is_set() or not (is_forced or is_due or is_news(status, self._told)):
            return
        if self._connection.say(status):
            self._told, self._told_s = status, now_s
        elif is_forced:
            self._is_forced.set()
