"""One model of a processor with its cameras, and what is left of it when it is not needed any more."""

from dataclasses import dataclass

from nvr.media.freshest import FreshestFrames
from nvr.processor.model_slot import ModelSlot
from nvr.processor.model_work import MAX_MODELS, ModelWork, joined_by_model
from nvr.processor.multiplexer import Multiplexer

RETIRE_S = 1.0
"""How long a model that nobody needs any more may take to end."""


@dataclass(slots=True)
class Branch:
    """Where the frames of some cameras go, and who looks at them; slot and multiplexer are there once it is loaded."""

    frames: FreshestFrames
    slot: ModelSlot | None = None
    multiplexer: Multiplexer | None = None

    def end(self) -> None:
        """Stop to look and free the model; one that does not answer is left behind."""
        if self.multiplexer is not None:
            self.multiplexer.finish()
            self.multiplexer.join(RETIRE_S)
            self.multiplexer.request_stop()
        if self.slot is not None:
            self.slot.close(RETIRE_S)


@dataclass(slots=True)
class RetiredWork:
    """What models did that are gone; counters of a processor never fall."""

    analysed: int = 0
    inferences: int = 0
    failures: int = 0
    works: tuple[ModelWork, ...] = ()

    def add(self, multiplexer: Multiplexer) -> None:
        """Take over the counts of one that has ended."""
        self.analysed += multiplexer.analysed
        self.inferences += multiplexer.inferences
        self.failures += multiplexer.failures
        self.works = joined_by_model([*self.works, *multiplexer.works()])[-MAX_MODELS:]
