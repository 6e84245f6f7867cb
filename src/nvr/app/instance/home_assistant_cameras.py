"""The cameras of a running processor, as the bridge to Home Assistant sees and switches them."""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from nvr.control.home_assistant.ports import BeginsAnewError
from nvr.core.errors import UnsupportedError
from nvr.events.instance_status import CameraStatus, InstanceStatus
from nvr.media.thumbnail import newest_thumbnail
from nvr.processor.stream_processor import StreamProcessor
from nvr.recording.service import RecordingService


class RunningProcessor(Protocol):
    """A processor that was started, and what records its cameras."""

    @property
    def processor(self) -> StreamProcessor:
        """The processor."""
        ...

    @property
    def recorder(self) -> RecordingService | None:
        """Records its cameras; None where none is."""
        ...


class HomeAssistantCameras:
    """Obeys `nvr.control.home_assistant.ports.SwitchedCameras`; any thread may call any method."""

    def __init__(self, running: Callable[[], RunningProcessor | None], status: Callable[[], InstanceStatus]) -> None:
        """Bind it to a program.

        Args:
            running: Returns what runs now; None while it starts, or starts again.
            status: Returns how the instance is now.
        """
        self._running = running
        self._status = status

    def statuses(self) -> Sequence[CameraStatus] | None:
        """Return each camera as it is now; None while no processor runs."""
        running = self._running()
        if running is None:
            return None
        modes = {} if running.recorder is None else running.recorder.modes()
        looked_at = {camera.source_id: camera.is_detecting for camera in running.processor.cameras}
        # a switch shows what is done at this moment, whatever the settings say
        statuses = tuple(
            camera.model_copy(
                update={
                    "record_mode": modes.get(camera.source_id),
                    "is_detecting": looked_at.get(camera.source_id, False),
                }
            )
            for camera in self._status().cameras
        )
        # the status of a program without a processor names no cameras: they are not gone
        return statuses if self._is_still(running) else None

    def pause(self, source_ids: Collection[int], /) -> object:
        """Look at cameras no more; their connections and recordings go on."""
        return self._switch(lambda running: running.processor.pause(source_ids))

    def resume(self, source_ids: Collection[int], /) -> object:
        """Look at cameras again."""
        return self._switch(lambda running: running.processor.resume(source_ids))

    def set_record_mode(self, source_id: int, mode: str, /) -> None:
        """Record a camera for other reasons."""

        def set_mode(running: RunningProcessor) -> None:
            if running.recorder is None:
                raise UnsupportedError(f"camera {source_id}: nothing records it")
            running.recorder.set_mode(source_id, mode)

        self._switch(set_mode)

    def picture(self, source_id: int, width_px: int, /) -> bytes | None:
        """Return the newest key frame of what is looked at; None where there is none, and while it is paused."""
        running = self._running()
        if running is None:
            return None
        camera = next((camera for camera in running.processor.cameras if camera.source_id == source_id), None)
        if camera is None or not camera.is_detecting:
            return None
        return newest_thumbnail(source_id, camera.detect.ring, width_px)

    def _switch(self, act: Callable[[RunningProcessor], object]) -> object:
        """Do something to what runs; raises BeginsAnewError where the next processor may not know of it."""
        running = self._running()
        if running is None:
            raise BeginsAnewError("the processor does not run yet, or begins anew")
        try:
            return act(running)
        finally:
            if not self._is_still(running):
                raise BeginsAnewError("the processor begins anew")

    def _is_still(self, running: RunningProcessor) -> bool:
        now = self._running()
        return now is not None and now.processor is running.processor
