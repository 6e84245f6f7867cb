"""A processor, a recorder and a program as commands need them, and a connection that only listens."""

import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Literal

from pydantic import JsonValue

from nvr.config.camera import CameraConfig
from nvr.control.status import with_namesake
from nvr.core.errors import ConfigurationError, UnsupportedError
from nvr.events.instance_metrics import InstanceMetrics
from nvr.events.instance_status import CameraStatus, InstanceStatus
from nvr.events.recording_event import SegmentEvent

START = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


@dataclass(frozen=True)
class FakeCamera:
    source_id: int
    config: CameraConfig


class FakeCameras:
    def __init__(self, *source_ids: int) -> None:
        self.configs = {key: CameraConfig(uri=f"rtsp://camera/{key}", source_id=key) for key in source_ids}

    def __iter__(self) -> Iterator[FakeCamera]:
        return iter([FakeCamera(key, config) for key, config in self.configs.items()])

    def add(self, camera: CameraConfig, *, avoid: Collection[int] = ()) -> int:
        free = next(key for key in count(max(self.configs, default=-1) + 1) if key not in avoid)
        source_id = free if camera.source_id is None else camera.source_id
        if source_id in self.configs:
            raise ConfigurationError(f"source_id {source_id} is taken")
        self.configs[source_id] = camera
        return source_id

    def remove(self, source_id: int) -> None:
        if source_id not in self.configs:
            raise ConfigurationError(f"there is no camera {source_id}")
        del self.configs[source_id]


class FakeSwap:
    """Loads until it is told to be over."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.error: BaseException | None = None
        self.is_cancelled = False

    def end(self, error: BaseException | None = None) -> None:
        self.error = error
        self.over.set()

    def wait(self, timeout_s: float) -> Literal["pending", "done", "failed"]:
        if not self.over.wait(timeout_s):
            return "pending"
        return "done" if self.error is None else "failed"

    def cancel(self) -> None:
        self.is_cancelled = True
        self.end(ConfigurationError("it was cancelled"))


class FakeProcessor:
    def __init__(self, *source_ids: int) -> None:
        self.cameras = FakeCameras(*source_ids)
        self.paused: set[int] = set()
        self.hung_up: set[int] = set()
        self.max_fps: dict[int, float | None] = {}
        self.confidence: dict[int, float] = {}
        self.stuck: dict[int, Exception] = {}
        self.stuck_after_one: dict[int, Exception] = {}
        self.swaps: list[tuple[str, str | None]] = []
        self.swap = FakeSwap()

    def _concerned(self, source_ids: Collection[int] | None) -> tuple[int, ...]:
        return tuple(sorted(self.cameras.configs if source_ids is None else source_ids))

    def pause(self, source_ids: Collection[int] | None = None, *, hang_up: bool = False) -> tuple[int, ...]:
        concerned = self._concerned(source_ids)
        self.paused |= set(concerned)
        if hang_up:
            self.hung_up |= set(concerned)
        return concerned

    def resume(self, source_ids: Collection[int] | None = None) -> tuple[int, ...]:
        concerned = self._concerned(source_ids)
        self.paused -= set(concerned)
        return concerned

    def set_max_fps(self, max_fps: float | None, source_ids: Collection[int] | None = None) -> tuple[int, ...]:
        concerned = self._concerned(source_ids)
        self.max_fps |= dict.fromkeys(concerned, max_fps)
        return concerned

    def set_confidence(self, confidence: float, source_ids: Collection[int] | None = None) -> tuple[int, ...]:
        concerned = self._concerned(source_ids)
        self.confidence |= dict.fromkeys(concerned, confidence)
        return concerned

    def update_camera(self, source_id: int, camera: CameraConfig) -> CameraConfig:
        if source_id in self.stuck:
            raise self.stuck[source_id]
        if source_id in self.stuck_after_one:
            self.stuck[source_id] = self.stuck_after_one[source_id]
        self.cameras.configs[source_id] = camera
        return camera

    def swap_model(self, model_id: str, *, instead_of: str | None = None) -> FakeSwap:
        self.swaps.append((model_id, instead_of))
        return self.swap


class FakeRecorder:
    def __init__(self, *source_ids: int) -> None:
        self.source_ids = set(source_ids)
        self.recording: dict[int, float | None] = {}

    def _check(self, source_id: int) -> None:
        if source_id not in self.source_ids:
            raise ConfigurationError(f"camera {source_id} is not recorded")

    def record_start(self, source_id: int, max_s: float | None = None) -> None:
        self._check(source_id)
        self.recording[source_id] = max_s

    def record_stop(self, source_id: int) -> None:
        self._check(source_id)
        self.recording.pop(source_id, None)

    def snapshot(self, source_id: int) -> SegmentEvent:
        self._check(source_id)
        return SegmentEvent(
            source_id=source_id,
            type="snapshot",
            kind="on-demand",
            start=START,
            end=START,
            duration_ms=0,
            size_bytes=1,
            path=f"default/{source_id}/2026/11/20/09/20261120T093000.000000Z_snapshot.jpg",
        )


@dataclass
class FakeProgram:
    instance_id: str = "gate"
    processor: FakeProcessor | None = None
    pid: int = 1
    namesake: Callable[[], str | None] = lambda: None
    stops: int = 0
    restarts: int = 0
    reload_result: JsonValue = None
    reload_error: Exception | None = None
    names: list[str] = field(default_factory=list)
    on_rename: Callable[[str], None] = lambda _: None

    def status(self) -> InstanceStatus:
        processor = self.processor
        source_ids = () if processor is None else tuple(processor.cameras.configs)
        status = InstanceStatus(
            instance_id=self.instance_id,
            state="starting" if processor is None else "running",
            timestamp=datetime.now(UTC),
            started_at=START,
            heartbeat_s=5,
            version="0.1.0",
            host="attic",
            pid=self.pid,
            accepts_commands=True,
            cameras=tuple(
                CameraStatus(
                    source_id=key,
                    name=f"camera {key}",
                    state="running",
                    is_detecting=processor is not None and key not in processor.paused,
                )
                for key in source_ids
            ),
        )
        return with_namesake(status, self.namesake())

    def metrics(self) -> InstanceMetrics:
        raise UnsupportedError("nothing is counted here")

    def request_stop(self, reason: str) -> None:
        assert reason == "stopped by a command"
        self.stops += 1

    def restart(self) -> None:
        self.restarts += 1

    def reload(self) -> JsonValue:
        if self.reload_error is not None:
            raise self.reload_error
        return self.reload_result

    def rename(self, instance_id: str) -> None:
        self.on_rename(instance_id)
        self.names.append(instance_id)
        self.instance_id = instance_id


class Listening:
    """A connection that remembers what was subscribed; messages are handed over by the test."""

    def __init__(self) -> None:
        self.handlers: dict[str, Callable[[str, bytes], None]] = {}

    def subscribe(
        self, topic_filter: str, handler: Callable[[str, bytes], None], qos: int = 0, *, wants_retained: bool = True
    ) -> None:
        del qos, wants_retained
        self.handlers[topic_filter] = handler

    def deliver(self, topic: str, payload: bytes) -> None:
        [handler] = self.handlers.values()
        handler(topic, payload)
