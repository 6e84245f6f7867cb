"""Small pictures for Home Assistant, one camera after the other, in a thread of their own."""

import logging
import threading
from collections.abc import Callable, Collection

from nvr.core.clock import Clock
from nvr.core.errors import NvrError
from nvr.core.throttle import ThrottledLog

logger = logging.getLogger(__name__)

LOOK_S = 0.25


class SnapshotWorker:
    """Takes a picture of each camera once per interval. One that takes long delays the others, and nothing else."""

    def __init__(
        self,
        take: Callable[[int], bytes | None],
        deliver: Callable[[int, bytes], None],
        *,
        interval_s: float,
        clock: Clock,
    ) -> None:
        """Prepare a thread that is not running yet.

        Args:
            take: Returns the picture of a camera, None where there is none; called in the thread.
            deliver: Takes it; called in the thread.
            interval_s: From one picture of a camera to the next.
            clock: For intervals and reports.
        """
        self._take = take
        self._deliver = deliver
        self._interval_s = interval_s
        self._clock = clock
        self._due: dict[int, float] = {}
        self._source_ids: Collection[int] = ()
        self._taken = 0
        self._trouble = ThrottledLog(logger, interval_s=60.0, clock=clock)
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="home-assistant-pictures", daemon=True)

    @property
    def taken(self) -> int:
        """Pictures so far."""
        return self._taken

    @property
    def failures(self) -> int:
        """Pictures that could not be taken."""
        return self._trouble.total

    def set_cameras(self, source_ids: Collection[int]) -> None:
        """Take pictures of these cameras from now on; any thread."""
        self._source_ids = tuple(source_ids)

    def start(self) -> None:
        """Begin, in the background."""
        self._thread.start()

    def request_stop(self) -> None:
        """Let the thread end after the picture that it is at; returns at once."""
        self._is_stopping.set()

    def stop(self, timeout_s: float) -> bool:
        """End the thread; False where a picture takes longer than that."""
        self.request_stop()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def take_due(self) -> None:
        """Take the pictures that are due; called by the thread."""
        source_ids = self._source_ids
        self._due = {key: self._due.get(key, 0.0) for key in source_ids}
        for source_id in source_ids:
            if self._is_stopping.is_set():
                return
            if self._clock.monotonic() < self._due[source_id]:
                continue
            # from now on, not from when it was due: a machine that cannot keep up takes fewer, it does not catch up
            self._due[source_id] = self._clock.monotonic() + self._interval_s
            self._take_one(source_id)

    def _take_one(self, source_id: int) -> None:
        try:
            picture = self._take(source_id)
        except NvrError as error:
            self._trouble.report(f"no picture for Home Assistant: {error}")
            return
        except Exception as error:  # noqa: BLE001 - the supervisor loop: the next picture may be good
            self._trouble.report(f"camera {source_id}: a picture for Home Assistant failed: {error!r}", error)
            return
        if picture is not None:
            self._taken += 1
            self._deliver(source_id, picture)

    def _run(self) -> None:
        while not self._is_stopping.wait(LOOK_S):
            self.take_due()
