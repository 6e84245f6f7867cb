"""Which detections count at all: decided before tracking, so that what is dropped starts no track."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nvr.config.zones import ObjectFilterConfig, ObjectMaskConfig
from nvr.core.errors import InvalidInputError
from nvr.tracking.geometry import contains, foot_point


@dataclass(frozen=True, slots=True)
class ObjectRules:
    """The object filters and object masks of one camera."""

    filters: tuple[ObjectFilterConfig, ...] = ()
    masks: tuple[ObjectMaskConfig, ...] = ()

    def keep(
        self,
        xyxy_px: NDArray[np.float32],
        confidence: NDArray[np.float32],
        class_id: NDArray[np.int32],
        *,
        class_names: Sequence[str],
        size_px: tuple[int, int],
    ) -> NDArray[np.bool_]:
        """Tell which detections count: they pass every filter for their class, and no mask hides them.

        Args:
            xyxy_px: (n, 4) boxes in pixels of the source frame. Not modified.
            confidence: (n,) 0..1.
            class_id: (n,) index into `class_names`; an id beyond them is named by its number.
            class_names: Names by class id.
            size_px: Width and height of the source frame.

        Raises:
            InvalidInputError: The arrays differ in length, or a side of the frame is not positive.
        """
        n = len(xyxy_px)
        if xyxy_px.shape != (n, 4) or confidence.shape != (n,) or class_id.shape != (n,):
            raise InvalidInputError(
                f"expected (n, 4), (n,) and (n,), got {xyxy_px.shape}, {confidence.shape} and {class_id.shape}"
            )
        if min(size_px) <= 0:
            raise InvalidInputError(f"a frame has a width and a height, got {size_px}")
        kept = np.ones(n, np.bool_)
        if n == 0 or not (self.filters or self.masks):
            return kept
        names = [class_names[i] if 0 <= i < len(class_names) else str(i) for i in class_id.tolist()]
        for each in self.filters:
            kept &= ~_is_for(each.classes, names) | passes(each, xyxy_px, confidence, size_px)
        for mask in self.masks:
            kept &= ~(_is_for(mask.classes, names) & _stands_in(mask, xyxy_px, size_px))
        return kept


def passes(
    rule: ObjectFilterConfig,
    xyxy_px: NDArray[np.float32],
    confidence: NDArray[np.float32],
    size_px: tuple[int, int],
) -> NDArray[np.bool_]:
    """Tell which detections, (n, 4) and (n,), a filter lets pass, whatever their class; limits themselves pass."""
    width, height = xyxy_px[:, 2] - xyxy_px[:, 0], xyxy_px[:, 3] - xyxy_px[:, 1]
    area = width * height / (size_px[0] * size_px[1])
    # 0.35 as a float32 is above 0.35: the limit is rounded the same way
    passing = (confidence >= np.float32(rule.min_confidence)) & (area >= rule.min_area) & (area <= rule.max_area)
    # compared without dividing: a box without height is as flat as can be
    if rule.min_ratio is not None:
        passing &= width >= rule.min_ratio * height
    if rule.max_ratio is not None:
        passing &= width <= rule.max_ratio * height
    return passing


def _is_for(classes: tuple[str, ...], names: Sequence[str]) -> NDArray[np.bool_]:
    return np.array([not classes or name in classes for name in names], np.bool_)


def _stands_in(mask: ObjectMaskConfig, xyxy_px: NDArray[np.float32], size_px: tuple[int, int]) -> NDArray[np.bool_]:
    return np.array([contains(mask.polygon, foot_point(box, size_px)) for box in xyxy_px.tolist()], np.bool_)
