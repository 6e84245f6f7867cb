"""The detector in use: replaced while it runs, and forgiven when it fails.

One thread uses a slot: it takes the detector before each batch and says afterwards how that went. Any other thread may
swap. The new detector is loaded and warmed up beside, in a thread of its own, so that no batch waits for it; two
references are exchanged between two batches, and the loading thread closes the old detector.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from nvr.core.backoff import Backoff
from nvr.core.clock import Clock
from nvr.core.errors import CancelledError, InvalidInputError, TransientError
from nvr.core.masking import mask_credentials
from nvr.detection.detections import AdjustableDetector, Detector
from nvr.processor.model_swap import Load, ModelSwap, Outcome, give_up, outlast, warm_up

logger = logging.getLogger(__name__)

MAX_LOADERS = 2
"""Models that may be loading at once: the wanted one, and one that was called off and has not noticed yet."""

MAX_REASON = 300
"""Characters of a reason; a provider's message may be pages long."""


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """How the model in use does."""

    model_id: str
    generation: int
    """1 for the first detector of a slot, one more with each swap."""
    state: Literal["ok", "degraded"]
    since: datetime
    """When this state of this model began, aware UTC."""
    reason: str = ""
    """The first failure since it is degraded; empty while it is ok."""
    failures: int = 0
    """Failures in a row, 0 while it is ok."""


@dataclass(frozen=True, slots=True)
class ModelInUse:
    """What one batch is looked at with."""

    detector: Detector
    generation: int
    """Differs from that of the batch before if the detector does."""
    confidence_threshold: float = 0.0
    """What is weaker does not count, for cameras that say nothing else; the detector may report more for others."""


@dataclass(slots=True)
class _Spare:
    """A detector that is not in use: it waits for its turn, and afterwards the old one waits to be closed."""

    outcome: Outcome
    detector: Detector
    is_ours: bool = True


