"""Models of Roboflow's `inference-models` as a `Detector`, each in a process of its own (see `roboflow_worker`)."""

import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self, TypeVar

import numpy as np

from nvr.core.backoff import Backoff
from nvr.core.clock import Clock, SystemClock
from nvr.core.errors import (
    ConfigurationError,
    CredentialsError,
    DownloadError,
    InvalidInputError,
    ModelError,
    NvrError,
    TransientError,
    UnsupportedError,
)
from nvr.core.masking import MASK, mask_credentials
from nvr.detection import roboflow_worker
from nvr.detection.detections import Detections, Image
from nvr.detection.preprocess import check_image
from nvr.detection.roboflow_process import Frame, WorkerProcess

LOAD_TIMEOUT_S = 900.0
"""Importing takes 6 s on a fast machine; fetching the weights of a large model, minutes."""
INFER_TIMEOUT_S = 60.0
_CANCEL_POLL_S = 0.1
_CLOSE_GRACE_S = 0.5
"""A processor has 2 s to stop in."""
_COLUMNS = 6
Result = TypeVar("Result")

_ERRORS: Mapping[str, type[NvrError]] = {
    roboflow_worker.MISSING_PACKAGE: UnsupportedError,
    "MissingDependencyError": UnsupportedError,
    "UnauthorizedModelAccessError": CredentialsError,
    "ForbiddenModelAccessError": CredentialsError,
    "RetryError": DownloadError,
    "ModelRetrievalError": DownloadError,
}


