"""How to feed a network and how to read what it answers."""

from dataclasses import dataclass
from typing import Literal

Head = Literal["yolox", "picodet", "detr", "ultralytics", "embedding"]
"""Layout of the outputs; `detr` is DEIMv2, D-FINE and RT-DETR with their post-processor in the graph."""

Resize = Literal["letterbox_top_left", "letterbox_centre", "stretch"]
ColourOrder = Literal["bgr", "rgb"]

Triple = tuple[float, float, float]
"""One number per colour channel."""

IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)
_NO_MEAN: Triple = (0.0, 0.0, 0.0)
_UNIT_STD: Triple = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Everything about a network that its weights do not say.

    A pixel `p` (0..255, in `colour` order) becomes `(p * scale - mean) / std`, channels first, float32.
    """

    head: Head
    input_width_px: int
    input_height_px: int
    resize: Resize
    colour: ColourOrder
    scale: float
    """1 for networks fed with 0..255, 1/255 for those fed with 0..1."""
    mean: Triple
    """Per channel in `colour` order, after `scale`."""
    std: Triple
    nms_iou: float | None
    """Overlap above which the weaker of two boxes of one class goes; None where the network leaves no duplicates."""
    class_names: tuple[str, ...]
    """By class id; empty for embeddings."""
    fill: int = 114
    """Grey of the unused part of a letterbox, 0..255."""


@dataclass(frozen=True, slots=True)
class _Habit:
    """What is the same for nearly all models of one head, because the projects that train them do so."""

    resize: Resize
    colour: ColourOrder
    scale: float
    mean: Triple
    std: Triple
    nms_iou: float | None


def _habit(head: Head) -> _Habit:
    match head:
        case "yolox":
            return _Habit("letterbox_top_left", "bgr", 1.0, _NO_MEAN, _UNIT_STD, 0.45)
        case "picodet":
            return _Habit("stretch", "rgb", 1 / 255, IMAGENET_MEAN, IMAGENET_STD, 0.6)
        case "detr":
            return _Habit("stretch", "rgb", 1 / 255, _NO_MEAN, _UNIT_STD, 0.7)
        case "ultralytics":
            return _Habit("letterbox_centre", "rgb", 1 / 255, _NO_MEAN, _UNIT_STD, 0.7)
        case "embedding":
            return _Habit("stretch", "rgb", 1 / 255, IMAGENET_MEAN, IMAGENET_STD, None)


def default_spec(head: Head, width_px: int, height_px: int, class_names: tuple[str, ...]) -> ModelSpec:
    """Return a model of that head as it usually is; whoever knows more replaces fields."""
    habit = _habit(head)
    return ModelSpec(
        head=head,
        input_width_px=width_px,
        input_height_px=height_px,
        resize=habit.resize,
        colour=habit.colour,
        scale=habit.scale,
        mean=habit.mean,
        std=habit.std,
        nms_iou=habit.nms_iou,
        class_names=class_names,
    )
