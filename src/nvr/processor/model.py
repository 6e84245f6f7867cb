"""The detector that a processor's settings ask for."""

import logging
import os
from collections.abc import Callable

from nvr.assets.model_ref import resolve_model
from nvr.assets.store import AssetStore
from nvr.config.processor import StreamProcessorConfig
from nvr.core.errors import CancelledError, ConfigurationError, DownloadError, NvrError, OfflineError, UnsupportedError
from nvr.detection.detections import Detector
from nvr.detection.load import load_detector
from nvr.detection.motion import MotionDetector
from nvr.detection.pool import DetectorPool

logger = logging.getLogger(__name__)

MOST_THREADS = 4
"""Unless more are asked for: decoding needs cores, too."""


def load_configured_detector(
    config: StreamProcessorConfig, is_cancelled: Callable[[], bool], *, falls_back: bool = True
) -> Detector:
    """Load the model of the settings; where it cannot be had on this machine, the motion detector, with a warning.

    Args:
        config: Names the model.
        is_cancelled: Asked while a download or a slow model is waited for.
        falls_back: False where a model works already, which motion detection must not replace.

    Raises:
        CancelledError: `is_cancelled` said so.
        DownloadError, OfflineError, UnsupportedError: It cannot be had, and `falls_back` is False.
        ModelError: There is no such model, or its file is not what it should be.
        ConfigurationError: It cannot be used with the other settings.
    """
    try:
        return _load(config, is_cancelled)
    except NvrError as error:
        if is_cancelled():
            raise CancelledError("loading the model was given up") from error
        if not falls_back or not isinstance(error, DownloadError | OfflineError | UnsupportedError):
            raise
        logger.warning("falling back to motion detection, without a model: %s", error)
        return _motion(config)


def _motion(config: StreamProcessorConfig) -> MotionDetector:
    # the default is meant for networks; here confidence is how much of its box a moving thing fills
    if "confidence_threshold" in config.model_fields_set:
        return MotionDetector(confidence_threshold=config.confidence_threshold)
    return MotionDetector()


def _load(config: StreamProcessorConfig, is_cancelled: Callable[[], bool]) -> Detector:
    model = resolve_model(config.model_id, AssetStore.from_environment(), is_cancelled=is_cancelled)
    if model.kind == "motion":
        return _motion(config)
    if model.kind == "roboflow":
        from nvr.detection.roboflow import RoboflowDetector

        return RoboflowDetector.from_environment(
            model.model_id, confidence_threshold=config.confidence_threshold, is_cancelled=is_cancelled
        )
    if model.path is None:
        raise UnsupportedError(f"model {model.model_id} has no file")
    first = load_detector(
        model.model_id,
        model.path,
        model.spec,
        confidence_threshold=config.confidence_threshold,
    )
    if unknown := sorted(set(config.classes) - set(first.class_names)):
        first.close()
        known = ", ".join(first.class_names[:100])
        raise ConfigurationError(f"classes: {model.model_id} has no {', '.join(unknown)}; it has {known}")
    n = config.inference_threads or min(len(os.sched_getaffinity(0)), MOST_THREADS)
    return first if first.has_real_batches or n == 1 else DetectorPool([first, *(first.twin() for _ in range(n - 1))])
