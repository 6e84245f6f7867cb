"""Which of many overlapping candidates are objects."""

from dataclasses import dataclass

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
    wanted = confidence >= selection.confidence_threshold
    if selection.class_ids is not None:
        wanted &= np.isin(class_id, list(selection.class_ids))
    index = np.flatnonzero(wanted)
    index = index[np.argsort(-confidence[index], kind="stable")[: selection.max_candidates]]
    if selection.nms_iou is not None and len(index) > 1:
        index = index[_unsuppressed(xyxy[index], class_id[index], selection.nms_iou)]
    index = index[: selection.max_detections]
    strength = np.clip(confidence[index], np.float32(0), np.float32(1))
    return Detections(xyxy[index], strength, class_id[index])


def iou_matrix(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (n, m) intersection over union of (n, 4) and (m, 4) boxes; 0 where both are empty."""
    left_top = np.maximum(a[:, None, :2], b[None, :, :2])
    right_bottom = np.minimum(a[:, None, 2:], b[None, :, 2:])
    size = np.maximum(right_bottom - left_top, np.float32(0))
    intersection = size[..., 0] * size[..., 1]
    union = _areas(a)[:, None] + _areas(b)[None, :] - intersection
    iou: NDArray[np.float32] = np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0)
    return iou


def _areas(xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
    size = np.maximum(xyxy[:, 2:] - xyxy[:, :2], np.float32(0))
    area: NDArray[np.float32] = size[:, 0] * size[:, 1]
    return area


def _unsuppressed(xyxy: NDArray[np.float32], class_id: NDArray[np.int32], nms_iou: float) -> NDArray[np.intp]:
    """Return the places of the boxes that no stronger kept box of their class covers; boxes come strongest first."""
    suppresses = (iou_matrix(xyxy, xyxy) > nms_iou) & (class_id[:, None] == class_id[None, :])
    keep = np.ones(len(xyxy), np.bool_)
    for i in np.flatnonzero(np.triu(suppresses, 1).any(axis=1)):
        if keep[i]:
            keep[i + 1 :] &= ~suppresses[i, i + 1 :]
    return np.flatnonzero(keep)
