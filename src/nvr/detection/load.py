"""From a model's file to a detector."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from nvr.assets.spec import ModelSpec
from nvr.core.errors import ConfigurationError, ModelError
from nvr.detection.network import Batching, fit_network
from nvr.detection.network_detector import NetworkDetector, can_leave_out_rows
from nvr.detection.nms import Selection
from nvr.detection.recognise import recognise_session
from nvr.detection.runtime import Session


def load_detector(
    model_id: str,
    path: Path,
    spec: ModelSpec | None,
    *,
    confidence_threshold: float = 0.3,
    providers: Sequence[str] | None = None,
    classes: Collection[str] | None = None,
    size_px: tuple[int, int] | None = None,
    batching: Batching = "auto",
) -> NetworkDetector:
    """Load a detector and run it once.

    Args:
        model_id: The name that events carry.
        path: An ONNX file.
        spec: How to feed it and to read it; None to recognise it from the file.
        confidence_threshold: Weaker detections are left out, 0..1.
        providers: Of ONNX Runtime, in the order of preference, e.g. `["cuda", "cpu"]`; None for the best available.
        classes: Names of the classes that are wanted; None for all.
        size_px: Width and height to run at in place of the model's own; not every network can.
        batching: `auto` runs real batches where they are faster, `always` on a CPU too.

    Raises:
        ConfigurationError: The threshold is out of range, or a class or provider is unknown.
        ModelError: The file is missing, broken, not recognised, or not what `spec` says.
        UnsupportedError: ONNX Runtime, or a requested provider, is not installed.
    """
    if not 0 <= confidence_threshold <= 1:
        raise ConfigurationError(f"confidence_threshold: expected 0..1, got {confidence_threshold}")
    session = Session(path, None, providers)
    if spec is None:
        spec = recognise_session(session, size_px)
    elif size_px is not None:
        spec = replace(spec, input_width_px=size_px[0], input_height_px=size_px[1])
    class_ids = None if classes is None else _class_ids(model_id, classes, spec.class_names)
    network = fit_network(
        session,
        (spec.input_width_px, spec.input_height_px),
        batching=batching,
        wants_free_height=can_leave_out_rows(spec),
    )
    try:
        return NetworkDetector(model_id, network, spec, Selection(confidence_threshold, spec.nms_iou, class_ids))
    except ModelError as error:
        if str(path) in str(error):
            raise
        raise ModelError(f"model {path}: {error}") from error


def _class_ids(model_id: str, classes: Collection[str], class_names: tuple[str, ...]) -> frozenset[int]:
    unknown = sorted(set(classes) - set(class_names))
    if unknown:
        raise ConfigurationError(
            f"classes: {model_id} has no {', '.join(unknown)}; it has {', '.join(class_names[:100])}"
        )
    return frozenset(i for i, name in enumerate(class_names) if name in set(classes))
