"""Detectors that obey the Protocol, for tests of everything around them."""

import threading
from collections.abc import Sequence

import numpy as np

from nvr.detection.detections import Detections, Image


class BrightSpotDetector:
    """Finds the box around all pixels brighter than 200; a real, if simple, detector."""

    model_id = "bright-spot"
    class_names = ("spot",)
    canvas_size_px: tuple[int, int] | None = None

    def __init__(self, *, has_real_batches: bool = True) -> None:
        self.has_real_batches = has_real_batches
        self.batches: list[list[int]] = []
        self.closed = False

    def input_size_px(self, width: int, height: int) -> tuple[int, int] | None:
        del width, height
        return None

    def infer(self, images: Sequence[Image], source_ids: Sequence[int] | None = None) -> list[Detections]:
        self.batches.append(list(source_ids or range(len(images))))
        return [self._look(image) for image in images]

    def _look(self, image: Image) -> Detections:
        rows, columns = np.nonzero(image.min(axis=2) > 200)
        if not len(rows):
            return Detections.empty()
        xyxy_px = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], np.float32)
        return Detections(xyxy_px, np.array([0.9], np.float32), np.array([0], np.int32))

    def close(self) -> None:
        self.closed = True


class FailingDetector(BrightSpotDetector):
    """Raises at its first calls, then recovers."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self._left = failures

    def infer(self, images: Sequence[Image], source_ids: Sequence[int] | None = None) -> list[Detections]:
        if self._left:
            self._left -= 1
            raise RuntimeError("no memory on the device")
        return super().infer(images, source_ids)


class HangingDetector(BrightSpotDetector):
    """Does not answer until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.is_called = threading.Event()
        self.release = threading.Event()

    def infer(self, images: Sequence[Image], source_ids: Sequence[int] | None = None) -> list[Detections]:
        self.is_called.set()
        self.release.wait(60)
        return super().infer(images, source_ids)
