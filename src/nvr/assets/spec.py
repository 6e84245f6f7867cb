"""How to feed a network and how to read what it answers."""

from dataclasses import dataclass
from typing import Literal

Head = Literal["yolox", "picodet", "detr", "ultralytics", "embedding"]
"""Layout of the outputs; `detr` is DEIMv2, D-FINE and RT-DETR with their post-processor in the graph."""

Resize = Literal["letterbox_top_left", "letterbox_centre", "stretch"]
ColourOrder = Literal["bgr", "rgb"]


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
    mean: tuple[float, float, float]
    """Per channel in `colour` order, after `scale`."""
    std: tuple[float, float, float]
    nms_iou: float | None
    """Overlap above which the weaker of two boxes of one class goes; None where the network leaves no duplicates."""
    class_names: tuple[str, ...]
    """By class id; empty for embeddings."""
    fill: int = 114
    """Grey of the unused part of a letterbox, 0..255."""
