"""The DETR family: DEIMv2, D-FINE, RT-DETR, RF-DETR.

Two forms of export: with the post-processor in the graph (labels, boxes, scores; boxes in the pixels that were named
in `orig_target_sizes`), or raw (class logits, and boxes as centre and size relative to the input).
Sources: Intellindust-AI-Lab/DEIMv2, engine/deim/postprocessor.py; lyuwenyu/RT-DETR, the same; facebookresearch/detr,
models/detr.py (`PostProcess`) for the form with a column for "no object".
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvr.core.errors import ModelError
from nvr.detection.detections import Detections
from nvr.detection.nms import Selection, select

_BOXES_NAMES = frozenset({"pred_boxes", "dets", "boxes"})


class DetrDecoder:
    """Three outputs: labels (n,), boxes (n, 4), scores (n,); or two: logits (n, classes) and boxes (n, 4).

    With one column more than there are classes the logits go through a softmax and the last means "no object";
    else each class has a sigmoid of its own.
    """

    def __init__(
        self, size_px: tuple[int, int], n_classes: int, selection: Selection, output_names: Sequence[str] = ()
    ) -> None:
        # Four columns may be boxes or the logits of three or four classes: known names decide, else the order.
        self._has_boxes_first = bool(output_names) and output_names[0] in _BOXES_NAMES
        self._size = np.array([*size_px, *size_px], np.float32)
        self._n_classes = n_classes
        self._selection = selection

    def decode(self, outputs: Sequence[NDArray[Any]]) -> Detections:
        """See `Decoder`."""
        shapes = [output.shape for output in outputs]
        if len(outputs) == 3:
            flat = [output for output in outputs if output.ndim == 1]
            boxes = [output for output in outputs if output.ndim == 2 and output.shape[1] == 4]
            labels = [output for output in flat if output.dtype.kind in "iu"]
            scores = [output for output in flat if output.dtype.kind == "f"]
            if len(boxes) == len(labels) == len(scores) == 1:
                return self._select(boxes[0], scores[0], labels[0])
        if len(outputs) == 2 and all(output.ndim == 2 for output in outputs):
            columns = (self._n_classes, self._n_classes + 1)
            orders = (outputs[::-1], outputs) if self._has_boxes_first else (outputs, outputs[::-1])
            for logits, boxes_rel in orders:
                if logits.shape[1] in columns and boxes_rel.shape[1] == 4:
                    return self._decode_raw(logits, boxes_rel)
        raise ModelError(
            f"head detr: expected labels, boxes (n, 4) and scores, or logits (n, {self._n_classes}) and boxes (n, 4),"
            f" got {shapes}"
        )

    def _decode_raw(self, logits: NDArray[Any], boxes: NDArray[Any]) -> Detections:
        scores = _softmax(logits)[:, :-1] if logits.shape[1] > self._n_classes else _sigmoid(logits)
        class_id = scores.argmax(axis=1)
        confidence = scores[np.arange(len(scores)), class_id]
        index = np.flatnonzero(confidence >= self._selection.confidence_threshold)
        centre, half = boxes[index, :2], boxes[index, 2:] / 2
        xyxy = np.concatenate([centre - half, centre + half], axis=1) * self._size
        return self._select(xyxy, confidence[index], class_id[index])

    def _select(self, xyxy: NDArray[Any], confidence: NDArray[Any], class_id: NDArray[Any]) -> Detections:
        return select(
            xyxy.astype(np.float32, copy=False),
            confidence.astype(np.float32, copy=False),
            class_id.astype(np.int32, copy=False),
            self._selection,
        )


def _sigmoid(logits: NDArray[Any]) -> NDArray[np.float32]:
    # tanh does not overflow where exp would.
    scores: NDArray[np.float32] = 0.5 * (np.tanh(0.5 * logits.astype(np.float32)) + 1)
    return scores


def _softmax(logits: NDArray[Any]) -> NDArray[np.float32]:
    weights = np.exp(logits.astype(np.float32) - logits.max(axis=1, keepdims=True))
    scores: NDArray[np.float32] = weights / weights.sum(axis=1, keepdims=True)
    return scores