class ModelSlot:
    """Holds the detector of a multiplexer.

    `current`, `succeeded`, `passed`, `failed` and `retry_in_s` are for the using thread, everything else for any.
    """

    def __init__(
        self,
        detector: Detector,
        *,
        clock: Clock,
        on_change: Callable[[ModelStatus], None] | None = None,
        size_px: tuple[int, int] = (1280, 720),
        is_ours: bool = True,
        backoff: Backoff | None = None,
    ) -> None:
        """Hold a first detector.

        Args:
            detector: Loaded and warm.
            clock: For the backoff and the times of states.
            on_change: Told when a model becomes degraded or ok again, and of a new model: each change once, in order,
                from the using thread or a loading one, which it must not hold up. What it raises is logged.
            size_px: Width and height of the grey picture that new detectors are warmed up with: that of most cameras.
            is_ours: Whether the slot closes `detector`; it always closes what it has loaded.
            backoff: Between two tries of a degraded model.
        """
        self._detector = detector
        self._is_ours = is_ours
        self._clock = clock
        self._on_change = on_change
        self._size_px = size_px
        self._backoff = backoff or Backoff(initial_s=0.1, max_s=5.0)
        self._condition = threading.Condition()
        self._status = ModelStatus(detector.model_id, 1, "ok", clock.now())
        self._retry_at_s = 0.0
        self._loaded_confidence = _threshold_of(detector)
        self._confidence: float | None = None
        self._least_confidence = 1.0
        self._is_in_batch = False
        self._is_closed = False
        self._wanted: Outcome | None = None
        self._ready: _Spare | None = None
        self._loaders: list[threading.Thread] = []
        self._swaps = 0
        self._untold: deque[ModelStatus] = deque()
        self._telling = threading.RLock()

    @property
    def status(self) -> ModelStatus:
        """How the model in use does at this moment."""
        return self._status

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the model in use can tell."""
        return self._detector.class_names

    def set_confidence(self, usual: float | None, least: float = 1.0) -> None:
        """Let the model report what is at least so sure, from the next batch on and after a swap, too.

        A detector that was given and cannot be adjusted reports what it always does; the rest is filtered.

        Args:
            usual: Of cameras without a threshold of their own; None for that with which each detector was loaded.
            least: Of those of single cameras.
        """
        with self._condition:
            self._confidence, self._least_confidence = usual, least

    def current(self) -> ModelInUse:
        """Begin a batch, and end the one before: return the detector to use until this one ends.

        Raises:
            CancelledError: The slot is closed.
        """
        with self._condition:
            if self._is_closed:
                raise CancelledError("the model is not used any more")
            self._end_batch()
            self._is_in_batch = True
            in_use = ModelInUse(self._detector, self._status.generation, self._adjust())
        self._tell()
        return in_use

    def succeeded(self) -> None:
        """End the batch, which the model has answered: a degraded model is ok again."""
        with self._condition:
            if self._status.state == "degraded":
                logger.info("model %s works again after %d failures", self._status.model_id, self._status.failures)
                self._become(replace(self._status, state="ok", since=self._clock.now(), reason="", failures=0))
            self._end_batch()
        self._tell()

    def passed(self) -> None:
        """End the batch, in which the model was asked nothing: its state stays."""
        with self._condition:
            self._end_batch()
        self._tell()

    def failed(self, error: Exception) -> None:
        """End the batch, at which the model raised: it is degraded, and its next try is due later with each failure.

        An `InvalidInputError` says that a picture was wrong, not the model: the batch ends, the state stays.
        """
        with self._condition:
            if not isinstance(error, InvalidInputError):
                self._degrade(error)
            self._end_batch()
        self._tell()

    def retry_in_s(self) -> float:
        """Return how long to leave a degraded model alone, 0 if a batch may begin; a swap shortens it to 0."""
        with self._condition:
            return max(0.0, self._retry_at_s - self._clock.monotonic())

    def swap(self, load: Load) -> ModelSwap:
        """Replace the detector, without a pause and without waiting.

        The last wish counts: a swap that is still pending is cancelled.

        Args:
            load: Called in a thread of its own. Where it raises, or its detector cannot look at a grey picture, the
                old detector stays in use, and the swap has the error.

        Raises:
            CancelledError: The slot is closed.
            TransientError: Swaps that were cancelled before have not noticed it yet.
        """
        with self._condition:
            if self._is_closed:
                raise CancelledError("the model is not used any more")
            self._loaders = [loader for loader in self._loaders if loader.is_alive()]
            if len(self._loaders) >= MAX_LOADERS:
                raise TransientError(
                    f"{len(self._loaders)} models are still loading, expected fewer than {MAX_LOADERS}"
                )
            if self._wanted is not None:
                self._wanted.cancel()
            outcome = Outcome()
            self._wanted = outcome
            self._swaps += 1
            name = f"model-loader-{self._swaps}"
            loader = threading.Thread(target=self._load, args=(load, outcome), name=name, daemon=True)
            self._loaders.append(loader)
            loader.start()
        return ModelSwap(outcome)

    def close(self, timeout_s: float) -> bool:
        """Give up a pending swap, wait for the batch in work, close the detector.

        Returns:
            Whether that was done; after `timeout_s` a detector that does not answer is left as it is.
        """
        deadline_s = self._clock.monotonic() + timeout_s
        with self._condition:
            self._is_closed = True
            if self._wanted is not None:
                self._wanted.cancel()
            is_free = self._condition.wait_for(lambda: not self._is_in_batch, timeout_s)
            loaders, is_ours = self._loaders, self._is_ours and is_free
            self._is_ours = self._is_ours and not is_ours
        if is_ours:
            _close(self._detector)
        for loader in loaders:
            loader.join(max(0.0, deadline_s - self._clock.monotonic()))
        return is_free and not any(loader.is_alive() for loader in loaders)

    def _adjust(self) -> float:
        """Let the detector report what any camera wants to know; returns the usual threshold."""
        detector = self._detector
        usual = self._loaded_confidence if self._confidence is None else self._confidence
        least = min(usual, self._least_confidence)
        if isinstance(detector, AdjustableDetector) and detector.confidence_threshold != least:
            detector.set_confidence_threshold(least)
        return usual

    def _degrade(self, error: Exception) -> None:
        self._retry_at_s = self._clock.monotonic() + self._backoff.next_s()
        status = self._status
        if status.state == "degraded":
            self._status = replace(status, failures=status.failures + 1)
            return
        reason = mask_credentials(f"{type(error).__name__}: {error}")[:MAX_REASON]
        logger.warning("model %s is degraded: %s", status.model_id, reason)
        self._become(replace(status, state="degraded", since=self._clock.now(), reason=reason, failures=1))

    def _end_batch(self) -> None:
        self._is_in_batch = False
        spare, self._ready = self._ready, None
        # from here on it cannot be cancelled any more
        if spare is not None and spare.outcome.set_running_or_notify_cancel():
            self._exchange(spare)
        self._condition.notify_all()

    def _exchange(self, spare: _Spare) -> None:
        old, new = self._detector, spare.detector
        self._detector, spare.detector = new, old
        self._is_ours, spare.is_ours = True, self._is_ours
        self._loaded_confidence = _threshold_of(new)
        logger.info("model %s takes the place of %s", new.model_id, old.model_id)
        self._become(ModelStatus(new.model_id, self._status.generation + 1, "ok", self._clock.now()))
        spare.outcome.set_result(None)

    def _become(self, status: ModelStatus) -> None:
        self._status = status
        self._untold.append(status)
        if status.state == "ok":
            self._backoff.reset()
            self._retry_at_s = 0.0

    def _tell(self) -> None:
        with self._telling:
            while self._untold:
                status = self._untold.popleft()
                try:
                    if self._on_change is not None:
                        self._on_change(status)
                except Exception:
                    logger.exception("a change of model %s could not be told", status.model_id)

    def _load(self, load: Load, outcome: Outcome) -> None:
        try:
            spare = _Spare(outcome, load(outcome.cancelled))
        except BaseException as error:  # noqa: BLE001 - all of it is the caller's, who has the swap
            give_up(outcome, error)
            return
        try:
            if not outcome.cancelled():
                warm_up(spare.detector, self._size_px)
        except Exception as error:  # noqa: BLE001 - a model may raise anything; it is the caller's, too
            give_up(outcome, error)
        else:
            self._offer(spare)
        if spare.is_ours:
            _close(spare.detector)

    def _offer(self, spare: _Spare) -> None:
        with self._condition:
            if not spare.outcome.cancelled():
                self._ready = spare
                if not self._is_in_batch:
                    self._end_batch()
        self._tell()
        outlast(spare.outcome, None)


def _threshold_of(detector: Detector) -> float:
    return detector.confidence_threshold if isinstance(detector, AdjustableDetector) else 0.0


def _close(detector: Detector) -> None:
    try:
        detector.close()
    except Exception:
        logger.exception("model %s could not be closed", detector.model_id)
