"""Watches an installation over the broker: who lives, how each does, what each has counted."""

import contextlib
import threading
from collections.abc import Sequence
from typing import Self

from nvr.app.site.camera_costs import costs_between
from nvr.app.site.view import Observation
from nvr.bus.connection import MessageHandler, MqttConnection
from nvr.config.broker import BrokerConfig
from nvr.control.registry import Presence, ProcessorRegistry
from nvr.core.clock import Clock, SystemClock
from nvr.core.errors import BrokerError, MessageError
from nvr.events.instance_metrics import InstanceMetrics
from nvr.events.protocol import TopicKind, Topics

CONNECT_TIMEOUT_S = 10.0
"""For a broker that is slow to answer; one that refuses, or is not there, is told at once."""
_LOOK_S = 0.05
SETTLE_S = 0.3
"""What the broker has kept comes at once; so long after the connect it is here."""
MAX_INSTANCES = 1000

_Counts = tuple[InstanceMetrics | None, InstanceMetrics]


class Observer:
    """A connection of its own; any thread may ask."""

    def __init__(self, broker: BrokerConfig, tenants: Sequence[str | None], clock: Clock | None = None) -> None:
        """Prepare; nothing is sent before `start`.

        Args:
            broker: Where it is.
            tenants: Whose instances; None is the default one.
            clock: For ages and deadlines.

        Raises:
            ConfigurationError: A tenant cannot be called so, or a certificate file is absent.
        """
        self._clock = clock or SystemClock()
        self._connection = MqttConnection(broker, clock=self._clock)
        self._registries = {
            tenant: ProcessorRegistry(self._connection, tenant=tenant, clock=self._clock) for tenant in tenants
        }
        self._lock = threading.Lock()
        self._counts: dict[tuple[str | None, str], _Counts] = {}
        for tenant in tenants:
            self._connection.subscribe(Topics(tenant).filter(TopicKind.METRICS), self._taker(tenant))
        self._is_stopping = threading.Event()

    @property
    def address(self) -> str:
        """Host and port of the broker."""
        return self._connection.address

    @property
    def is_connected(self) -> bool:
        """Whether the broker is heard."""
        return self._connection.is_connected

    def start(self, timeout_s: float = CONNECT_TIMEOUT_S) -> None:
        """Connect, and wait for what the broker has kept.

        Raises:
            BrokerError: It does not answer in time, or refuses.
        """
        for registry in self._registries.values():
            registry.start()
        self._connection.start()
        deadline_s = self._clock.monotonic() + timeout_s
        while not self._connection.wait_connected(_LOOK_S):
            if self._connection.last_error is not None or self._clock.monotonic() >= deadline_s:
                raise BrokerError(self._connection.last_error or f"broker {self.address} does not answer")
        self._is_stopping.wait(SETTLE_S)

    def wait_for_metrics(self, timeout_s: float) -> bool:
        """Wait until each processor that lives has told its counters; False if one has not in time."""
        deadline_s = self._clock.monotonic() + timeout_s
        while any(each.metrics is None and _counts_things(each) for each in self.observations()):
            if self._clock.monotonic() >= deadline_s or self._is_stopping.wait(0.1):
                return False
        return True

    def observations(self) -> list[Observation]:
        """Return what is known now, by tenant and name."""
        found = []
        for tenant, registry in self._registries.items():
            for known in registry.instances():
                with self._lock:
                    before, metrics = self._counts.get((tenant, known.instance_id), (None, None))
                cores = None if before is None or metrics is None else costs_between(before, metrics)
                found.append(Observation(tenant, known, metrics, cores))
        return found

    def stop(self) -> None:
        """Disconnect."""
        self._is_stopping.set()
        for registry in self._registries.values():
            registry.stop()
        self._connection.stop()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _taker(self, tenant: str | None) -> MessageHandler:
        def take(_topic: str, payload: bytes) -> None:
            with contextlib.suppress(MessageError):  # a stranger's nonsense is no concern of who only looks
                self._note(tenant, InstanceMetrics.from_json(payload))

        return take

    def _note(self, tenant: str | None, metrics: InstanceMetrics) -> None:
        key = (tenant, metrics.instance_id)
        with self._lock:
            _, last = self._counts.get(key, (None, None))
            if last is None and len(self._counts) >= MAX_INSTANCES:
                return
            is_same_run = last is not None and metrics.uptime_s > last.uptime_s
            self._counts[key] = (last if is_same_run else None, metrics)


def _counts_things(each: Observation) -> bool:
    return each.known.presence is Presence.ALIVE and each.known.status.kind == "processor"
