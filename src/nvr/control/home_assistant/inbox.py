"""What waits for the bridge: events, messages of the broker and wishes; bounded, and nobody who puts one waits."""

import logging
import threading
from collections import deque
from dataclasses import dataclass
from typing import TypeVar

from nvr.config.operations import HomeAssistantConfig
from nvr.core.clock import Clock
from nvr.core.throttle import ThrottledLog
from nvr.events.schema import DetectionEvent
from nvr.events.track_event import TrackEvent

logger = logging.getLogger(__name__)

MAX_EVENTS = 512
"""Events that may wait, a second's worth of a hundred cameras; of more, the oldest are dropped and counted."""

MAX_MESSAGES = 4096
"""Messages of the broker that may wait: after a connect it hands over one for each device of the house."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Heard:
    """A message of the broker."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Work:
    """Everything that waited."""

    events: tuple[DetectionEvent | TrackEvent, ...] = ()
    heard: tuple[Heard, ...] = ()
    config: HomeAssistantConfig | None = None
    """New settings."""
    wants_renewal: bool = False
    """Whether all must be told again."""
    wants_look: bool = False
    """Whether cameras may have changed."""


class Inbox:
    """Any thread puts, one takes."""

    def __init__(self, clock: Clock) -> None:
        """Begin empty; the clock is for reports."""
        self._condition = threading.Condition()
        self._events: deque[DetectionEvent | TrackEvent] = deque()
        self._heard: deque[Heard] = deque()
        self._config: HomeAssistantConfig | None = None
        self._wants_renewal = False
        self._wants_look = False
        self._is_closed = False
        self._dropped = ThrottledLog(logger, clock=clock)

    @property
    def dropped(self) -> int:
        """What gave way because more came than was taken."""
        return self._dropped.total

    def put_event(self, event: DetectionEvent | TrackEvent) -> None:
        """Add what was seen."""
        self._put(self._events, event, MAX_EVENTS)

    def put_heard(self, topic: str, payload: bytes) -> None:
        """Add a message of the broker."""
        self._put(self._heard, Heard(topic, payload), MAX_MESSAGES)

    def put_config(self, config: HomeAssistantConfig) -> None:
        """Ask for other settings."""
        with self._condition:
            self._config = config
            self._condition.notify()

    def ask_for_renewal(self) -> None:
        """Ask that all is told again."""
        with self._condition:
            self._wants_renewal = self._wants_look = True
            self._condition.notify()

    def ask_for_look(self) -> None:
        """Ask for a look at the cameras."""
        with self._condition:
            self._wants_look = True
            self._condition.notify()

    def close(self) -> None:
        """Let nothing in any more, and wake who waits."""
        with self._condition:
            self._is_closed = True
            self._condition.notify()

    def take(self, timeout_s: float) -> Work | None:
        """Return all that waits as soon as something does, at the latest after `timeout_s`; None once it is closed."""
        with self._condition:
            self._condition.wait_for(self._has_something, timeout_s)
            if self._is_closed:
                return None
            work = Work(tuple(self._events), tuple(self._heard), self._config, self._wants_renewal, self._wants_look)
            self._events.clear()
            self._heard.clear()
            self._config = None
            self._wants_renewal = self._wants_look = False
            return work

    def _has_something(self) -> bool:
        return bool(
            self._is_closed
            or self._events
            or self._heard
            or self._wants_look
            or self._wants_renewal
            or self._config is not None
        )

    def _put(self, queue: deque[Item], item: Item, places: int) -> None:
        with self._condition:
            if self._is_closed:
                return
            if is_full := len(queue) >= places:
                queue.popleft()
            queue.append(item)
            self._condition.notify()
        if is_full:
            self._dropped.report("more comes for Home Assistant than can be told: something was dropped")
