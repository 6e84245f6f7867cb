"""Average precision as COCO defines it, computed by COCO's own library."""

import contextlib
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO  # type: ignore[import-untyped]  # ships no types
from pycocotools.cocoeval import COCOeval  # type: ignore[import-untyped]  # ships no types

from nvr.detection.detections import Detections

Truth = tuple[NDArray[np.float64], NDArray[np.int64]]
"""(n, 4) boxes in pixels and (n,) class ids of one picture."""


def average_precision(truths: Sequence[Truth], answers: Sequence[Detections]) -> tuple[float, float]:
    """Return AP50:95 and AP50, the mean over the classes that occur in the truth, at most 100 boxes a picture."""
    annotations: list[dict[str, object]] = []
    results: list[dict[str, object]] = []
    for image_id, ((boxes, class_ids), found) in enumerate(zip(truths, answers, strict=True), start=1):
        for box, class_id in zip(boxes, class_ids, strict=True):
            annotations.append({"id": len(annotations) + 1, "iscrowd": 0, **_entry(image_id, box, int(class_id))})
        for box, score, class_id in zip(found.xyxy_px, found.confidence, found.class_id, strict=True):
            results.append({"score": float(score), **_entry(image_id, box, int(class_id))})
    if not results:
        return 0.0, 0.0
    truth = COCO()
    truth.dataset = {
        "info": {},
        "images": [{"id": i} for i in range(1, len(truths) + 1)],
        "annotations": annotations,
        "categories": [{"id": i} for i in sorted({int(i) for _, class_ids in truths for i in class_ids})],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0]), float(evaluation.stats[1])


def _entry(image_id: int, xyxy: NDArray[np.floating], class_id: int) -> dict[str, object]:
    left, top, right, bottom = (float(value) for value in xyxy)
    width, height = right - left, bottom - top
    return {
        "image_id": image_id, "category_id": class_id, "bbox": [left, top, width, height], "area": width * height,
    }  # fmt: skip
