"""What commands need of those they steer: the processor, its recorder, and the program around them."""

from collections.abc import Collection, Iterator
from typing import Literal, Protocol

from pydantic import JsonValue

from nvr.config.camera import CameraConfig
from nvr.events.instance_metrics import InstanceMetrics
from nvr.events.instance_status import InstanceStatus
from nvr.events.recording_event import SegmentEvent


class PendingSwap(Protocol):
    """A model that is to be replaced; see `nvr.processor.model_swap.ModelSwap`."""

    @property
    def error(self) -> BaseException | None:
        """Why it failed; None while pending, and when done."""
        ...

    def wait(self, timeout_s: float) -> Literal["pending", "done", "failed"]:
        """Return the state as soon as it is not pending any more, at the latest after `timeout_s`."""
        ...

    def cancel(self) -> None:
        """Give it up: the old one stays."""
        ...


class ControlledCamera(Protocol):
    """One camera."""

    @property
    def source_id(self) -> int:
        """Its number."""
        ...

    @property
    def config(self) -> CameraConfig:
        """Its settings, as they are now."""
        ...


class ControlledCameras(Protocol):
    """The cameras of a processor."""

    def __iter__(self) -> Iterator[ControlledCamera]: ...

    def add(self, camera: CameraConfig, *, avoid: Collection[int] = ()) -> int:
        """Begin with another camera and return its source id, none of `avoid`; on failure nothing has changed."""
        ...

    def remove(self, source_id: int) -> None:
        """End a camera."""
        ...


class ControlledProcessor(Protocol):
    """What commands do to a processor."""

    @property
    def cameras(self) -> ControlledCameras:
        """Its cameras."""
        ...

    def pause(self, source_ids: Collection[int] | None = None, *, hang_up: bool = False) -> tuple[int, ...]:
        """Look at cameras no more; returns those concerned."""
        ...

    def resume(self, source_ids: Collection[int] | None = None) -> tuple[int, ...]:
        """Look at cameras again; returns those concerned."""
        ...

    def set_max_fps(self, max_fps: float | None, source_ids: Collection[int] | None = None) -> tuple[int, ...]:
        """Look at so many frames a second; returns the cameras concerned."""
        ...

    def set_confidence(self, confidence: float, source_ids: Collection[int] | None = None) -> tuple[int, ...]:
        """Publish what is at least so sure; returns the cameras concerned."""
        ...

    def update_camera(self, source_id: int, camera: CameraConfig) -> CameraConfig:
        """Change a camera; on failure the old one runs on."""
        ...

    def swap_model(self, model_id: str, *, instead_of: str | None = None) -> PendingSwap:
        """Look with another model."""
        ...


class ControlledRecorder(Protocol):
    """What commands do to the recorder of a processor."""

    def record_start(self, source_id: int, max_s: float | None = None) -> None:
        """Record on demand."""
        ...

    def record_stop(self, source_id: int) -> None:
        """End recording on demand."""
        ...

    def snapshot(self, source_id: int) -> SegmentEvent:
        """Keep the newest picture."""
        ...


class ControlledProgram(Protocol):
    """What commands do to the program around a processor."""

    def status(self) -> InstanceStatus:
        """Return how the instance is now."""
        ...

    def metrics(self) -> InstanceMetrics:
        """Return its counters; UnsupportedError where nothing is counted."""
        ...

    def request_stop(self, reason: str) -> None:
        """Let the program end in order, and say why; returns at once."""
        ...

    def restart(self) -> None:
        """End the processor and begin anew; returns when it runs again."""
        ...

    def reload(self) -> JsonValue:
        """Apply what is different in the configuration file, and say what that was; on failure nothing changes."""
        ...

    def rename(self, instance_id: str) -> None:
        """Go on under another name; on failure the old one stays."""
        ...
