"""How the outputs of each family of networks become boxes. Pure numpy, one module per family.

A decoder gets the outputs of one image, without the batch axis, and answers with boxes in pixels of the network's
input; `nvr.detection.letterbox` takes them back to the source.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from nvr.assets.spec import ModelSpec
from nvr.core.errors import ModelError
from nvr.detection.detections import Detections
from nvr.detection.heads.detr import DetrDecoder
from nvr.detection.heads.picodet import PicoDetDecoder
from nvr.detection.heads.ultralytics import UltralyticsDecoder
from nvr.detection.heads.yolox import YoloxDecoder
from nvr.detection.nms import Selection


class Decoder(Protocol):
    """Turns the outputs of one image into boxes."""

    def decode(self, outputs: Sequence[NDArray[Any]]) -> Detections:
        """Return boxes in pixels of the network's input, not clipped to it.

        Args:
            outputs: The network's outputs in its order, for one image, without the batch axis.

        Raises:
            ModelError: The outputs are not those of this head.
        """
        ...


def make_decoder(spec: ModelSpec, selection: Selection, output_names: Sequence[str] = ()) -> Decoder:
    """Return the decoder of a model's head.

    Args:
        spec: The model.
        selection: What to answer with.
        output_names: The network's, in its order; they tell class logits of four columns from boxes.

    Raises:
        ModelError: The head answers with no boxes.
    """
    size_px = (spec.input_width_px, spec.input_height_px)
    n_classes = len(spec.class_names)
    if spec.head == "yolox":
        return YoloxDecoder(size_px, n_classes, selection)
    if spec.head == "picodet":
        return PicoDetDecoder(size_px, n_classes, selection)
    if spec.head == "detr":
        return DetrDecoder(size_px, n_classes, selection, output_names)
    if spec.head == "ultralytics":
        return UltralyticsDecoder(n_classes, selection)
    raise ModelError(f"head {spec.head}: it answers with no boxes, so it is no detector")
