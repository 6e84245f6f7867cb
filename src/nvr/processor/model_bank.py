"""The models of a processor, each with its cameras: frames in, events out."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from nvr.assets.cancelling import IsCancelled
from nvr.config.camera import CameraConfig
from nvr.config.models import group_by_model
from nvr.config.processor import StreamProcessorConfig
from nvr.core.clock import Clock
from nvr.core.errors import CancelledError, ConfigurationError
from nvr.detection.detections import Detector
from nvr.detection.region_planner import RegionSettings
from nvr.media.frame import Frame
from nvr.media.freshest import FreshestFrames
from nvr.processor.analyst import AnalystSettings, CameraAnalyst
from nvr.processor.branch_maker import BranchMaker
from nvr.processor.branches import Branches
from nvr.processor.model_branch import Branch
from nvr.processor.model_swap import ModelSwap
from nvr.processor.multiplexer import TrackHandler
from nvr.processor.tally import FrameHandler, Tallies

logger = logging.getLogger(__name__)

CANCEL_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class _Known:
    """A camera, who looks at it, and by which rules."""

    camera: CameraConfig
    branch: Branch
    settings: AnalystSettings
    has_moved_with_others: bool = False
    """Whether it came to its model with all that choose none: they look at their whole pictures in turn."""


class ModelBank:
    """Hands the frames of each camera to the model that looks at it; a `FrameSink`.

    Any thread may call any method. Models come and go with the cameras that ask for them, but for that of the
    settings, which stays.
    """

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
        self._maker = BranchMaker(self._make_analyst, emit, emit_track, self._tallies, clock)
        groups = group_by_model(config.numbered_cameras, config.model_id)
        # without a camera: they will come, and most of them with this one
        names = [group.model_id for group in groups] or [config.model_id]
        self._branches = Branches({name: Branch(FreshestFrames(clock)) for name in names})
        self._default_id = config.model_id
        self._cameras: dict[int, _Known] = {}
        self._is_started = False
        self._is_closed = False
        self._lock = threading.Lock()
        self._loading = threading.Lock()

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
        is_alone = len(self._branches) == 1
        if given is not None and not is_alone:
            raise ConfigurationError(f"one detector was given, and the cameras name {self._branches}")
        for model_id, branch in self._branches.items():
            detector = given or self._maker.load(
                self._config, model_id, is_cancelled, is_alone=is_alone, falls_back=True
            )
            self._maker.equip(branch, detector, self._config, is_ours=given is None)
        if not is_alone:  # a single one has refused an unknown class already
            self._branches.check_classes(self._config.classes)

    def admit(self, source_id: int, camera: CameraConfig, is_cancelled: IsCancelled = lambda: False) -> None:
        """Look at a camera by these settings from now on; between two frames, where it is known already.

        A model that no other camera has is loaded first, in this thread, while the others are looked at. A camera that
        changes its model begins there without tracks.

        Raises:
            CancelledError: `is_cancelled` said so, or the processor stops.
            ConfigurationError: There is no such model.
            DownloadError, OfflineError, UnsupportedError: It cannot be had. Nothing has changed then.
        """
        model_id = camera.model_id or self._default_id
        while not self._assign(source_id, camera, model_id):
            self._bring(model_id, is_cancelled)

    def forget(self, source_id: int) -> None:
        """Drop what waits of a camera and end its tracks: it has been removed."""
        with self._lock:
            known = self._cameras.get(source_id)
            self._cameras = {key: value for key, value in self._cameras.items() if key != source_id}
        if known is not None:
            self._leave(source_id, known.branch)
        self._tallies.forget(source_id)

    def begin_anew(self, source_id: int) -> None:
        """Drop what waits of a camera and all that is known of it: what comes is another picture."""
        known = self._cameras.get(source_id)
        if known is not None and known.branch.multiplexer is not None:
            known.branch.multiplexer.forget(source_id)
            known.branch.frames.drop(source_id)
        self._tallies.forget(source_id)

    def interrupt(self, source_id: int) -> None:
        """Drop what waits of a camera that pauses, and end its tracks."""
        known = self._cameras.get(source_id)
        if known is not None and known.branch.multiplexer is not None:
            known.branch.multiplexer.interrupt(source_id)
            known.branch.frames.drop(source_id)

    def put(self, frame: Frame) -> None:
        """See `FrameSink.put`; a frame of a camera that is gone is dropped."""
        known = self._cameras.get(frame.source_id)
        if known is not None:
            known.branch.frames.put(frame)

    def wait_until_taken(self, source_id: int, timeout_s: float) -> bool:
        """See `FrameSink.wait_until_taken`."""
        known = self._cameras.get(source_id)
        return known is None or known.branch.frames.wait_until_taken(source_id, timeout_s)

    def replaced(self, source_id: int) -> int:
        """Return how many frames of a camera gave way to newer ones."""
        known = self._cameras.get(source_id)
        return 0 if known is None else known.branch.frames.replaced(source_id)

    def swap(
        self, model_id: str, *, instead_of: str | None = None, config: StreamProcessorConfig | None = None
    ) -> ModelSwap:
        """Look with another model, without a pause: it is loaded beside, and a failure leaves the old one.

        Args:
            model_id: As in the settings.
            instead_of: The model of the settings whose cameras are meant; None for the processor's own.
            config: Settings that come with it; None for those that hold now.

        Raises:
            ConfigurationError: There is no such model to be replaced.
            CancelledError: The processor stops.
            TransientError: Swaps that were cancelled before have not noticed it yet.
            RuntimeError: Nothing is loaded yet.
        """
        old_id = instead_of or self._default_id
        branch = self._branches.get(old_id)
        if branch is None:
            raise ConfigurationError(f"model {old_id} is not in use, expected one of {self._branches}")
        if branch.slot is None:
            raise RuntimeError("the processor was not started")
        return branch.slot.swap(
            lambda is_cancelled: self._maker.load(
                config or self._config, model_id, is_cancelled, is_alone=len(self._branches) == 1
            )
        )

    def change_default(self, config: StreamProcessorConfig, is_cancelled: IsCancelled = lambda: False) -> None:
        """Look with another model at all cameras that choose none, and at those to come; waits until it is so.

        Args:
            config: Names it, with the settings by which it is loaded; of these `configure` is told afterwards.
            is_cancelled: Asked while it is loaded.

        Raises:
            CancelledError, ConfigurationError, DownloadError, OfflineError, UnsupportedError: As `admit`; nothing has
                changed then.
        """
        old_id, model_id = self._default_id, config.model_id
        if model_id == old_id:
            return
        if self._can_swap(old_id, model_id):
            self._swap_and_wait(config, is_cancelled)
            with self._lock:
                self._branches.rename(old_id, model_id)
                self._default_id = model_id
            return
        self._default_id = model_id
        try:
            self._bring(model_id, is_cancelled)
        except BaseException:
            self._default_id = old_id
            raise
        for source_id, known in self._cameras.items():
            if known.camera.model_id is None:
                self._assign(source_id, known.camera, model_id, moves_with_others=True)
        self._retire_unused()

    def configure(self, config: StreamProcessorConfig) -> None:
        """Go by other settings of the processor, between two frames; its model is changed by `change_default`."""
        self._config = config
        with self._lock:
            self._cameras = {
                key: replace(known, settings=self._settings_for(known.camera)) for key, known in self._cameras.items()
            }
        for branch in self._branches.values():
            self._tell_confidence(branch)
        self._branches.retune(max_batch=config.max_batch, gather_s=config.max_wait_ms / 1000)

    def start(self) -> None:
        """Begin to look, in the background."""
        with self._lock:
            self._is_started = True
        self._branches.start()

    def stop(self, left_s: Callable[[], float]) -> None:
        """End all threads after the batches in work; a model that does not answer in time is left behind."""
        with self._lock:
            self._is_closed = True
        self._branches.stop(left_s)
        self._branches.close(left_s)

    def close(self) -> None:
        """Free the models that were loaded here, of which none was started."""
        with self._lock:
            self._is_closed = True
        self._branches.close(lambda: 0.0)

    @property
    def branches(self) -> Branches:
        """The models, and what they have worked."""
        return self._branches

    def _bring(self, model_id: str, is_cancelled: IsCancelled) -> None:
        """Load a model beside the others, unless it is there."""
        self._lock_loading(is_cancelled)
        try:
            if model_id not in self._branches:  # another camera may have brought it meanwhile
                branch = self._maker.make(self._config, model_id, lambda: self._is_closed or is_cancelled())
                self._take_in(model_id, branch, is_cancelled)
        finally:
            self._loading.release()

    def _take_in(self, model_id: str, branch: Branch, is_cancelled: IsCancelled) -> None:
        """Have a model that was loaded beside, unless nobody wants it any more."""
        if branch.multiplexer is not None and self._is_started:
            branch.multiplexer.start()
        with self._lock:
            is_wanted = not self._is_closed and not is_cancelled()
            if is_wanted:
                self._branches.add(model_id, branch)
        if not is_wanted:
            branch.end()
            raise CancelledError(f"model {model_id} was given up while it was loaded")

    def _assign(self, source_id: int, camera: CameraConfig, model_id: str, *, moves_with_others: bool = False) -> bool:
        """Let a branch look at a camera; False where there is no such branch."""
        with self._lock:
            branch = self._branches.get(model_id)
            if branch is None:
                return False
            before = self._cameras.get(source_id)
            left = None if before is None or before.branch is branch else before.branch
            known = _Known(camera, branch, self._settings_for(camera), moves_with_others)
            self._cameras = self._cameras | {source_id: known}
        self._tell_confidence(branch)
        if left is not None:
            self._leave(source_id, left)
        return True

    def _leave(self, source_id: int, branch: Branch) -> None:
        branch.frames.forget(source_id)
        if branch.multiplexer is not None:
            branch.multiplexer.forget(source_id)
        self._tell_confidence(branch)
        self._retire_unused()

    def _retire_unused(self) -> None:
        with self._lock:
            used = {id(known.branch) for known in self._cameras.values()}
            may_retire = self._is_started and not self._is_closed
            unused = self._branches.take_out(
                lambda key, branch: may_retire and id(branch) not in used and key != self._default_id
            )
        for model_id, branch in unused.items():
            branch.end()
            logger.info("model %s is not needed any more", model_id)
            with self._lock:
                self._branches.remember(branch)

    def _tell_confidence(self, branch: Branch) -> None:
        config = self._config
        usual = config.confidence_threshold if "confidence_threshold" in config.model_fields_set else None
        with self._lock:  # of two who tell it the last one knows all
            own = [known.camera.confidence_threshold for known in self._cameras.values() if known.branch is branch]
            if branch.slot is not None:
                branch.slot.set_confidence(usual, min((each for each in own if each is not None), default=1.0))

    def _settings_for(self, camera: CameraConfig) -> AnalystSettings:
        config = self._config
        return AnalystSettings(
            camera,
            config.instance_id,
            frozenset(config.classes),
            RegionSettings(full_look_every_s=config.full_look_s),
        )

    def _can_swap(self, old_id: str, new_id: str) -> bool:
        """Tell whether all cameras of the default model go over to one that is not there yet: tracks can go on then."""
        branch = self._branches.get(old_id)
        choosers = [k for k in self._cameras.values() if k.branch is branch and k.camera.model_id is not None]
        return branch is not None and branch.slot is not None and not choosers and new_id not in self._branches

    def _swap_and_wait(self, config: StreamProcessorConfig, is_cancelled: IsCancelled) -> None:
        swap = self.swap(config.model_id, config=config)
        while swap.wait(CANCEL_POLL_S) == "pending":
            if is_cancelled():
                swap.cancel()
        if swap.error is not None:
            raise swap.error

    def _lock_loading(self, is_cancelled: IsCancelled) -> None:
        while not self._loading.acquire(timeout=CANCEL_POLL_S):
            if is_cancelled() or self._is_closed:
                raise CancelledError("loading the model was given up while another one is loaded")

    def _make_analyst(self, source_id: int, branch: Branch) -> CameraAnalyst | None:
        known = self._cameras.get(source_id)
        if known is None or known.branch is not branch:  # it left while its last frame was on the way
            return None
        last = known.settings

        def read_settings() -> AnalystSettings:
            now = self._cameras.get(source_id)
            return last if now is None else now.settings

        analyst = CameraAnalyst(source_id, read_settings, clock=self._maker.clock)
        if known.has_moved_with_others:
            analyst.look_again(in_turn=True)
        return analyst
