"""Which detection belongs to which track: overlap of boxes, in view of classes and of how sure each side is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nvr.tracking.assignment import Matrix, assign
from nvr.tracking.motion_model import Motion
from nvr.tracking.tracker_options import TrackerOptions

Boxes = NDArray[np.float64]
"""(n, 4) left, top, right, bottom."""
Flags = NDArray[np.bool_]
Places = NDArray[np.intp]

_MAX_GROWTH = 0.5
"""Of its own size, by which a box grows to each side at most."""
_OTHER_CLASS = 0.5
"""What an overlap counts between two classes."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """The live tracks of a frame."""

    motion: Motion
    """Where they are expected."""
    class_id: NDArray[np.int64]
    is_lost: Flags
    """Not seen when looked for last."""


def associate(
    tracks: Candidates,
    xyxy_px: NDArray[np.float32],
    confidence: NDArray[np.float32],
    class_id: NDArray[np.int32],
    options: TrackerOptions,
) -> Places:
    """Return the place of the track of each of n detections, (n,), -1 for none.

    All tracks choose among the sure detections, then those that were just there among the unsure: an unsure one is no
    reason to believe that something lost is back.
    """
    track_of = np.full(len(xyxy_px), -1, np.intp)
    if len(xyxy_px) == 0 or len(tracks.motion) == 0:
        return track_of
    fit = _fit(tracks, xyxy_px.astype(np.float64), class_id, options)
    is_sure = confidence >= options.high_confidence
    is_free = np.ones(len(tracks.motion), bool)
    for rows, columns in ((is_free, is_sure), (~tracks.is_lost, ~is_sure)):
        part = np.where((rows & is_free)[:, None] & columns, fit, 0.0)
        for row, column in assign(part):
            track_of[column] = row
            is_free[row] = False
    return track_of


def iou_matrix(first: Boxes, second: Boxes) -> Matrix:
    """Return the intersection over union of each of n boxes with each of m, (n, m)."""
    inner = _intersections(first[:, None], second[None])
    return inner / np.maximum(_areas(first)[:, None] + _areas(second) - inner, 1e-9)


def covered_shares(boxes: Boxes, regions: Boxes) -> NDArray[np.float64]:
    """Return how much of each box lies in the region that covers most of it, (n,) 0..1; 0 without regions."""
    if len(regions) == 0:
        return np.zeros(len(boxes))
    inner: NDArray[np.float64] = _intersections(boxes[:, None], regions[None]).max(axis=1)
    return inner / np.maximum(_areas(boxes), 1e-9)


def _fit(tracks: Candidates, detected: Boxes, class_id: NDArray[np.int32], options: TrackerOptions) -> Matrix:
    """Return how well n tracks and m detections fit, (n, m), 0 where they do not."""
    overlap = _grown_iou(tracks.motion, detected)
    is_same = tracks.class_id[:, None] == class_id
    is_near = overlap >= np.where(is_same, options.min_overlap, options.other_class_overlap)
    return np.where(is_near, overlap * np.where(is_same, 1.0, _OTHER_CLASS), 0.0)


def _grown_iou(motion: Motion, detected: Boxes) -> Matrix:
    """Return the IoU of boxes that were both grown by the standard deviation of the predicted centre.

    What was just seen is compared as it is; what was lost for a second, or was seen once only, is searched around its
    place. After F. Yang et al., "Hard to Track Objects with Irregular Motions and Similar Appearances? Make It Easier
    by Buffering the Matching Space", WACV 2023, who grow all boxes alike.
    """
    size = np.maximum(motion.position[:, 2:], 1)
    share = np.minimum(np.sqrt(motion.position_variance[:, :2]) / size, _MAX_GROWTH)
    first = _grown(motion.xyxy_px, share)[:, None]
    second = _grown(detected[None], share[:, None])
    inner = _intersections(first, second)
    return inner / np.maximum(_areas(first) + _areas(second) - inner, 1e-9)


def _grown(boxes: Boxes, share: NDArray[np.float64]) -> Boxes:
    by_px = (boxes[..., 2:] - boxes[..., :2]) * share
    return np.concatenate([boxes[..., :2] - by_px, boxes[..., 2:] + by_px], axis=-1)


def _intersections(first: Boxes, second: Boxes) -> Matrix:
    left_top = np.maximum(first[..., :2], second[..., :2])
    size = np.maximum(np.minimum(first[..., 2:], second[..., 2:]) - left_top, 0)
    inner: Matrix = size[..., 0] * size[..., 1]
    return inner


def _areas(boxes: Boxes) -> NDArray[np.float64]:
    areas: NDArray[np.float64] = (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
    return areas
