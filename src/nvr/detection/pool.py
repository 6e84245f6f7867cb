"""One model on several cores: a session with one thread each, which share the images of a batch.

Two threads in one session cost 5 to 65 % more CPU for the same images (the design's facts), two sessions none.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from nvr.core.errors import InvalidInputError
from nvr.detection.detections import AdjustableDetector, Detections, Detector, Image


class DetectorPool:
    """Several detectors of one model as one; see `Detector`. For one thread at a time."""

    def __init__(self, detectors: Sequence[Detector]) -> None:
        """Take over detectors that answer alike and remember nothing; `close` closes them.

        Raises:
            InvalidInputError: There is none.
        """
        if not detectors:
            raise InvalidInputError("a pool needs at least one detector, got none")
        self._detectors = tuple(detectors)
        self._first = self._detectors[0]
        self._threads = ThreadPoolExecutor(max(1, len(detectors) - 1), thread_name_prefix="inference")

    @property
    def size(self) -> int:
        """How many images are looked at at the same time."""
        return len(self._detectors)

    @property
    def model_id(self) -> str:
        """The name that events carry."""
        return self._first.model_id

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names by class id."""
        return self._first.class_names

    @property
    def has_real_batches(self) -> bool:
        """As of the detectors."""
        return self._first.has_real_batches

    def input_size_px(self, width: int, height: int) -> tuple[int, int] | None:
        """See `Detector.input_size_px`."""
        return self._first.input_size_px(width, height)

    @property
    def canvas_size_px(self) -> tuple[int, int] | None:
        """As of the detectors."""
        return self._first.canvas_size_px

    @property
    def confidence_threshold(self) -> float:
        """See `AdjustableDetector`; 0 of detectors that are none."""
        return self._first.confidence_threshold if isinstance(self._first, AdjustableDetector) else 0.0

    def set_confidence_threshold(self, confidence: float) -> None:
        """See `AdjustableDetector`."""
        for detector in self._detectors:
            if isinstance(detector, AdjustableDetector):
                detector.set_confidence_threshold(confidence)

    def infer(self, images: Sequence[Image], source_ids: Sequence[int] | None = None) -> list[Detections]:
        """See `Detector.infer`; raises what the first detector that fails raises, once all have ended."""
        if source_ids is not None and len(source_ids) != len(images):
            raise InvalidInputError(f"source_ids: expected {len(images)}, one per image, got {len(source_ids)}")
        shares = [images[start :: len(self._detectors)] for start in range(min(len(self._detectors), len(images)))]
        others: list[Future[list[Detections]]] = [
            self._threads.submit(detector.infer, share)
            for detector, share in zip(self._detectors[1:], shares[1:], strict=False)
        ]
        try:
            answers = [self._first.infer(shares[0])] if shares else []
        finally:
            for other in others:  # a detector that still works must not be asked anew
                other.exception()
        answers += [other.result() for other in others]
        return [answers[index % len(answers)][index // len(answers)] for index in range(len(images))]

    def close(self) -> None:
        """Free all of them."""
        self._threads.shutdown()
        for detector in self._detectors:
            detector.close()
