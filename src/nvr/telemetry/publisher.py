"""Publishes metrics now and then, from a thread of its own."""

import logging
import threading
from collections.abc import Callable

from nvr.core.clock import Clock, SystemClock
from nvr.core.throttle import ThrottledLog
from nvr.events.instance_metrics import InstanceMetrics

logger = logging.getLogger(__name__)


class MetricsPublisher:
    """Collects and publishes each `interval_s`; what fails is counted and tried again with the next ones."""

    def __init__(
        self,
        publish: Callable[[InstanceMetrics], None],
        collect: Callable[[], InstanceMetrics],
        interval_s: float,
        *,
        clock: Clock | None = None,
    ) -> None:
        """Prepare the thread.

        Args:
            publish: Hands a message to the broker's connection; must not wait for the network.
            collect: Returns the figures of this moment.
            interval_s: From one message to the next; the first one follows after the first interval.
            clock: For reports.
        """
        self._publish = publish
        self._collect = collect
        self._interval_s = interval_s
        self._is_stopping = threading.Event()
        self._published = 0
        self._trouble = ThrottledLog(logger, clock=clock or SystemClock())
        self._thread = threading.Thread(target=self._run, name="metrics-publisher", daemon=True)

    @property
    def published(self) -> int:
        """Messages handed over so far."""
        return self._published

    @property
    def failures(self) -> int:
        """Times that collecting or publishing failed."""
        return self._trouble.total

    def start(self) -> None:
        """Begin, in the background."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """End the thread; False where it still works after `timeout_s`."""
        self._is_stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def publish_now(self) -> None:
        """Publish once, in the caller's thread; raises what collecting and publishing do."""
        self._publish(self._collect())
        self._published += 1

    def _run(self) -> None:
        while not self._is_stopping.wait(self._interval_s):
            try:
                self.publish_now()
            except Exception as error:  # noqa: BLE001 - the supervisor loop: the next figures may be had
                self._trouble.report(f"metrics cannot be published: {error!r}", error)
