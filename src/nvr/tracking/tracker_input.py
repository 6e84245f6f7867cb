"""Refuse what no tracker can follow."""

import math

import numpy as np
from numpy.typing import NDArray

from nvr.core.errors import InvalidInputError

_MAX_COORDINATE_PX = 1e6


def check_time(captured_s: float) -> None:
    """Raise InvalidInputError for what is no number of seconds."""
    if not math.isfinite(captured_s):
        raise InvalidInputError(f"captured_s: expected seconds, got {captured_s}")


def check_boxes(name: str, xyxy_px: NDArray[np.float32]) -> None:
    """Raise InvalidInputError unless (n, 4) boxes are right side out, finite, and of a size that pictures have."""
    if xyxy_px.ndim != 2 or xyxy_px.shape[1] != 4:
        raise InvalidInputError(f"{name}: expected (n, 4), got {xyxy_px.shape}")
    is_box = (np.abs(xyxy_px) <= _MAX_COORDINATE_PX).all(axis=1) & (xyxy_px[:, 2:] >= xyxy_px[:, :2]).all(axis=1)
    if not is_box.all():
        wrong = xyxy_px[int(np.argmin(is_box))].tolist()
        raise InvalidInputError(f"{name}: expected left <= right and top <= bottom within ±1e6 px, got {wrong}")


def check_detections(
    xyxy_px: NDArray[np.float32], confidence: NDArray[np.float32], class_id: NDArray[np.int32]
) -> None:
    """Raise InvalidInputError unless boxes, confidences in 0..1 and classes are as many as each other."""
    check_boxes("xyxy_px", xyxy_px)
    for name, array in (("confidence", confidence), ("class_id", class_id)):
        if array.shape != (len(xyxy_px),):
            raise InvalidInputError(f"{name}: expected {(len(xyxy_px),)}, got {array.shape}")
    is_share = (confidence >= 0) & (confidence <= 1)
    if not is_share.all():
        raise InvalidInputError(f"confidence: expected 0..1, got {confidence[int(np.argmin(is_share))]}")