class RoboflowDetector:
    """A model of Roboflow, named by its id (`yolov8n-640`, `project/2`) or by a folder with a model package.

    The first load happens in the constructor. A worker that dies or hangs fails the call it was in; the next calls
    start another, with backoff, and fail without waiting until that one is ready.
    """

    def __init__(
        self,
        model_id: str,
        *,
        api_key: str | None = None,
        confidence_threshold: float = 0.3,
        python: str | Path | None = None,
        load_timeout_s: float = LOAD_TIMEOUT_S,
        infer_timeout_s: float = INFER_TIMEOUT_S,
        clock: Clock | None = None,
        backoff: Backoff | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> None:
        """Start the worker and wait until the model is loaded.

        Args:
            model_id: Roboflow's id, or an absolute path to a folder.
            api_key: Roboflow's key; None for models that need none.
            confidence_threshold: Weaker boxes are not reported, 0..1.
            python: Interpreter that has `inference-models`; None takes the running one.
            load_timeout_s: For starting, importing, downloading and loading.
            infer_timeout_s: For one batch.
            clock: For the timeouts and the backoff.
            backoff: Between starts of the worker.
            is_cancelled: Asked ten times a second, from this thread, while this first load goes on; once it says yes,
                the worker is ended.

        Raises:
            ConfigurationError: `confidence_threshold` is out of range.
            UnsupportedError: The interpreter or the package is missing.
            CredentialsError: Roboflow refuses the key.
            ModelError: There is no such model, or it finds no objects.
            TransientError: The worker ended, did not load the model in time, or the load was cancelled.
        """
        if not 0 <= confidence_threshold <= 1:
            raise ConfigurationError(f"confidence_threshold: expected 0..1, got {confidence_threshold}")
        self._model_id = model_id
        self._api_key = api_key
        self._confidence_threshold = confidence_threshold
        self._command = (str(python or sys.executable), roboflow_worker.__file__)
        self._load_timeout_s = load_timeout_s
        self._infer_timeout_s = infer_timeout_s
        self._clock = clock or SystemClock()
        self._backoff = backoff or Backoff(initial_s=1.0, max_s=60.0)
        self._class_names: tuple[str, ...] = ()
        self._lock = threading.Lock()
        self._is_closed = False
        self._is_ready = False
        self._worker: WorkerProcess | None = None
        self._start_at_s = self._load_deadline_s = self._clock.monotonic()
        with self._lock:
            try:
                self._load(is_cancelled)
            finally:
                if not self._is_ready:
                    self._drop_worker()

    @classmethod
    def from_environment(
        cls,
        model_id: str,
        *,
        confidence_threshold: float = 0.3,
        environment: Mapping[str, str] | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> Self:
        """Make a detector with the interpreter of `NVR_ROBOFLOW_PYTHON` and the key of `ROBOFLOW_API_KEY`.

        For the rest see the constructor.
        """
        variables = os.environ if environment is None else environment
        return cls(
            model_id,
            api_key=variables.get("ROBOFLOW_API_KEY") or None,
            confidence_threshold=confidence_threshold,
            python=variables.get("NVR_ROBOFLOW_PYTHON") or None,
            is_cancelled=is_cancelled,
        )

    @property
    def model_id(self) -> str:
        """Roboflow's id of the model, or the name of its folder."""
        return Path(self._model_id).name if self._model_id.startswith("/") else self._model_id

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names by class id."""
        return self._class_names

    @property
    def has_real_batches(self) -> bool:
        """A batch goes to the worker in one message; what the model makes of it is not known here."""
        return True

    @property
    def worker_pid(self) -> int | None:
        """Process id of the worker, None while there is none."""
        worker = self._worker
        return None if worker is None else worker.pid

    def input_size_px(self, width: int, height: int) -> tuple[int, int] | None:
        """See `Detector.input_size_px`: the package scales images itself."""
        del width, height
        return None

    @property
    def canvas_size_px(self) -> None:
        """None: what the model makes of an image before it looks at it is its own affair."""
        return None

    @property
    def confidence_threshold(self) -> float:
        """See `AdjustableDetector`."""
        return self._confidence_threshold

    def set_confidence_threshold(self, confidence: float) -> None:
        """See `AdjustableDetector`: each batch tells the worker."""
        self._confidence_threshold = confidence

    def infer(self, images: Sequence[Image], source_ids: Sequence[int] | None = None) -> list[Detections]:
        """Find objects in a batch of images of any sizes; one answer per image, in order.

        The sources make no difference here.

        Raises:
            InvalidInputError: There are not as many `source_ids` as images.
            FrameError: An image is empty or not (H, W, 3) uint8.
            TransientError: The worker died, hangs or is being started again; a later call may succeed.
        """
        if source_ids is not None and len(source_ids) != len(images):
            raise InvalidInputError(f"source_ids: expected {len(images)}, one per image, got {len(source_ids)}")
        for image in images:
            check_image(image)
        with self._lock:
            if self._is_closed:
                raise UnsupportedError(f"roboflow:{self._model_id}: the detector is closed")
            if not images:
                return []
            if not self._is_ready:
                self._is_ready = self._advance(0.0)
                if not self._is_ready:
                    raise TransientError(f"roboflow:{self._model_id}: the worker is loading the model again")
            return self._infer(images)

    def close(self) -> None:
        """End the worker; from any thread, and at once even in the middle of a batch."""
        self._is_closed = True
        is_idle = self._lock.acquire(blocking=False)
        if not is_idle:
            worker = self._worker
            if worker is not None:
                worker.interrupt()
            self._lock.acquire()
        try:
            self._drop_worker(_CLOSE_GRACE_S if is_idle else 0.0)
        finally:
            self._lock.release()

    def _load(self, is_cancelled: Callable[[], bool] | None) -> None:
        """Wait for the first worker to be ready."""
        wait_s = self._load_timeout_s if is_cancelled is None else _CANCEL_POLL_S
        while not self._is_ready:
            if is_cancelled is not None and is_cancelled():
                raise self._fail("loading the model was cancelled")
            self._is_ready = self._advance(wait_s)

    def _advance(self, wait_s: float) -> bool:
        """Start a worker if it is time, and tell whether it is ready, waiting `wait_s` at most."""
        now_s = self._clock.monotonic()
        if self._worker is None:
            if now_s < self._start_at_s:
                return False
            self._load_deadline_s = now_s + self._load_timeout_s
            self._worker = WorkerProcess(self._command, self._clock)
            request = {"op": "load", "model_id": self._model_id, "api_key": self._api_key}
            self._guarded(lambda worker: self._send(worker, request, ()))
        frame = self._guarded(lambda worker: worker.receive(wait_s))
        if frame is None:
            if self._clock.monotonic() >= self._load_deadline_s:
                raise self._fail(f"it did not load the model within {self._load_timeout_s:g} s")
            return False
        self._class_names = _class_names(self._checked(frame, "ready"))
        return True

    def _infer(self, images: Sequence[Image]) -> list[Detections]:
        shapes = [image.shape[:2] for image in images]
        header = {"op": "infer", "confidence": self._confidence_threshold, "shapes": shapes}
        pixels = [np.ascontiguousarray(image).data.cast("B") for image in images]
        self._guarded(lambda worker: self._send(worker, header, pixels))
        frame = self._guarded(lambda worker: worker.receive(self._infer_timeout_s))
        if frame is None:
            raise self._fail(f"it did not answer within {self._infer_timeout_s:g} s")
        self._checked(frame, "result")
        try:
            detections = _split(frame, shapes, len(self._class_names))
        except (ValueError, TypeError) as error:
            raise self._fail(f"it sends what is no result: {error}") from error
        self._backoff.reset()
        return detections

    def _send(self, worker: WorkerProcess, header: Mapping[str, object], payload: Sequence[memoryview]) -> None:
        begin = roboflow_worker.encode(header, sum(len(part) for part in payload))
        worker.send([begin, *payload], self._infer_timeout_s)

    def _guarded(self, action: Callable[[WorkerProcess], Result]) -> Result:
        if self._worker is None:
            raise self._fail("it is gone")
        try:
            return action(self._worker)
        except TransientError as error:
            raise self._fail(str(error)) from error

    def _checked(self, frame: Frame, op: str) -> Frame:
        if frame.header.get("op") == op:
            return frame
        kind, message = str(frame.header.get("kind")), str(frame.header.get("message"))
        if op == "result":
            raise self._fail(message, kind)
        error = _ERRORS.get(kind, ModelError)
        hint = "; install it with `pip install inference-models[onnx-cpu]` in an environment of its own and set "
        hint = f"{hint}NVR_ROBOFLOW_PYTHON to that environment's python" if error is UnsupportedError else ""
        if kind == roboflow_worker.NOT_A_DETECTOR:
            message = f"expected a model that finds objects, {message}"
        raise self._fail(f"{message}{hint}", error=error)

    def _fail(self, reason: str, kind: str = "", error: type[NvrError] = TransientError) -> NvrError:
        """Give the worker up, plan the next start, and return the error to raise."""
        self._drop_worker()
        self._start_at_s = self._clock.monotonic() + self._backoff.next_s()
        return error(self._without_key(f"roboflow:{self._model_id}: {kind and kind + ': '}{reason}"))

    def _without_key(self, text: str) -> str:
        return mask_credentials(text.replace(self._api_key, MASK) if self._api_key else text)

    def _drop_worker(self, grace_s: float = 0.0) -> None:
        self._is_ready = False
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close(grace_s)


def _class_names(frame: Frame) -> tuple[str, ...]:
    names = frame.header.get("class_names")
    return tuple(str(name) for name in names) if isinstance(names, list) else ()


def _split(frame: Frame, shapes: Sequence[tuple[int, ...]], n_classes: int) -> list[Detections]:
    counts = frame.header.get("counts")
    if not isinstance(counts, list) or len(counts) != len(shapes):
        raise ValueError(f"expected {len(shapes)} counts, got {counts!r}"[:200])
    rows = np.frombuffer(frame.payload, np.float32)
    if rows.size != sum(counts) * _COLUMNS or not np.isfinite(rows).all():
        raise ValueError(f"expected {sum(counts)} finite rows of {_COLUMNS}, got {rows.size} numbers")
    rows = rows.reshape(-1, _COLUMNS)
    detections = []
    for (height, width), table in zip(shapes, np.split(rows, np.cumsum(counts)[:-1]), strict=True):
        box = np.clip(table[:, :4], 0, [width, height, width, height]).astype(np.float32)
        is_good = (box[:, 2] > box[:, 0]) & (box[:, 3] > box[:, 1]) & (table[:, 5] >= 0) & (table[:, 5] < n_classes)
        order = np.argsort(-table[:, 4], kind="stable")
        order = order[is_good[order]]
        detections.append(
            Detections(box[order], np.clip(table[order, 4], 0, 1), table[order, 5].astype(np.int32)),
        )
    return detections
