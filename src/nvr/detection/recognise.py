"""What kind of detector an ONNX file is, from the shapes and names of its inputs and outputs.

Enough for the common exports. What cannot be seen (colour order and scale of an unknown network) is not guessed.
"""

import ast
import contextlib
from dataclasses import replace
from pathlib import Path

from nvr.assets.spec import IMAGENET_MEAN, IMAGENET_STD, ModelSpec, default_spec
from nvr.core.errors import ModelError
from nvr.detection.coco import coco_categories, coco_classes
from nvr.detection.heads import picodet, yolox
from nvr.detection.heads.grid import cell_grid
from nvr.detection.runtime import Session
from nvr.detection.signature import Shape, Signature, describe


def recognise_file(path: Path, size_px: tuple[int, int] | None = None) -> ModelSpec:
    """Return how to feed an ONNX file and how to read its answers.

    Args:
        path: The file.
        size_px: Width and height to run at in place of the model's own.

    Raises:
        ModelError: The file is missing, broken, or of no known kind.
        UnsupportedError: ONNX Runtime is not installed.
    """
    return recognise_session(Session(path, None, ["cpu"]), size_px)


def recognise_session(session: Session, size_px: tuple[int, int] | None = None) -> ModelSpec:
    """Do the same for a file that is open already."""
    path = session.path
    try:
        spec = recognise(session.signature)
    except ModelError as error:
        if str(path) in str(error):
            raise
        raise ModelError(f"model {path}: {error}; a sidecar {path.stem}.toml can tell") from error
    if size_px is not None:
        spec = replace(spec, input_width_px=size_px[0], input_height_px=size_px[1])
    return spec


def recognise(signature: Signature) -> ModelSpec:
    """Return how to feed a network with this signature and how to read its answers.

    Raises:
        ModelError: It is of no known kind; the message says what was seen.
    """
    if "names" in signature.metadata:
        return _ultralytics(signature)
    input_names = {tensor.name for tensor in signature.inputs}
    output_names = [tensor.name for tensor in signature.outputs]
    shapes = [tensor.shape for tensor in signature.outputs]
    if "orig_target_sizes" in input_names and sorted(output_names) == ["boxes", "labels", "scores"]:
        return _detr(signature, coco_classes(), has_imagenet_mean=False)
    for logits_name, boxes_name, has_imagenet_mean in (("logits", "pred_boxes", False), ("labels", "dets", True)):
        if sorted(output_names) == sorted([logits_name, boxes_name]):
            n_columns = shapes[output_names.index(logits_name)][-1]
            return _detr(signature, _class_names(n_columns), has_imagenet_mean=has_imagenet_mean)
    width_px, height_px = _size(signature)
    if len(shapes) == 1 and _is_yolox(shapes[0], (width_px, height_px)):
        return default_spec("yolox", width_px, height_px, _class_names((shapes[0][2] or 0) - 5))
    if _is_picodet(shapes, (width_px, height_px)):
        return default_spec("picodet", width_px, height_px, _class_names(shapes[0][2]))
    raise ModelError(
        f"no known kind of detector: inputs {describe(signature.inputs)}; outputs {describe(signature.outputs)}"
    )


def _size(signature: Signature) -> tuple[int, int]:
    width_px, height_px = signature.size_px
    if width_px is None or height_px is None:
        raise ModelError(f"its image size is free ({signature.image})")
    return width_px, height_px


def _detr(signature: Signature, names: tuple[str, ...], *, has_imagenet_mean: bool) -> ModelSpec:
    spec = default_spec("detr", *_size(signature), names)
    return replace(spec, mean=IMAGENET_MEAN, std=IMAGENET_STD) if has_imagenet_mean else spec


def _is_yolox(shape: Shape, size_px: tuple[int, int]) -> bool:
    # The number of cells tells it from YOLOv5, which has three boxes a cell and the same columns.
    n_cells = len(cell_grid(size_px, yolox.STRIDES)[0])
    return len(shape) == 3 and shape[1] in (n_cells, None) and shape[2] is not None and shape[2] > 5


def _is_picodet(shapes: list[Shape], size_px: tuple[int, int]) -> bool:
    levels = len(picodet.STRIDES)
    if len(shapes) != 2 * levels or any(len(shape) != 3 for shape in shapes):
        return False
    n_cells = [len(cell_grid(size_px, (stride,))[0]) for stride in picodet.STRIDES]
    has_cells = all(shape[1] in (n, None) for shape, n in zip(shapes, n_cells * 2, strict=True))
    return (
        has_cells
        and len({shape[2] for shape in shapes[:levels]}) == 1
        and {shape[2] for shape in shapes[levels:]} == {4 * picodet.BINS}
    )


def _class_names(n: int | None) -> tuple[str, ...]:
    """Return the names of COCO where the number fits, else numbers."""
    if n is None:
        raise ModelError("the number of its classes is free")
    classes, categories = coco_classes(), coco_categories()
    if n == len(classes):
        return classes
    # Raw DETR answers with category ids, the first form also with a last column for "no object".
    if n in (len(categories), len(categories) + 1):
        return categories
    return tuple(f"class {i}" for i in range(n))


def _ultralytics(signature: Signature) -> ModelSpec:
    metadata = signature.metadata
    task = metadata.get("task", "detect")
    if task != "detect":
        raise ModelError(f"an Ultralytics export for the task {task}, expected detect")
    names = _literal_names(metadata["names"])
    shapes = [tensor.shape for tensor in signature.outputs]
    first = shapes[0] if shapes else ()
    is_end_to_end = len(first) == 3 and first[2] == 6
    if len(shapes) != 1 or not (is_end_to_end or (len(first) == 3 and first[1] in (4 + len(names), None))):
        raise ModelError(
            f"an Ultralytics export of {len(names)} classes with outputs {describe(signature.outputs)},"
            f" expected one (1, {4 + len(names)}, n) or (1, n, 6)"
        )
    width_px, height_px = signature.size_px
    if width_px is None or height_px is None:
        height_px, width_px = _literal_size(metadata.get("imgsz", ""))
    spec = default_spec("ultralytics", width_px, height_px, names)
    return replace(spec, nms_iou=None) if is_end_to_end else spec


def _literal(text: str) -> object:
    try:
        value: object = ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None
    return value


def _literal_names(text: str) -> tuple[str, ...]:
    value = _literal(text)
    if isinstance(value, dict) and set(value) == set(range(len(value))):
        value = [value[i] for i in range(len(value))]
    if isinstance(value, list) and value and all(isinstance(name, str | int) for name in value):
        with contextlib.suppress(ValueError):  # thousands of digits
            return tuple(str(name) for name in value)
    raise ModelError(f"metadata names: expected a dict or a list of class names, got {text[:80]}")


def _literal_size(text: str) -> tuple[int, int]:
    value = _literal(text)
    if isinstance(value, list) and len(value) == 2 and all(isinstance(v, int) and 0 < v <= 8192 for v in value):
        return value[0], value[1]
    raise ModelError(f"its image size is free and the metadata imgsz is {text[:80] or 'missing'}")
