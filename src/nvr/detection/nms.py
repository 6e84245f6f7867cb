"""Which of many overlapping candidates are objects."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from nvr.detection.detections import Detections


@dataclass(frozen=True, slots=True)
class Selection:
    """What a detector answers with, of all that its network proposes."""

    confidence_threshold: float
    """Weaker candidates go, 0..1."""
    nms_iou: float | None
    """Overlap above which the weaker of two candidates of one class goes; None keeps both."""
    class_ids: frozenset[int] | None = None
    """Classes that are wanted; None for all."""
    max_candidates: int = 1000
    """Of these the strongest are compared: the comparison is quadratic in time and memory."""
    max_detections: int = 300


def select(
    xyxy: NDArray[np.float32], confidence: NDArray[np.float32], class_id: NDArray[np.int32], selection: Selection
) -> Detections:
    """Return the wanted candidates, strongest first, without duplicates.

    Args:
        xyxy: (n, 4) left, top, right, bottom in any unit.
        confidence: (n,) NaN counts as below every threshold.
        class_id: (n,) the candidate's strongest class.
        selection: Thresholds and limits.
    """
    # A network at fault, or one in half precision, may answer with infinite boxes.
    wanted = (confidence >= selection.confidence_threshold) & np.isfinite(xyxy).all(axis=1)
    if selection.class_ids is not None:
        wanted &= np.isin(class_id, list(selection.class_ids))
    index = np.flatnonzero(wanted)
    index = index[np.argsort(-confidence[index], kind="stable")[: selection.max_candidates]]
    if selection.nms_iou is not None and len(index) > 1:
        index = index[_unsuppressed(xyxy[index], confidence[index], class_id[index], selection.nms_iou)]
    index = index[: selection.max_detections]
    strength = np.clip(confidence[index], np.float32(0), np.float32(1))
    return Detections(xyxy[index], strength, class_id[index])


def _unsuppressed(
    xyxy: NDArray[np.float32], confidence: NDArray[np.float32], class_id: NDArray[np.int32], nms_iou: float
) -> NDArray[np.intp]:
    """Return the places of the boxes that no stronger kept box of their class covers; boxes come strongest first.

    OpenCV's loop takes 0.03 ms for 100 boxes, a matrix in numpy 0.3. Each class is moved to a place of its own; the
    batched form of OpenCV does that too, but lets classes touch where boxes begin left of 0.
    """
    left_top = xyxy.min(axis=0)[:2]
    boxes = np.empty((len(xyxy), 4))
    boxes[:, :2] = xyxy[:, :2] - left_top
    boxes[:, 2:] = xyxy[:, 2:] - xyxy[:, :2]
    boxes[:, 0] += class_id * (float((boxes[:, 0] + boxes[:, 2]).max()) + 1)
    kept = cv2.dnn.NMSBoxes(boxes.tolist(), confidence.tolist(), 0.0, nms_iou)
    return np.sort(np.asarray(kept, np.intp))
