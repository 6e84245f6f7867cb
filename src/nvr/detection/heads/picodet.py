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
        self._centres_px = [(grid + np.float32(0.5)) * stride for grid, stride in zip(grids, STRIDES, strict=True)]
        self._shapes = [(len(grid), n_classes) for grid in grids] + [(len(grid), 4 * BINS) for grid in grids]
        self._selection = selection

    def decode(self, outputs: Sequence[NDArray[Any]]) -> Detections:
        """See `Decoder`."""
        shapes = [output.shape for output in outputs]
        if shapes != self._shapes:
            raise ModelError(f"head picodet: expected outputs {self._shapes}, got {shapes}")
        levels = len(STRIDES)
        parts = []
        for level in range(levels):
            index = self._strong_cells(outputs[level])
            centres_px, stride_px = self._centres_px[level][index], np.full(len(index), STRIDES[level], np.float32)
            parts.append((outputs[level][index], outputs[levels + level][index], centres_px, stride_px))
        scores, logits, centres_px, strides_px = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        class_id = scores.argmax(axis=1).astype(np.int32)
        confidence = scores[np.arange(len(scores)), class_id].astype(np.float32, copy=False)
        return select(_boxes(logits, centres_px, strides_px), confidence, class_id, self._selection)

    def _strong_cells(self, scores: NDArray[Any]) -> NDArray[np.intp]:
        # Comparing all and looking for the few is four times as fast as the maximum of each row.
        strong = np.flatnonzero(scores.ravel() >= self._selection.confidence_threshold) // scores.shape[1]
        cells: NDArray[np.intp] = strong[np.diff(strong, prepend=-1) > 0]
        return cells


def _boxes(
    logits: NDArray[Any], centres_px: NDArray[np.float32], strides_px: NDArray[np.float32]
) -> NDArray[np.float32]:
    bins = logits.astype(np.float32, copy=False).reshape(-1, 4, BINS)
    weights = np.exp(bins - bins.max(axis=2, keepdims=True))
    distance = weights @ np.arange(BINS, dtype=np.float32) / weights.sum(axis=2) * strides_px[:, None]
    return np.concatenate([centres_px - distance[:, :2], centres_px + distance[:, 2:]], axis=1, dtype=np.float32)
