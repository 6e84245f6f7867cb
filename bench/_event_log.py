"""When events of which camera arrived, heard by a subscriber of the benchmark's own."""

import bisect
import threading
from collections import defaultdict
from itertools import pairwise

from nvr.bus.connection import MqttConnection
from nvr.config.broker import BrokerConfig
from nvr.core.clock import Clock
from nvr.core.errors import MessageError
from nvr.events.protocol import TopicKind, Topics
from nvr.events.schema import DetectionEvent


class EventLog:
    """Parses every message of the detections topics; started and stopped by its owner."""

    def __init__(self, broker: BrokerConfig, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._arrivals: dict[int, list[float]] = defaultdict(list)
        self.n_boxes = 0
        """Boxes in all events."""
        self.n_invalid = 0
        """Messages that were no event."""
        self._connection = MqttConnection(broker, clock=clock)
        self._connection.subscribe(Topics(None).filter(TopicKind.DETECTIONS), self._take)

    def start(self) -> None:
        self._connection.start()

    def stop(self) -> None:
        self._connection.stop()

    def sources(self) -> list[int]:
        """Return the cameras that were heard of."""
        with self._lock:
            return sorted(self._arrivals)

    def arrivals(self, source_id: int) -> list[float]:
        """Return the monotonic seconds of all arrivals of a camera, rising."""
        with self._lock:
            return list(self._arrivals.get(source_id, ()))

    def _take(self, _topic: str, payload: bytes) -> None:
        try:
            event = DetectionEvent.from_json(payload)
        except MessageError:
            self.n_invalid += 1
            return
        with self._lock:
            self._arrivals[event.source_id].append(self._clock.monotonic())
            self.n_boxes += len(event.detections)


def wait_after(arrivals_s: list[float], moment_s: float) -> float | None:
    """Return the seconds from a moment to the next arrival; None if none came."""
    index = bisect.bisect_right(arrivals_s, moment_s)
    return None if index == len(arrivals_s) else arrivals_s[index] - moment_s


def counts_per_bin(arrivals_s: list[float], start_s: float, end_s: float, bin_s: float) -> list[int]:
    """Return how many arrivals fall into each whole bin between start and end."""
    edges = [start_s + bin_s * index for index in range(int((end_s - start_s) / bin_s) + 1)]
    places = [bisect.bisect_left(arrivals_s, edge) for edge in edges]
    return [later - earlier for earlier, later in pairwise(places)]


def longest_silence(arrivals_s: list[float], start_s: float, end_s: float) -> float:
    """Return the longest time without an arrival between start and end."""
    inside = [arrival for arrival in arrivals_s if start_s < arrival < end_s]
    moments = [start_s, *inside, end_s]
    return max(later - earlier for earlier, later in pairwise(moments))
