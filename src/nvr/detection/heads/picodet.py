"""PicoDet (and other heads of generalised focal loss) exported without post-processing.

Source: PaddleDetection, deploy/third_engine/demo_openvino/python (`PicoDetPostProcess`): each side of a box is the
expectation of a softmax over 8 distances, times the stride, from the centre of the cell.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvr.core.errors import ModelError
from nvr.detection.detections import Detections
from nvr.detection.heads.grid import cell_grid
from nvr.detection.nms import Selection, select

STRIDES = (8, 16, 32, 64)
BINS = 8


class PicoDetDecoder:
    """Per stride one output (cells, classes) of scores, then per stride one (cells, 4 x 8) of distance logits."""

    def __init__(self, size_px: tuple[int, int], n_classes: int, selection: Selection) -> None:
        grids = [cell_grid(size_px, (stride,))[0] for stride in STRIDES]
        self._centres_px = [(grid + 0.5) * stride for grid, stride in zip(grids, STRIDES, strict=True)]
        self._shapes = [(len(grid), n_classes) for grid in grids] + [(len(grid), 4 * BINS) for grid in grids]
        self._selection = selection

    def decode(self, outputs: Sequence[NDArray[Any]]) -> Detections:
        """See `Decoder`."""
        shapes = [output.shape for output in outputs]
        if shapes != self._shapes:
            raise ModelError(f"head picodet: expected outputs {self._shapes}, got {shapes}")
        levels = len(STRIDES)
        boxes, confidences, class_ids = [], [], []
        for level in range(levels):
            scores = outputs[level]
            # Comparing all and looking for the few is four times as fast as the maximum of each row.
            strong = np.flatnonzero(scores.ravel() >= self._selection.confidence_threshold)
            index = np.unique(strong // scores.shape[1])
            if len(index) == 0:
                continue
            scores = scores[index].astype(np.float32, copy=False)
            class_id = scores.argmax(axis=1)
            boxes.append(self._boxes(outputs[levels + level][index], index, level))
            confidences.append(scores[np.arange(len(index)), class_id])
            class_ids.append(class_id.astype(np.int32))
        if not boxes:
            return Detections.empty()
        return select(np.concatenate(boxes), np.concatenate(confidences), np.concatenate(class_ids), self._selection)

    def _boxes(self, logits: NDArray[Any], index: NDArray[np.intp], level: int) -> NDArray[np.float32]:
        bins = logits.astype(np.float32, copy=False).reshape(-1, 4, BINS)
        weights = np.exp(bins - bins.max(axis=2, keepdims=True))
        distance = weights @ np.arange(BINS, dtype=np.float32) / weights.sum(axis=2) * np.float32(STRIDES[level])
        centre = self._centres_px[level][index]
        return np.concatenate([centre - distance[:, :2], centre + distance[:, 2:]], axis=1, dtype=np.float32)
