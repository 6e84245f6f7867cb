"""What each model has worked, by its name: inferences, frames, the use of their pictures, the time they took."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from nvr.core.histogram import INFERENCE_BOUNDS_S, Histogram, HistogramSnapshot

MAX_MODELS = 16
"""Remembered of those that have been swapped out: who tries many must not fill the memory."""


@dataclass(frozen=True, slots=True)
class ModelWork:
    """One model's work so far."""

    model_id: str
    inferences: int
    """Pictures that it has looked at."""
    frames: int
    """Frames, or parts of them, that were shown in these."""
    failures: int
    """Looks, or frames of them, that failed."""
    used_px: int
    """Pixels of canvases that showed something; 0 where it looks at whole frames."""
    offered_px: int
    """Pixels of these canvases."""
    seconds: HistogramSnapshot
    """How long a look took, at one or several pictures together, with composing them and mapping boxes back."""

    def joined(self, other: "ModelWork") -> "ModelWork":
        """Return the work of one model for two sets of cameras."""
        return replace(
            self,
            inferences=self.inferences + other.inferences,
            frames=self.frames + other.frames,
            failures=self.failures + other.failures,
            used_px=self.used_px + other.used_px,
            offered_px=self.offered_px + other.offered_px,
            seconds=self.seconds.merged(other.seconds),
        )


@dataclass(slots=True)
class _Sheet:
    inferences: int
    frames: int
    failures: int
    used_px: int
    offered_px: int
    seconds: Histogram


class WorkSheets:
    """The work of the models that one multiplexer has had: its thread writes, any may ask."""

    def __init__(self) -> None:
        self._sheets: dict[str, _Sheet] = {}

    def looked(self, model_id: str, seconds: float, *, inferences: int, frames: int, used_px: int, all_px: int) -> None:
        """Note a look that took a model so many inferences."""
        sheet = self._of(model_id)
        sheet.inferences += inferences
        sheet.frames += frames
        sheet.used_px += used_px
        sheet.offered_px += all_px
        sheet.seconds.observe(seconds)

    def failed(self, model_id: str) -> None:
        """Note that something a model was asked failed."""
        self._of(model_id).failures += 1

    def report(self) -> list[ModelWork]:
        """Return what was noted, the longest known first."""
        return [
            ModelWork(
                model_id,
                sheet.inferences,
                sheet.frames,
                sheet.failures,
                sheet.used_px,
                sheet.offered_px,
                sheet.seconds.snapshot(),
            )
            for model_id, sheet in tuple(self._sheets.items())
        ]

    def _of(self, model_id: str) -> _Sheet:
        sheet = self._sheets.get(model_id)
        if sheet is None:
            if len(self._sheets) >= MAX_MODELS:
                self._sheets.pop(next(iter(self._sheets)))
            sheet = self._sheets[model_id] = _Sheet(0, 0, 0, 0, 0, Histogram(INFERENCE_BOUNDS_S))
        return sheet


def joined_by_model(works: Iterable[ModelWork]) -> tuple[ModelWork, ...]:
    """Return one entry per model."""
    by_model: dict[str, ModelWork] = {}
    for work in works:
        known = by_model.get(work.model_id)
        by_model[work.model_id] = work if known is None else known.joined(work)
    return tuple(by_model.values())
