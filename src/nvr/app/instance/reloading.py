"""Bring a running processor to other settings, camera by camera, without a pause for those that stay."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from nvr.app.instance.recording_processor import wants_recording
from nvr.config.camera import CameraConfig
from nvr.config.derive import ProcessorSettings
from nvr.config.diff import SettingsChange
from nvr.core.errors import NvrError
from nvr.core.masking import mask_credentials
from nvr.processor.stream_processor import StreamProcessor
from nvr.recording.service import RecordingService


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a change."""

    settings: ProcessorSettings
    """What the processor goes by now: the new ones, but for cameras that failed."""
    needs_rebuild: tuple[str, ...] = ()
    """Settings that need another processor."""
    failures: tuple[str, ...] = ()
    """What could not be done, in words."""


def apply_live(
    change: SettingsChange,
    old: ProcessorSettings,
    new: ProcessorSettings,
    processor: StreamProcessor,
    recorder: RecordingService | None,
) -> Applied:
    """Apply what can be applied to a processor that runs.

    A camera that a command has removed meanwhile, or added as it is in them, is brought to what the new settings say.

    Raises:
        NvrError: A setting of all cameras cannot be applied, such as a model that cannot be had; nothing has changed.
    """
    if change.rebuild:
        return Applied(new, needs_rebuild=change.needs_rebuild)
    if recorder is None and wants_recording(new.stream, new.recording):
        return Applied(new, needs_rebuild=("storage",))
    # the transport is a setting of each camera in `change`
    left = tuple(name for name in processor.apply(new.stream) if name != "rtsp_transport")
    if recorder is not None:
        left += recorder.apply(new.recording)
    if left:
        return Applied(new, needs_rebuild=left)
    cameras = dict(old.stream.numbered_cameras)
    failures: list[str] = []

    def attempt(source_id: int, act: Callable[[], object], then: CameraConfig | None) -> None:
        try:
            act()
        except NvrError as error:
            failures.append(f"camera {source_id}: {mask_credentials(str(error))}")
            return
        cameras.pop(source_id, None)
        if then is not None:
            cameras[source_id] = then

    for source_id in change.removed:
        attempt(source_id, partial(_take_out, processor, source_id), None)
    for updated in change.updated:
        attempt(updated.source_id, partial(_bring, processor, updated.source_id, updated.new), updated.new)
    for camera in change.added:
        number = camera.source_id or 0
        attempt(number, partial(_bring, processor, number, camera), camera)
    stream = new.stream.model_copy(update={"stream_uris": (), "cameras": _numbered(cameras)})
    return Applied(replace(new, stream=stream), failures=tuple(failures))


def _take_out(processor: StreamProcessor, source_id: int) -> None:
    if source_id in _present(processor):
        processor.cameras.remove(source_id)


def _bring(processor: StreamProcessor, source_id: int, camera: CameraConfig) -> None:
    if source_id in _present(processor):
        processor.update_camera(source_id, camera, must_connect=False)
    else:
        processor.cameras.add(camera.model_copy(update={"source_id": source_id}))


def _present(processor: StreamProcessor) -> set[int]:
    return {camera.source_id for camera in processor.cameras}


def _numbered(cameras: dict[int, CameraConfig]) -> tuple[CameraConfig, ...]:
    return tuple(camera.model_copy(update={"source_id": number}) for number, camera in sorted(cameras.items()))
