"""The processor as one object: start, join, terminate."""

import logging
import threading
from collections.abc import Collection, Mapping

from nvr.assets.cancelling import IsCancelled
from nvr.config.camera import CameraConfig
from nvr.config.processor import StreamProcessorConfig
from nvr.core.clock import Clock, SystemClock
from nvr.core.errors import CancelledError, ConfigurationError, NvrError
from nvr.core.names import check_name
from nvr.detection.detections import Detector
from nvr.events.schema import SourceEvent
from nvr.media.decoder import check_hwaccel
from nvr.processor.camera_set import CameraSet, never
from nvr.processor.engine import Engine
from nvr.processor.health_watch import HealthHandler
from nvr.processor.live_settings import checked, split_changes
from nvr.processor.model_swap import ModelSwap
from nvr.processor.multiplexer import EventHandler, TrackHandler
from nvr.processor.recorder_port import CameraRecorder
from nvr.processor.report import ProcessorReport

logger = logging.getLogger(__name__)

STOP_S = 1.2
"""All that `terminate` waits for, together, but for the disk."""

FINISHED_POLL_S = 0.2


class StreamProcessor:
    """Reads many cameras, looks at their freshest frames with one detector, publishes what it saw.

    Works in any thread, any number of times in one process; sets no signal handlers.
    """

    def __init__(
        self,
        config: StreamProcessorConfig,
        *,
        on_event: EventHandler | None = None,
        on_track: TrackHandler | None = None,
        on_health: HealthHandler | None = None,
        detector: Detector | None = None,
        recorder: CameraRecorder | None = None,
        pre_roll_s: float = 0.0,
        clock: Clock | None = None,
        allow_empty: bool = False,
    ) -> None:
        """Prepare; nothing is loaded or opened before `start`.

        Args:
            config: All settings.
            on_event: Takes each event and its frame, in a thread of its own; if it is slow, the oldest are dropped.
            on_track: Takes each start, update and end of a track, in a thread of its own.
            on_health: Takes each change of a camera's health, in a thread of its own.
            detector: Used instead of the model that `config` names; the processor does not close it.
            recorder: Records the cameras; started and stopped with the processor.
            pre_roll_s: Seconds of each camera that the recorder wants remembered.
            clock: For time stamps and intervals.
            allow_empty: Start without a camera, too: they come later, by `cameras.add`.

        Raises:
            ConfigurationError: There is no camera.
        """
        if not config.numbered_cameras and not allow_empty:
            raise ConfigurationError(
                "there is no camera: give at least one stream URI, or a configuration file that has some"
            )
        self._config = self._applied = config
        self._given_detector = detector
        self._clock = clock or SystemClock()
        self._engine = Engine(
            config,
            on_event=on_event,
            on_track=on_track,
            on_health=on_health,
            recorder=recorder,
            pre_roll_s=pre_roll_s,
            clock=self._clock,
        )
        self._settings_lock = threading.Lock()
        self._applying = threading.Lock()
        self._is_started = False
        self._is_stopping = threading.Event()
        self._is_terminated = threading.Event()
        self._lifecycle = threading.Lock()

    @property
    def config(self) -> StreamProcessorConfig:
        """The settings that it goes by now, but for its cameras, which are in `cameras`."""
        return self._config

    def start(self) -> None:
        """Load the model, connect to broker and cameras, begin; returns at once, cameras or not.

        Raises:
            ConfigurationError: A setting names something that does not exist or does not fit.
            CancelledError: `terminate` was called meanwhile.
            UnsupportedError: The model needs what is not installed.
            RuntimeError: It was started before.
        """
        with self._lifecycle:
            if self._is_started or self._is_stopping.is_set():
                raise RuntimeError("a processor is started once")
            self._is_started = True
        try:
            self._engine.load(self._is_stopping.is_set, self._given_detector)
        except NvrError:
            with self._lifecycle:
                self._close_unstarted()
            raise
        with self._lifecycle:
            try:
                if self._is_stopping.is_set():
                    raise CancelledError("the processor was terminated while its model was loaded")
                self._engine.build(self._config)
            except NvrError:
                self._close_unstarted()
                raise
            self._engine.start()
        logger.info(
            "watching %d camera%s with %s as instance %s",
            len(self.cameras),
            "" if len(self.cameras) == 1 else "s",
            " and ".join(status.model_id for status in self._engine.models.branches.statuses),
            self._config.instance_id,
        )

    def _close_unstarted(self) -> None:
        self._engine.close_unstarted()
        self._is_terminated.set()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait until it is terminated, or all of its files have come to their end, which terminates it.

        One without cameras goes on: some may come.

        Returns:
            Whether it has ended; False after `timeout_s`.
        """
        deadline_s = None if timeout_s is None else self._clock.monotonic() + timeout_s
        while not self._is_terminated.wait(FINISHED_POLL_S):
            if self.cameras.are_finished():
                self._engine.finish()
                self.terminate()
                return True
            if deadline_s is not None and self._clock.monotonic() >= deadline_s:
                return False
        return True

    def terminate(self) -> None:
        """Stop everything, within 2 s whatever a camera or the broker does; may be called twice and from any thread.

        Only a disk that is slow to take the last recordings is waited for longer, for 5 s.
        A camera thread that hangs in a read is left behind and ends by its timeout.
        """
        self._is_stopping.set()
        with self._lifecycle:
            if self._is_terminated.is_set():
                return
            deadline_s = self._clock.monotonic() + STOP_S
            self._engine.stop(lambda: max(0.0, deadline_s - self._clock.monotonic()))
            self._is_terminated.set()
        logger.info("instance %s has stopped", self._config.instance_id)

    @property
    def cameras(self) -> CameraSet:
        """The cameras, which may be added, removed, paused, resumed and changed while it runs."""
        return self._engine.cameras

    def report(self) -> ProcessorReport:
        """Return the counters of this moment."""
        return self._engine.report()

    def swap_model(self, model_id: str, *, instead_of: str | None = None) -> ModelSwap:
        """Look with another model, without a pause: it is loaded beside, and a failure leaves the old one.

        Args:
            model_id: Catalogue name, path of an .onnx file, `motion`, or `roboflow:<model id>`.
            instead_of: The model of the settings whose cameras are meant; None for the processor's own.

        Raises:
            ConfigurationError: There is no such model to be replaced.
            CancelledError: The processor stops.
            TransientError: Swaps that were cancelled before have not noticed it yet.
            RuntimeError: The processor was not started.
        """
        return self._engine.models.swap(model_id, instead_of=instead_of)

    def pause(self, source_ids: Collection[int] | None = None, *, hang_up: bool = False) -> tuple[int, ...]:
        """Look at some cameras no more until `resume`; their connections and their recording go on.

        When this returns, nothing is published of them any more, be it in work already, but for the ends of their
        tracks, which follow within a moment, reason `removed`, and what a sink is handing over in this instant. Nothing
        of them is decoded. May be repeated; without `hang_up` a camera that has hung up stays so. Cameras that are
        added later do not pause.

        Args:
            source_ids: None for all that there are.
            hang_up: Close their connections as well, so that nothing is recorded either.

        Returns:
            The ids concerned.

        Raises:
            ConfigurationError: There is no such camera; nothing has changed then.
        """
        return self.cameras.pause(source_ids, hang_up=hang_up)

    def resume(self, source_ids: Collection[int] | None = None) -> tuple[int, ...]:
        """Look at paused cameras again, and connect to those that had hung up; the others go on as they are.

        Of frames that were captured during the pause nothing is ever said.

        Raises:
            ConfigurationError: There is no such camera; nothing has changed then.
        """
        return self.cameras.resume(source_ids)

    def set_max_fps(self, max_fps: float | None, source_ids: Collection[int] | None = None) -> tuple[int, ...]:
        """Analyse at most so many frames per second, from the next frame on.

        Args:
            max_fps: None: no limit of its own, so that single cameras go by that of all, and all by none.
            source_ids: Which cameras, which keep that as their own; None for all, those too that had a value of their
                own, and those that are added later.

        Returns:
            The ids concerned.

        Raises:
            ConfigurationError: There is no such camera, or the value is out of range; nothing has changed then.
            TransientError: A camera is being changed.
            RuntimeError: The processor does not run.
        """
        return self._set("max_fps", max_fps, source_ids)

    def set_confidence(self, confidence: float, source_ids: Collection[int] | None = None) -> tuple[int, ...]:
        """Publish what is at least so sure, 0..1, from the next frame on, whatever model looks.

        Lower than a model was loaded with works as well as higher, but for a detector that was given and cannot be
        adjusted. See `set_max_fps`.
        """
        return self._set("confidence_threshold", confidence, source_ids)

    def update_camera(
        self, source_id: int, camera: CameraConfig, is_cancelled: IsCancelled = never, *, must_connect: bool = True
    ) -> CameraConfig:
        """Give a camera other settings; none costs another camera a frame.

        Without a new connection, between two frames, where that is possible: all but its addresses and transport. Else
        the new connection is made beside the old one, which ends when the first packet of the new one has come; its
        tracks end and its counters begin anew. A model that nobody has yet is loaded first, which is waited for.

        Args:
            source_id: Which camera.
            camera: All of its new settings; its number may be left out.
            is_cancelled: Asked while something is waited for.
            must_connect: False changes over at once, whether the new address answers or not, as after `add`; for
                cameras that take only one connection, and settings that are known to be right.

        Returns:
            Its settings.

        Raises:
            CancelledError: `is_cancelled` said so, or the processor stops.
            ConfigurationError: There is no such camera, or its settings do not fit.
            DownloadError, UnsupportedError: Its model cannot be had.
            StreamError: The new connection failed, or nothing came in time.
            TransientError: It is being changed.
            RuntimeError: The processor does not run.
                After any of these the camera goes on as it was.
        """
        return self.cameras.update(source_id, camera, is_cancelled, must_connect=must_connect)

    def rename(self, instance_id: str) -> None:
        """Sign all that is said from the next frame on with another name; broker and log keep the old one.

        Raises:
            ConfigurationError: No instance may be called so.
        """
        check_name(instance_id, "instance")
        self._configure({"instance_id": instance_id})
        self._engine.rename_recorder(instance_id)
        logger.info("what is published is signed by instance %s from now on", instance_id)

    def apply(self, new: StreamProcessorConfig, is_cancelled: IsCancelled = never) -> tuple[str, ...]:
        """Go by new settings of the processor as far as a running one can; its cameras are changed one by one.

        Compared is with what was applied last, so that what was changed by a command stays unless the setting itself
        changes. Another model is loaded first, which is waited for; a failure leaves everything as it was.

        Args:
            new: All settings; its cameras are not looked at.
            is_cancelled: Asked while a model is loaded.

        Returns:
            The names of changed settings that have no effect before the processor is made anew.

        Raises:
            CancelledError, ConfigurationError, DownloadError, UnsupportedError: Another model or device cannot be had.
            RuntimeError: The processor does not run.
        """
        with self._applying:
            live, rebuild = split_changes(self._applied, new)
            check_hwaccel(new.hwaccel)
            if "classes" in live and "model_id" not in live:
                self._engine.models.branches.check_classes(new.classes)
            if "model_id" in live:
                self._engine.models.change_default(new, lambda: self._is_stopping.is_set() or is_cancelled())
            self._configure(live)
            if "instance_id" in live:
                self.rename(new.instance_id)
            self._applied = new
        if live:
            logger.info("new settings: %s", ", ".join(sorted(live)))
        return rebuild

    def _set(self, name: str, value: float | None, source_ids: Collection[int] | None) -> tuple[int, ...]:
        value = checked(name, value)
        if source_ids is not None:
            return self.cameras.tune(source_ids, **{name: value})
        chosen = self.cameras.tune(None, **{name: None})
        self._configure({name: value})
        return chosen

    def _configure(self, changes: Mapping[str, object]) -> None:
        with self._settings_lock:
            config = self._config.model_copy(update=dict(changes))
            self._engine.configure(config)
            self._config = config

    def announce(self, event: SourceEvent) -> None:
        """Publish what was recorded; any thread, never waits. Without a broker nobody is told."""
        self._engine.announce(event)
