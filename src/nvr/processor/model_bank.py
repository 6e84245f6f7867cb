"""The models of a processor, each with its cameras: frames in, events out."""

from collections.abc import Callable
from dataclasses import dataclass

from nvr.assets.cancelling import IsCancelled
from nvr.config.camera import CameraConfig
from nvr.config.models import group_by_model
from nvr.config.processor import StreamProcessorConfig
from nvr.core.clock import Clock
from nvr.core.errors import ConfigurationError
from nvr.detection.detections import Detector
from nvr.detection.region_planner import RegionSettings
from nvr.media.frame import Frame
from nvr.media.freshest import FreshestFrames
from nvr.processor.analyst import CameraAnalyst
from nvr.processor.model import load_configured_detector
from nvr.processor.model_slot import ModelSlot, ModelStatus
from nvr.processor.model_swap import ModelSwap
from nvr.processor.model_work import ModelWork, joined_by_model
from nvr.processor.multiplexer import Multiplexer, TrackHandler
from nvr.processor.report import QueueReport
from nvr.processor.tally import FrameHandler, Tallies
from nvr.tracking.zone_counts import CountsSnapshot


@dataclass(slots=True)
class _Branch:
    """One model with its cameras."""

    frames: FreshestFrames
    slot: ModelSlot | None = None
    multiplexer: Multiplexer | None = None


