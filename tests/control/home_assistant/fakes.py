"""A broker and cameras in memory that obey the ports of the bridge."""

import threading
from collections.abc import Callable, Collection, Sequence

from nvr.control.home_assistant.ports import BeginsAnewError, Handler
from nvr.core.errors import ConfigurationError
from nvr.events.instance_status import CameraStatus
from nvr.events.protocol import Topics
from tests.control.home_assistant.events import camera


def matches(topic_filter: str, topic: str) -> bool:
    """Tell whether a subscription with `+` receives a topic (MQTT 3.1.1, 4.7.1.3)."""
    levels, wanted = topic.split("/"), topic_filter.split("/")
    return len(levels) == len(wanted) and all(w in ("+", level) for w, level in zip(wanted, levels, strict=True))


class MemoryConnection:
    """Keeps what is retained and hands everything on at once, to our own subscriptions, too, as a broker does."""

    def __init__(self, instance_id: str = "gate-house", tenant: str | None = None) -> None:
        self.instance_id = instance_id
        self.topics = Topics(tenant)
        self.is_connected = False
        self.retained: dict[str, bytes] = {}
        self.sent: list[tuple[str, bytes]] = []
        self._subscriptions: list[tuple[str, Handler]] = []
        self._on_connect: list[Callable[[], None]] = []
        self._lock = threading.RLock()

    def publish(self, topic: str, payload: bytes, qos: int = 0, retain: bool = False) -> bool:
        with self._lock:
            if not self.is_connected:
                return qos > 0
            self.sent.append((topic, payload))
            if retain:
                self.retained[topic] = payload
                if not payload:
                    del self.retained[topic]
            for topic_filter, handler in self._subscriptions:
                if matches(topic_filter, topic):
                    handler(topic, payload)
            return True

    def subscribe(self, topic_filter: str, handler: Handler, qos: int = 0, *, wants_retained: bool = True) -> None:
        assert qos in (0, 1)
        with self._lock:
            self._subscriptions.append((topic_filter, handler))
            for topic, payload in list(self.retained.items()) if wants_retained else ():
                if matches(topic_filter, topic):
                    handler(topic, payload)

    def on_connect(self, handler: Callable[[], None]) -> None:
        self._on_connect.append(handler)
        if self.is_connected:
            handler()

    def connect(self, *, forgets: bool = False) -> None:
        with self._lock:
            self.is_connected = True
            if forgets:
                self.retained.clear()
        for handler in self._on_connect:
            handler()

    def count(self, topic: str) -> int:
        with self._lock:
            return sum(each == topic for each, _ in self.sent)


class MemoryCameras:
    """Two cameras that can be switched."""

    def __init__(self, *source_ids: int) -> None:
        self.by_id: dict[int, CameraStatus] = {key: camera(source_id=key, record_mode="events") for key in source_ids}
        self.is_known = True
        self.is_ending = False
        """Whether they go while something is switched."""
        self.pictures: dict[int, bytes] = {}
        self.calls: list[tuple[str, object]] = []

    def statuses(self) -> Sequence[CameraStatus] | None:
        return tuple(self.by_id.values()) if self.is_known else None

    def change(self, source_id: int, **fields: object) -> None:
        self.by_id[source_id] = CameraStatus.model_validate(self.by_id[source_id].model_dump() | fields)

    def _be_there(self) -> None:
        if not self.is_known or self.is_ending:
            self.is_known = False
            raise BeginsAnewError("the processor begins anew")

    def pause(self, source_ids: Collection[int], /) -> object:
        self._be_there()
        self.calls.append(("pause", tuple(source_ids)))
        for source_id in source_ids:
            self.change(source_id, is_detecting=False)
        return tuple(source_ids)

    def resume(self, source_ids: Collection[int], /) -> object:
        self._be_there()
        self.calls.append(("resume", tuple(source_ids)))
        for source_id in source_ids:
            self.change(source_id, is_detecting=True)
        return tuple(source_ids)

    def set_record_mode(self, source_id: int, mode: str, /) -> None:
        self._be_there()
        self.calls.append((mode, source_id))
        if source_id == 13:
            raise ConfigurationError("camera 13 is not recorded")
        self.change(source_id, record_mode=mode)

    def picture(self, source_id: int, width_px: int, /) -> bytes | None:
        assert width_px == 640
        return self.pictures.get(source_id) if self.by_id[source_id].is_detecting else None
