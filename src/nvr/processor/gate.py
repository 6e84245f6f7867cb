"""Who may be spoken of: the last thing that a word about a camera passes before it is handed to the sinks.

A pause must hold at once, also for what is in work at that moment: a frame that waits, one that the model looks at, one
that a decoder replays. All of them come by here, and closing the gate waits for whoever is passing.
"""

import threading
from collections.abc import Callable, Collection

from nvr.core.clock import Clock
from nvr.events.schema import DetectionEvent
from nvr.events.track_event import TrackEvent
from nvr.media.decode_worker import FrameSink
from nvr.media.frame import Frame
from nvr.processor.tally import FrameHandler, FrameTimes, Tallies

TrackHandler = Callable[[TrackEvent], None]

NEVER_S = float("-inf")


class PublicationGate:
    """Open for every camera at first. Any thread may call any method; none waits longer than a sink's `put`."""

    def __init__(
        self, put_event: FrameHandler, put_track: TrackHandler, *, clock: Clock, tallies: Tallies | None = None
    ) -> None:
        """Stand before two handlers, which must be quick and raise nothing; count in `tallies` what is kept back."""
        self._tallies = tallies or Tallies(clock)
        self._put_event = put_event
        self._put_track = put_track
        self._clock = clock
        self._lock = threading.Lock()
        self._closed: frozenset[int] = frozenset()
        self._opened_s: dict[int, float] = {}
        self._unheard: set[tuple[int, int]] = set()

    def close(self, source_ids: Collection[int]) -> None:
        """Let nothing pass about some cameras, from the moment on that this returns; only that tracks end is told."""
        with self._lock:
            self._closed |= frozenset(source_ids)

    def open(self, source_ids: Collection[int]) -> None:
        """Let pass what is said of frames that come from now on; those of the pause never do."""
        now_s = self._clock.monotonic()
        with self._lock:
            for source_id in self._closed.intersection(source_ids):
                self._opened_s[source_id] = now_s
            self._closed -= frozenset(source_ids)

    def forget(self, source_id: int) -> None:
        """Begin anew with a camera: it was removed."""
        with self._lock:
            self._closed -= {source_id}
            self._opened_s.pop(source_id, None)
            self._unheard = {key for key in self._unheard if key[0] != source_id}

    def is_closed(self, source_id: int) -> bool:
        """Tell whether nothing is said about a camera."""
        return source_id in self._closed

    def admits(self, frame: Frame) -> bool:
        """Tell whether a frame may be spoken of: its camera does not pause, and did not when the frame came."""
        source_id = frame.source_id
        return source_id not in self._closed and frame.received_s >= self._opened_s.get(source_id, NEVER_S)

    def keep_back(self, frame: Frame) -> None:
        """Count a frame that nobody is to look at; called by the thread that decodes it."""
        self._tallies.of(frame.source_id).kept_back()

    def put_event(self, event: DetectionEvent, frame: Frame, times: FrameTimes) -> None:
        """Hand on what was seen in a frame, if that is allowed."""
        with self._lock:
            if self.admits(frame):
                self._put_event(event, frame, times)

    def put_track(self, event: TrackEvent) -> None:
        """Hand on what is said about a track; of one whose start was kept back nothing is."""
        key = (event.source_id, event.track_id)
        with self._lock:
            if key in self._unheard:
                if event.kind == "end":
                    self._unheard.discard(key)
            elif event.source_id not in self._closed or event.kind == "end":
                self._put_track(event)
            elif event.kind == "start":
                self._unheard.add(key)


class GatedSink:
    """A `FrameSink` that takes no frame that may not be spoken of, so that nobody looks at it either."""

    def __init__(self, gate: PublicationGate, sink: FrameSink) -> None:
        self._gate = gate
        self._sink = sink

    def put(self, frame: Frame) -> None:
        """See `FrameSink.put`."""
        if self._gate.admits(frame):
            self._sink.put(frame)
        else:
            self._gate.keep_back(frame)

    def wait_until_taken(self, source_id: int, timeout_s: float) -> bool:
        """See `FrameSink.wait_until_taken`."""
        return self._sink.wait_until_taken(source_id, timeout_s)
