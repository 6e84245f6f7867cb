"""One replacement of a model: how it goes, for whoever asked for it, and the steps of the thread that loads."""

import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import CancelledError as FutureCancelledError
from concurrent.futures import Future
from typing import Literal

import numpy as np

from nvr.assets.cancelling import IsCancelled
from nvr.core.errors import CancelledError, ModelError
from nvr.core.masking import mask_credentials
from nvr.detection.detections import Detector

logger = logging.getLogger(__name__)

Load = Callable[[IsCancelled], Detector]
"""Makes a detector; asks often whether it is still wanted."""

Outcome = Future[None]
"""Done when the new detector is in use; cancelled or failed when it never will be."""

WARM_UP_SOURCE_ID = -1
"""No camera has it: a detector that learns what a camera usually sees must not learn the grey of the warm-up."""

_GREY = 114


class ModelSwap:
    """A swap that was asked for. For any thread."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome

    @property
    def state(self) -> Literal["pending", "done", "failed"]:
        """`done` once the new detector is in use and the old one is not."""
        if not self._outcome.done():
            return "pending"
        return "done" if self.error is None else "failed"

    @property
    def error(self) -> BaseException | None:
        """Why it failed: what loading or warming up raised, or CancelledError. None while pending, and when done."""
        if not self._outcome.done():
            return None
        try:
            return self._outcome.exception()
        except FutureCancelledError:
            return CancelledError("the swap of the model was cancelled, or another one took its place")

    def wait(self, timeout_s: float) -> Literal["pending", "done", "failed"]:
        """Return the state as soon as it is not pending any more, at the latest after `timeout_s`."""
        outlast(self._outcome, timeout_s)
        return self.state

    def cancel(self) -> None:
        """Give it up: the old detector stays. Nothing happens if it is over."""
        self._outcome.cancel()


def outlast(outcome: Outcome, timeout_s: float | None) -> None:
    """Wait until a swap is over, however it ends; None waits for ever."""
    with contextlib.suppress(FutureCancelledError, TimeoutError):
        outcome.exception(timeout_s)


def give_up(outcome: Outcome, error: BaseException) -> None:
    """Tell why there is no new model, unless nobody wants it any more."""
    if outcome.set_running_or_notify_cancel():
        logger.warning("the model stays, another one could not be had: %s", mask_credentials(str(error)))
        outcome.set_exception(error)


def warm_up(detector: Detector, size_px: tuple[int, int]) -> None:
    """Look once at a grey picture, so that the first batch is not the slow one.

    Args:
        detector: May raise what it likes.
        size_px: Width and height of the cameras' pictures, scaled as the detector wants them.

    Raises:
        ModelError: It gave not one answer.
    """
    width, height = detector.input_size_px(*size_px) or size_px
    found = detector.infer([np.full((height, width, 3), _GREY, np.uint8)], [WARM_UP_SOURCE_ID])
    if len(found) != 1:
        raise ModelError(f"model {detector.model_id}: expected 1 answer to 1 picture, got {len(found)}")
