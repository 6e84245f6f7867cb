"""Cameras that commands added to a processor: they outlive it, and no other camera silently takes their place."""

import logging
from collections.abc import Mapping

from nvr.config.camera import CameraConfig
from nvr.config.derive import ProcessorSettings
from nvr.core.errors import ConfigurationError, NvrError
from nvr.core.masking import mask_credentials
from nvr.processor.stream_processor import StreamProcessor

logger = logging.getLogger(__name__)


def added_cameras(processor: StreamProcessor, settings: ProcessorSettings) -> dict[int, CameraConfig]:
    """Return the cameras of a processor that its settings do not have, by source id, as they are now."""
    of_settings = {source_id for source_id, _ in settings.stream.numbered_cameras}
    return {camera.source_id: camera.config for camera in processor.cameras if camera.source_id not in of_settings}


def check_added(added: Mapping[int, CameraConfig], new: ProcessorSettings) -> None:
    """Refuse settings that give the number of an added camera to another one; the same one may be written down.

    Raises:
        ConfigurationError: Says which two, and what can be done.
    """
    for source_id, camera in new.stream.numbered_cameras:
        other = added.get(source_id)
        if other is not None and other.uri != camera.uri:
            raise ConfigurationError(
                f"camera {source_id} is to be {_called(camera)}, "
                f"and a command added {_called(other)} under this number: "
                "give the new one another source_id, or first take out the other one"
                f" (nvr ctl remove-stream --source {source_id})"
            )


def add_again(processor: StreamProcessor, added: Mapping[int, CameraConfig]) -> None:
    """Give a processor that has just begun the cameras that were added to the one before; what fails is told."""
    present = {camera.source_id for camera in processor.cameras}
    for source_id, camera in added.items():
        if source_id in present:
            continue
        try:
            processor.cameras.add(camera.model_copy(update={"source_id": source_id}))
        except (NvrError, RuntimeError) as error:  # RuntimeError: it is being stopped already
            problem = mask_credentials(str(error))
            logger.warning("camera %d, which a command added, is there no more: %s", source_id, problem)


def _called(camera: CameraConfig) -> str:
    return repr(camera.name) if camera.name is not None else mask_credentials(camera.uri)
