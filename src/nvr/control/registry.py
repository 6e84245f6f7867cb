"""Who lives: every instance of a tenant as its retained status tells it, for any program that wants to know."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from nvr.control.news import is_news
from nvr.core.clock import Clock, SystemClock
from nvr.core.errors import MessageError
from nvr.core.throttle import ThrottledLog
from nvr.events.instance_status import CameraStatus, InstanceStatus
from nvr.events.protocol import TopicKind, Topics, parse_topic

logger = logging.getLogger(__name__)

MAX_INSTANCES = 1000
MAX_STATUS_BYTES = 2_000_000
"""A thousand cameras have some 300 kB."""

STALE_AFTER = 2.5
"""Heartbeats that may be missed before an instance counts as stale."""

DEFAULT_HEARTBEAT_S = 5.0
CHECK_S = 0.5
"""How often those are looked for that have fallen silent."""


class Subscriber(Protocol):
    """What the registry needs of a connection; `MqttConnection` and `InstanceConnection` are some."""

    def subscribe(
        self, topic_filter: str, handler: Callable[[str, bytes], None], qos: int = 0, *, wants_retained: bool = True
    ) -> None:
        """Call `handler` with topic and payload of each message, over all reconnects."""
        ...


class Presence(StrEnum):
    """Whether an instance is there."""

    ALIVE = "alive"
    STALE = "stale"
    """It said that it runs, and its heartbeats stay away: it hangs, or the broker has not noticed its end."""
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class KnownInstance:
    """One instance, as it was last heard."""

    status: InstanceStatus
    presence: Presence
    heard_s: float
    """Monotonic time of its last sign of life."""

    @property
    def instance_id(self) -> str:
        """Its name."""
        return self.status.instance_id

    @property
    def takes_commands(self) -> bool:
        """Whether an answer may be expected of it."""
        return self.presence is not Presence.OFFLINE and self.status.accepts_commands

    def camera(self, source_id: int) -> CameraStatus | None:
        """Return one of its cameras; None where it has no such camera."""
        return next((camera for camera in self.status.cameras if camera.source_id == source_id), None)


ChangeHandler = Callable[[KnownInstance], None]
"""Takes an instance that has changed, in a thread of the registry or of the connection: be quick, raise nothing."""


class ProcessorRegistry:
    """Keeps the last status of each instance; snapshots may be asked for by any thread."""

    def __init__(
        self,
        connection: Subscriber,
        *,
        tenant: str | None = None,
        on_change: ChangeHandler = lambda _: None,
        max_instances: int = MAX_INSTANCES,
        clock: Clock | None = None,
    ) -> None:
        """Prepare; nothing is subscribed before `start`.

        Args:
            connection: Started and stopped by its owner.
            tenant: Whose instances; None for the default tenant's.
            on_change: Told of each instance that comes, goes, falls silent or says something new. Rates are no news.
            max_instances: How many are remembered; those that are offline give way to others.
            clock: For the age of what was heard.
        """
        self._connection = connection
        self._topics = Topics(tenant)
        self._on_change = on_change
        self._max_instances = max_instances
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._instances: dict[str, KnownInstance] = {}
        self._trouble = ThrottledLog(logger, clock=self._clock)
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="registry", daemon=True)

    @property
    def n_bad(self) -> int:
        """Messages that were no status, or not of whom their topic said, or of too many instances."""
        return self._trouble.total

    def start(self) -> None:
        """Subscribe; may come before the broker is there."""
        self._connection.subscribe(self._topics.filter(TopicKind.STATUS), self.take, TopicKind.STATUS.qos)
        self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> bool:
        """Look for silent ones no more; the subscription ends with the connection."""
        self._is_stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def instances(self) -> tuple[KnownInstance, ...]:
        """Return everyone, by name."""
        with self._lock:
            return tuple(self._instances[name] for name in sorted(self._instances))

    def get(self, instance_id: str) -> KnownInstance | None:
        """Return one instance; None for one that was never heard."""
        with self._lock:
            return self._instances.get(instance_id)

    def alive(self) -> tuple[KnownInstance, ...]:
        """Return those that live, by name."""
        return tuple(instance for instance in self.instances() if instance.presence is Presence.ALIVE)

    def stale(self) -> tuple[KnownInstance, ...]:
        """Return those whose heartbeats stay away, by name."""
        return tuple(instance for instance in self.instances() if instance.presence is Presence.STALE)

    def instances_of(self, source_id: int) -> tuple[KnownInstance, ...]:
        """Return who has a camera, those that live first; more than one only while a camera moves."""
        order = list(Presence)
        found = [instance for instance in self.instances() if instance.camera(source_id) is not None]
        return tuple(sorted(found, key=lambda instance: order.index(instance.presence)))

    def cameras(self) -> dict[int, str]:
        """Return where each camera runs: its source id and the instance."""
        source_ids = {camera.source_id for instance in self.alive() for camera in instance.status.cameras}
        return {source_id: self.instances_of(source_id)[0].instance_id for source_id in sorted(source_ids)}

    def take(self, topic: str, payload: bytes) -> None:
        """Take one message, in the connection's thread."""
        try:
            name = _name_of(topic)
            if not payload:  # taken back: the instance has another name now
                self._forget(name)
                return
            changed = self._note(_read_status(name, payload))
        except MessageError as error:
            self._trouble.report(str(error))
            return
        if changed is not None:
            self._on_change(changed)

    def check(self) -> None:
        """Look for those that have fallen silent; called by the registry's thread."""
        now_s = self._clock.monotonic()
        with self._lock:
            silent = [
                replace(known, presence=Presence.STALE)
                for known in self._instances.values()
                if known.presence is Presence.ALIVE and now_s - known.heard_s > patience_s(known.status)
            ]
            self._instances |= {known.instance_id: known for known in silent}
        for known in silent:
            self._on_change(known)

    def _run(self) -> None:
        while not self._is_stopping.wait(CHECK_S):
            self.check()

    def _note(self, status: InstanceStatus) -> KnownInstance | None:
        """Remember a status; returns the instance where that is news."""
        now_s, now = self._clock.monotonic(), self._clock.now()
        with self._lock:
            before = self._instances.get(status.instance_id)
            if before is None:
                self._make_room()
            if status.state == "offline":
                known = KnownInstance(status, Presence.OFFLINE, now_s)
            elif before is not None and before.status == status and status.timestamp is not None:
                return None  # the broker repeats what it has kept, after a reconnect: no sign of life
            else:
                # what is kept may be of last week; the clocks of two machines differ by less than that
                age_s = 0.0
                if before is None and status.timestamp is not None:
                    age_s = max(0.0, (now - status.timestamp).total_seconds())
                presence = Presence.STALE if age_s > patience_s(status) else Presence.ALIVE
                known = KnownInstance(status, presence, now_s - age_s)
            self._instances[status.instance_id] = known
        is_same = before is not None and before.presence is known.presence and not is_news(status, before.status)
        return None if is_same else known

    def _make_room(self) -> None:
        if len(self._instances) < self._max_instances:
            return
        gone = next((name for name, known in self._instances.items() if known.presence is Presence.OFFLINE), None)
        if gone is None:
            raise MessageError(f"more than {self._max_instances} instances: another one is not taken note of")
        del self._instances[gone]

    def _forget(self, name: str) -> None:
        with self._lock:
            known = self._instances.pop(name, None)
        if known is not None:
            gone = known.status.model_copy(update={"state": "offline", "reason": "its status was taken back"})
            self._on_change(replace(known, status=gone, presence=Presence.OFFLINE))


def patience_s(status: InstanceStatus) -> float:
    """Return how long an instance may be silent before it counts as stale."""
    return STALE_AFTER * (status.heartbeat_s or DEFAULT_HEARTBEAT_S)


def _name_of(topic: str) -> str:
    parsed = parse_topic(topic)
    if parsed is None or parsed.key is None or parsed.kind is not TopicKind.STATUS:
        raise MessageError(f"{topic[:200]!r} is no topic of a status")
    return parsed.key


def _read_status(name: str, payload: bytes) -> InstanceStatus:
    if len(payload) > MAX_STATUS_BYTES:
        raise MessageError(f"status of {name}: {len(payload)} bytes, at most {MAX_STATUS_BYTES} are read")
    status = InstanceStatus.from_json(payload)
    if status.instance_id != name:
        raise MessageError(f"status of {name}: it says that it is of {status.instance_id[:80]!r}")
    return status
