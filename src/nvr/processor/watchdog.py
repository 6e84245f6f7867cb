"""Notice what hangs without an error: a camera that is connected but shows nothing, a detector that does not answer."""

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Protocol

from nvr.media.stream import StreamState

logger = logging.getLogger(__name__)


class WatchedStream(Protocol):
    """What is asked of a camera."""

    @property
    def source_id(self) -> int:
        """Its number."""
        ...

    @property
    def state(self) -> StreamState:
        """What it is doing."""
        ...

    def packet_age_s(self) -> float:
        """Return seconds without a packet."""
        ...

    def reconnect(self) -> None:
        """Begin anew."""
        ...


class WatchedDetector(Protocol):
    """What is asked of the multiplexer."""

    def busy_for_s(self) -> float:
        """Return how long the present inference takes already."""
        ...


class Watchdog:
    """Looks several times per timeout, in a thread of its own."""

    def __init__(
        self, streams: Callable[[], Iterable[WatchedStream]], detector: WatchedDetector, timeout_s: float
    ) -> None:
        """Prepare the watch.

        Args:
            streams: Tells which cameras there are, each time anew.
            detector: Watched, too.
            timeout_s: How long a thing may hang.
        """
        self._streams = streams
        self._detector = detector
        self._timeout_s = timeout_s
        self._is_stopping = threading.Event()
        self._detector_hangs = False
        self._reconnects = 0
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    @property
    def reconnects(self) -> int:
        """How many cameras were told to begin anew."""
        return self._reconnects

    @property
    def detector_hangs(self) -> bool:
        """Whether the present inference takes longer than the timeout."""
        return self._detector_hangs

    def start(self) -> None:
        """Begin, in the background."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """End the thread."""
        self._is_stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def check(self) -> None:
        """Look once."""
        for stream in self._streams():
            is_connected = stream.state in (StreamState.RUNNING, StreamState.STALLED)
            if is_connected and stream.packet_age_s() > self._timeout_s:
                self._reconnects += 1
                logger.warning(
                    "camera %s is connected but sends nothing for %.0f s, connecting anew",
                    stream.source_id,
                    stream.packet_age_s(),
                    extra={"source_id": stream.source_id},
                )
                stream.reconnect()
        hangs = self._detector.busy_for_s() > self._timeout_s
        if hangs and not self._detector_hangs:
            logger.error("the detector has not answered for %.0f s", self._detector.busy_for_s())
        self._detector_hangs = hangs

    def _run(self) -> None:
        while not self._is_stopping.wait(self._timeout_s / 4):
            self.check()
