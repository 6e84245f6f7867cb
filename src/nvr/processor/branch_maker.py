"""Loads models and gives each the thread that looks with it."""

from collections.abc import Callable
from dataclasses import dataclass

from nvr.assets.cancelling import IsCancelled
from nvr.config.processor import StreamProcessorConfig
from nvr.core.clock import Clock
from nvr.detection.detections import Detector
from nvr.media.freshest import FreshestFrames
from nvr.processor.analyst import CameraAnalyst
from nvr.processor.model import load_configured_detector
from nvr.processor.model_branch import Branch
from nvr.processor.model_slot import ModelSlot
from nvr.processor.model_swap import warm_up
from nvr.processor.multiplexer import Multiplexer, TrackHandler
from nvr.processor.tally import FrameHandler, Tallies

WARM_UP_SIZE_PX = (1280, 720)


@dataclass(slots=True)
class BranchMaker:
    """What all branches of a processor have in common. One thread at a time makes one, any may `load`."""

    make_analyst: Callable[[int, Branch], CameraAnalyst | None]
    """Called with the source id of each camera that shows up at a branch; None for one that is gone."""
    emit: FrameHandler
    emit_track: TrackHandler
    tallies: Tallies
    clock: Clock
    _n_made: int = 0

    def load(
        self,
        config: StreamProcessorConfig,
        model_id: str,
        is_cancelled: IsCancelled,
        *,
        is_alone: bool,
        falls_back: bool = False,
    ) -> Detector:
        """Load a model by the settings of the processor.

        Args:
            config: Names all but the model.
            model_id: As in the settings.
            is_cancelled: Asked while it is loaded.
            is_alone: Whether it must know all classes of the settings; of several each need not know those of others.
            falls_back: See `load_configured_detector`, which tells what this raises.
        """
        # a copy, so that what was set by the user still is known as such
        changes: dict[str, object] = {"model_id": model_id}
        if not is_alone:
            changes["classes"] = ()
        return load_configured_detector(config.model_copy(update=changes), is_cancelled, falls_back=falls_back)

    def make(self, config: StreamProcessorConfig, model_id: str, is_cancelled: IsCancelled) -> Branch:
        """Load a model beside others, and prepare its thread; raises what `load` does, and what the model raises."""
        detector = self.load(config, model_id, is_cancelled, is_alone=False)
        try:
            warm_up(detector, WARM_UP_SIZE_PX)
        except BaseException:
            detector.close()
            raise
        branch = Branch(FreshestFrames(self.clock))
        self.equip(branch, detector, config, is_ours=True)
        return branch

    def equip(self, branch: Branch, detector: Detector, config: StreamProcessorConfig, *, is_ours: bool) -> None:
        """Give a branch its model, closed with it if `is_ours`, and the thread that looks, which is not started."""
        branch.slot = ModelSlot(detector, clock=self.clock, is_ours=is_ours)
        branch.multiplexer = Multiplexer(
            branch.frames,
            branch.slot,
            lambda source_id: self.make_analyst(source_id, branch),
            self.emit,
            self.emit_track,
            clock=self.clock,
            name=f"multiplexer-{self._n_made}",
            max_batch=config.max_batch,
            gather_s=config.max_wait_ms / 1000,
            wants_canvases=config.multiplex == "canvas",
            tallies=self.tallies,
        )
        self._n_made += 1
