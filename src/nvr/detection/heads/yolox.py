"""YOLOX, exported without its decoding step.

Source: YOLOX, yolox/models/yolo_head.py (`decode_outputs`): centre = (xy + cell) * stride, size = exp(wh) * stride,
score = objectness * class, both after a sigmoid in the graph.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvr.core.errors import ModelError
from nvr.detection.detections import Detections
from nvr.detection.heads.grid import cell_grid
from nvr.detection.nms import Selection, select

STRIDES = (8, 16, 32)


class YoloxDecoder:
    """One output (cells, 5 + classes): x, y, log width, log height, objectness, classes."""

    def __init__(self, size_px: tuple[int, int], n_classes: int, selection: Selection) -> None:
        self._cells, self._strides_px = cell_grid(size_px, STRIDES)
        self._shape = (len(self._cells), 5 + n_classes)
        self._selection = selection

    def decode(self, outputs: Sequence[NDArray[Any]]) -> Detections:
        """See `Decoder`."""
        if len(outputs) != 1 or outputs[0].shape != self._shape:
            raise ModelError(f"head yolox: expected one output {self._shape}, got {[o.shape for o in outputs]}")
        rows = outputs[0]
        threshold = self._selection.confidence_threshold
        # A score is at most its objectness, so most cells are out after one comparison.
        index = np.flatnonzero(rows[:, 4] >= threshold)
        rows = rows[index].astype(np.float32, copy=False)
        classes = rows[:, 5:]
        class_id = classes.argmax(axis=1).astype(np.int32)
        confidence = classes[np.arange(len(rows)), class_id] * rows[:, 4]
        strong = np.flatnonzero(confidence >= threshold)
        xyxy = self._boxes(rows[strong], index[strong])
        return select(xyxy, confidence[strong], class_id[strong], self._selection)

    def _boxes(self, rows: NDArray[np.float32], index: NDArray[np.intp]) -> NDArray[np.float32]:
        stride_px = self._strides_px[index, None]
        centre = (rows[:, :2] + self._cells[index]) * stride_px
        half = np.exp(rows[:, 2:4]) * stride_px / 2
        return np.concatenate([centre - half, centre + half], axis=1, dtype=np.float32)