class ModelBank:
    """Hands the frames of each camera to the model that looks at it; a `FrameSink`."""

    def __init__(
        self,
        config: StreamProcessorConfig,
        emit: FrameHandler,
        emit_track: TrackHandler,
        *,
        clock: Clock,
        tallies: Tallies | None = None,
    ) -> None:
        """Prepare; nothing is loaded before `load`.

        Args:
            config: The processor's settings.
            emit: Takes each event with its frame; must be quick and raise nothing.
            emit_track: The same for what is said about tracks.
            clock: For latencies.
            tallies: Where it is counted what becomes of each camera's frames.
        """
        self._config = config
        self._tallies = tallies or Tallies(clock)
        self._emit = emit
        self._emit_track = emit_track
        self._clock = clock
        self._branches = {
            group.model_id: _Branch(FreshestFrames(clock))
            for group in group_by_model(config.numbered_cameras, config.model_id)
        }
        self._cameras: dict[int, tuple[CameraConfig, _Branch]] = {}
        self._class_names: set[str] = set()

    def load(self, is_cancelled: IsCancelled, given: Detector | None = None) -> None:
        """Load all models.

        Args:
            is_cancelled: Asked while a download or a slow model is waited for.
            given: Looks at all cameras instead of what the settings name; stays the caller's to close.

        Raises:
            CancelledError: `is_cancelled` said so.
            ConfigurationError: A setting names something that does not exist or does not fit.
            UnsupportedError: A model needs what is not installed.
        """
        if given is not None and len(self._branches) > 1:
            raise ConfigurationError(f"one detector was given, and the cameras name {', '.join(self._branches)}")
        for number, (model_id, branch) in enumerate(self._branches.items()):
            detector = given or self._load(model_id, is_cancelled)
            branch.slot = ModelSlot(detector, clock=self._clock, is_ours=given is None)
            branch.multiplexer = Multiplexer(
                branch.frames,
                branch.slot,
                self._make_analyst,
                self._emit,
                self._emit_track,
                clock=self._clock,
                name=f"multiplexer-{number}",
                max_batch=self._config.max_batch,
                gather_s=self._config.max_wait_ms / 1000,
                wants_canvases=self._config.multiplex == "canvas",
                tallies=self._tallies,
            )
            self._class_names |= set(detector.class_names)
        self._check_classes()

    def admit(self, source_id: int, camera: CameraConfig) -> None:
        """Take frames of a camera from now on.

        Raises:
            ConfigurationError: The model that it asks for is not among those that were loaded.
        """
        model_id = camera.model_id or self._config.model_id
        branch = self._branches.get(model_id)
        if branch is None:
            known = ", ".join(self._branches)
            raise ConfigurationError(f"camera {source_id}: model {model_id} is not loaded, expected one of {known}")
        self._cameras = self._cameras | {source_id: (camera, branch)}

    def forget(self, source_id: int) -> None:
        """Drop what waits of a camera and end its tracks: it has been removed."""
        known = self._cameras.get(source_id)
        self._cameras = {key: value for key, value in self._cameras.items() if key != source_id}
        if known is not None:
            known[1].frames.forget(source_id)
            if known[1].multiplexer is not None:
                known[1].multiplexer.forget(source_id)
        self._tallies.forget(source_id)

    def interrupt(self, source_id: int) -> None:
        """End the tracks of a camera that pauses."""
        known = self._cameras.get(source_id)
        if known is not None and known[1].multiplexer is not None:
            known[1].multiplexer.interrupt(source_id)

    def put(self, frame: Frame) -> None:
        """See `FrameSink.put`; a frame of a camera that is gone is dropped."""
        known = self._cameras.get(frame.source_id)
        if known is not None:
            known[1].frames.put(frame)

    def wait_until_taken(self, source_id: int, timeout_s: float) -> bool:
        """See `FrameSink.wait_until_taken`."""
        known = self._cameras.get(source_id)
        return known is None or known[1].frames.wait_until_taken(source_id, timeout_s)

    def replaced(self, source_id: int) -> int:
        """Return how many frames of a camera gave way to newer ones."""
        known = self._cameras.get(source_id)
        return 0 if known is None else known[1].frames.replaced(source_id)

    def swap(self, model_id: str, *, instead_of: str | None = None) -> ModelSwap:
        """Look with another model, without a pause: it is loaded beside, and a failure leaves the old one.

        Args:
            model_id: As in the settings.
            instead_of: The model of the settings whose cameras are meant; None for the processor's own.

        Raises:
            ConfigurationError: There is no such model to be replaced.
            CancelledError: The processor stops.
            TransientError: Swaps that were cancelled before have not noticed it yet.
            RuntimeError: Nothing is loaded yet.
        """
        old_id = instead_of or self._config.model_id
        branch = self._branches.get(old_id)
        if branch is None:
            raise ConfigurationError(f"model {old_id} is not in use, expected one of {', '.join(self._branches)}")
        if branch.slot is None:
            raise RuntimeError("the processor was not started")
        return branch.slot.swap(lambda is_cancelled: self._load(model_id, is_cancelled, falls_back=False))

    def start(self) -> None:
        """Begin to look, in the background."""
        for multiplexer in self._multiplexers():
            multiplexer.start()

    def finish(self, timeout_s: float) -> None:
        """Look at what waits, then end."""
        for multiplexer in self._multiplexers():
            multiplexer.finish()
        for multiplexer in self._multiplexers():
            multiplexer.join(timeout_s)

    def stop(self, left_s: Callable[[], float]) -> None:
        """End all threads after the batches in work; a model that does not answer in time is left behind."""
        for multiplexer in self._multiplexers():
            multiplexer.request_stop()
        for multiplexer in self._multiplexers():
            multiplexer.join(left_s())
        self.close(left_s)

    def close(self, left_s: Callable[[], float] = lambda: 0.0) -> None:
        """Free the models that were loaded here."""
        for branch in self._branches.values():
            if branch.slot is not None:
                branch.slot.close(left_s())

    @property
    def analysed(self) -> int:
        """Frames so far, those too in which nothing was worth a look."""
        return sum(multiplexer.analysed for multiplexer in self._multiplexers())

    @property
    def inferences(self) -> int:
        """Pictures that models have looked at so far."""
        return sum(multiplexer.inferences for multiplexer in self._multiplexers())

    @property
    def failures(self) -> int:
        """Batches and frames that failed so far."""
        return sum(multiplexer.failures for multiplexer in self._multiplexers())

    @property
    def statuses(self) -> tuple[ModelStatus, ...]:
        """How each model does at this moment."""
        return tuple(branch.slot.status for branch in self._branches.values() if branch.slot is not None)

    def works(self) -> tuple[ModelWork, ...]:
        """Return what each model has worked."""
        return joined_by_model(work for multiplexer in self._multiplexers() for work in multiplexer.works())

    def queues(self) -> list[QueueReport]:
        """Return how many frames wait for each model."""
        return [
            QueueReport(
                f"frames for {model_id}", branch.frames.n_waiting, branch.frames.n_places, branch.frames.n_replaced
            )
            for model_id, branch in self._branches.items()
        ]

    def counts(self) -> dict[int, CountsSnapshot]:
        """Return the counters of zones and lines of each camera that has some."""
        return {key: counts for mux in self._multiplexers() for key, counts in mux.counts().items()}

    def busy_for_s(self) -> float:
        """Return how long the longest of the present inferences has taken; 0 without any."""
        return max((multiplexer.busy_for_s() for multiplexer in self._multiplexers()), default=0.0)

    def _multiplexers(self) -> list[Multiplexer]:
        return [branch.multiplexer for branch in self._branches.values() if branch.multiplexer is not None]

    def _load(self, model_id: str, is_cancelled: IsCancelled, *, falls_back: bool = True) -> Detector:
        # a copy, so that what was set by the user still is known as such
        changes: dict[str, object] = {"model_id": model_id}
        if len(self._branches) > 1:  # each need not know the classes of the others
            changes["classes"] = ()
        return load_configured_detector(self._config.model_copy(update=changes), is_cancelled, falls_back=falls_back)

    def _check_classes(self) -> None:
        """Refuse a class that none of several models knows; a single one has refused it already."""
        unknown = sorted(set(self._config.classes) - self._class_names)
        if len(self._branches) > 1 and unknown and "motion" not in self._class_names:
            raise ConfigurationError(f"classes: none of {', '.join(self._branches)} has {unknown[0]}")

    def _make_analyst(self, source_id: int) -> CameraAnalyst | None:
        known = self._cameras.get(source_id)
        if known is None:  # removed while its last frame was on the way
            return None
        return CameraAnalyst(
            source_id,
            known[0],
            instance_id=self._config.instance_id,
            classes=self._config.classes,
            regions=RegionSettings(full_look_every_s=self._config.full_look_s),
            clock=self._clock,
        )
