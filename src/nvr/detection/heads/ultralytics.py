"""Exports of Ultralytics YOLO, version 8 and later, read from their documented output layout.

Source: docs.ultralytics.com, "Export" and "End-to-end detection": (4 + classes, n) with centre, size and class scores
in input pixels, or with NMS inside (n, 6) with corners, confidence, class.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvr.core.errors import ModelError
from nvr.detection.detections import Detections
from nvr.detection.nms import Selection, select


class UltralyticsDecoder:
    """One output, (4 + classes, n) or end to end (n, 6); told apart by shape."""

    def __init__(self, n_classes: int, selection: Selection) -> None:
        self._rows = 4 + n_classes
        self._selection = selection

    def decode(self, outputs: Sequence[NDArray[Any]]) -> Detections:
        """See `Decoder`."""
        if len(outputs) == 1 and outputs[0].ndim == 2:
            output = outputs[0].astype(np.float32, copy=False)
            if output.shape[1] == 6:
                class_id = output[:, 5].astype(np.int32)
                return select(output[:, :4], output[:, 4], class_id, self._selection)
            if output.shape[0] == self._rows:
                return self._decode_columns(output)
        raise ModelError(
            f"head ultralytics: expected one output ({self._rows}, n) or (n, 6), got {[o.shape for o in outputs]}"
        )

    def _decode_columns(self, output: NDArray[np.float32]) -> Detections:
        confidence = output[4:].max(axis=0)
        index = np.flatnonzero(confidence >= self._selection.confidence_threshold)
        columns = output[:, index]
        class_id = columns[4:].argmax(axis=0).astype(np.int32)
        centre, half = columns[:2], columns[2:4] / 2
        xyxy = np.concatenate([centre - half, centre + half]).T
        return select(xyxy, confidence[index], class_id, self._selection)
