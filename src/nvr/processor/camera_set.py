"""The cameras of a processor, and every change of them while it runs: none costs another camera a frame."""

import logging
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from itertools import count

from nvr.assets.cancelling import IsCancelled
from nvr.config.camera import CameraConfig
from nvr.config.processor import StreamProcessorConfig
from nvr.core.clock import Clock
from nvr.core.errors import CancelledError, ConfigurationError, StreamError, TransientError
from nvr.media.decoder import check_hwaccel
from nvr.media.health import HealthSample
from nvr.media.stream import CameraStream
from nvr.processor.camera import Camera
from nvr.processor.camera_change import NEEDS_CONNECTION, changed_settings, connection_of, why_not
from nvr.processor.gate import GatedSink, PublicationGate
from nvr.processor.model_bank import ModelBank
from nvr.processor.recorder_port import CameraRecorder

logger = logging.getLogger(__name__)

STOP_S = 1.0
"""How long the removal of a camera waits for its threads."""

POLL_S = 0.02
"""How often is looked whether a camera has answered that is to take the place of another."""


def never() -> bool:
    """Say that nobody has given it up."""
    return False


class CameraSet:
    """All cameras of one processor; any thread may call any method."""

    def __init__(
        self,
        config: StreamProcessorConfig,
        *,
        models: ModelBank,
        gate: PublicationGate,
        clock: Clock,
        recorder: CameraRecorder | None = None,
        pre_roll_s: float = 0.0,
        on_replaced: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Prepare an empty set.

        Args:
            config: The processor's settings.
            models: Look at the frames of all cameras.
            gate: Keeps back what is said of cameras that pause.
            clock: For time stamps and intervals.
            recorder: Told of each camera that comes and goes.
            pre_roll_s: Seconds of each camera that the recorder wants remembered.
            on_replaced: Called with the source id of a camera whose counters begin anew.
        """
        self._recorder = recorder
        self._pre_roll_s = pre_roll_s
        self._config = config
        self._models = models
        self._gate = gate
        self._sink = GatedSink(gate, models)
        self._clock = clock
        self._on_replaced = on_replaced
        self._lock = threading.Lock()
        self._cameras: dict[int, Camera] = {}
        self._busy: set[int] = set()
        self._is_running = False

    def __iter__(self) -> Iterator[Camera]:
        return iter(tuple(self._cameras.values()))

    def __len__(self) -> int:
        return len(self._cameras)

    def prepare(self) -> None:
        """Make the cameras of the settings.

        Raises:
            ConfigurationError: One is to be decoded by a device that is unknown to this build of FFmpeg.
        """
        for source_id, camera in self._config.numbered_cameras:
            self._models.admit(source_id, camera)
        self._cameras = {key: self._make(key, camera) for key, camera in self._config.numbered_cameras}

    def start(self) -> None:
        """Begin with all of them."""
        with self._lock:
            self._is_running = True
            for camera in self:
                self._start(camera)

    def request_stop(self) -> None:
        """Ask all threads to end, without waiting; from now on no camera can be added."""
        with self._lock:
            self._is_running = False
            for camera in self:
                camera.request_stop()

    def stop(self, left_s: Callable[[], float]) -> None:
        """End all threads; those that still hang in a read after what `left_s` tells end by their timeouts."""
        self.request_stop()
        for camera in self:
            camera.stop(left_s)

    def are_finished(self) -> bool:
        """Tell whether there are cameras and all have ended for good."""
        cameras = tuple(self)
        return bool(cameras) and all(camera.is_finished() for camera in cameras)

    def streams(self) -> list[CameraStream]:
        """Return every stream of every camera."""
        return [stream for camera in self for stream in camera.streams]

    def samples(self) -> list[tuple[int, HealthSample]]:
        """Return what is known of each camera's health now, with its source id."""
        recorder = self._recorder
        return [
            (camera.source_id, camera.sample(() if recorder is None else recorder.troubles(camera.source_id)))
            for camera in self
        ]

    def get(self, source_id: int) -> Camera:
        """Return a camera.

        Raises:
            ConfigurationError: There is no such camera.
        """
        camera = self._cameras.get(source_id)
        if camera is None:
            known = ", ".join(str(key) for key in sorted(self._cameras)) or "none"
            raise ConfigurationError(f"there is no camera {source_id}, there are {known}")
        return camera

    def add(self, camera: CameraConfig, is_cancelled: IsCancelled = never, *, avoid: Collection[int] = ()) -> int:
        """Begin with another camera; returns its source id, whether it can be reached or not.

        Returns at once, unless its model has to be loaded first: that is waited for, and a failure leaves everything
        as it was.

        Args:
            camera: Its settings; without a source id it gets one.
            is_cancelled: Asked while a model is loaded.
            avoid: Numbers that others have, which it does not get unless its settings say so.

        Raises:
            CancelledError: `is_cancelled` said so while a model was loaded, or the processor stops.
            ConfigurationError: Its source id is taken, its settings do not fit, or there is no such model.
            DownloadError, UnsupportedError: Its model cannot be had.
            TransientError: A camera of that number is being added or removed.
            RuntimeError: The processor does not run.
        """
        with self._lock:
            self._check_running()
            source_id = self._free_id(avoid) if camera.source_id is None else camera.source_id
            if source_id in self._cameras:
                raise ConfigurationError(f"source_id {source_id} is taken by {self._cameras[source_id].detect.name}")
            self._check_recordable(source_id, camera)
            self._claim({source_id})
        try:
            added = self._make(source_id, camera)
            self._models.admit(source_id, camera, self._until_stopped(is_cancelled))
            try:
                with self._lock:
                    self._check_running()
                    self._start(added)
                    self._cameras = self._cameras | {source_id: added}
            except BaseException:
                self._models.forget(source_id)
                raise
        finally:
            self._busy.discard(source_id)
        logger.info("camera %d: added, %s", source_id, added.detect.name, extra={"source_id": source_id})
        return source_id

    def remove(self, source_id: int) -> None:
        """End a camera; a thread of it that hangs in a read ends by its timeout. A model that only it had is freed.

        Raises:
            ConfigurationError: There is no such camera.
            TransientError: It is being changed.
            RuntimeError: The processor does not run.
        """
        with self._claimed({source_id}) as (removed,):
            with self._lock:
                self._cameras = {key: camera for key, camera in self._cameras.items() if key != source_id}
            removed.stop(lambda: STOP_S)
            if self._recorder is not None:
                self._recorder.remove_camera(source_id, STOP_S)
            self._models.forget(source_id)
            self._gate.forget(source_id)
        logger.info("camera %d: removed", source_id, extra={"source_id": source_id})

    def pause(self, source_ids: Collection[int] | None = None, *, hang_up: bool = False) -> tuple[int, ...]:
        """Look at some cameras no more until `resume`; see `StreamProcessor.pause`."""
        with self._lock:
            cameras = self._chosen(source_ids)
            ids = tuple(camera.source_id for camera in cameras)
            self._gate.close(ids)
            for camera in cameras:
                camera.pause(hang_up=hang_up)
                self._models.interrupt(camera.source_id)
        logger.info("cameras %s: paused%s", ids, " and hung up" if hang_up else "")
        return ids

    def resume(self, source_ids: Collection[int] | None = None) -> tuple[int, ...]:
        """Look at some cameras again; see `StreamProcessor.resume`."""
        with self._lock:
            cameras = self._chosen(source_ids)
            ids = tuple(camera.source_id for camera in cameras)
            self._gate.open(ids)
            for camera in cameras:
                camera.resume()
        logger.info("cameras %s: resumed", ids)
        return ids

    def update(
        self, source_id: int, camera: CameraConfig, is_cancelled: IsCancelled = never, *, must_connect: bool = True
    ) -> CameraConfig:
        """Give a camera other settings; see `StreamProcessor.update_camera`."""
        if camera.source_id not in {None, source_id}:
            raise ConfigurationError(f"camera {source_id} keeps its number, got source_id {camera.source_id}")
        with self._claimed({source_id}) as (old,):
            self._check_recordable(source_id, camera)
            check_hwaccel(camera.hwaccel or self._config.hwaccel)
            changed = changed_settings(old.config, camera)
            if (camera.rtsp_transport or self._config.rtsp_transport) == old.rtsp_transport:
                changed -= {"rtsp_transport"}  # named or not, it is the one that is used already
            if changed & NEEDS_CONNECTION:
                self._replace(old, camera, self._until_stopped(is_cancelled), must_connect=must_connect)
            elif changed:
                self._models.admit(source_id, camera, self._until_stopped(is_cancelled))
                self._retune(old, camera)
        news = ", ".join(sorted(changed)) or "nothing is new"
        logger.info("camera %d: updated, %s", source_id, news, extra={"source_id": source_id})
        return camera

    def tune(self, source_ids: Collection[int] | None = None, **changes: object) -> tuple[int, ...]:
        """Give some cameras, or all, the same values of settings that need neither connection nor model.

        Args:
            source_ids: None for all.
            changes: Valid values of fields of their `CameraConfig`.

        Raises:
            ConfigurationError: There is no such camera; nothing has changed then.
            TransientError: One is being changed.
            RuntimeError: The processor does not run.
        """
        with self._claimed(source_ids) as cameras:
            for camera in cameras:
                config = camera.config.model_copy(update=changes)
                self._models.admit(camera.source_id, config)
                self._retune(camera, config)
        return tuple(camera.source_id for camera in cameras)

    def configure(self, config: StreamProcessorConfig) -> None:
        """Go by other settings of the processor where a camera has none of its own; no connection is made anew.

        Raises:
            ConfigurationError: The device is unknown to this build of FFmpeg; nothing has changed then.
        """
        check_hwaccel(config.hwaccel)
        with self._lock:
            self._config = config
            for camera in self:
                camera.retune(camera.config, config)

    def _retune(self, camera: Camera, config: CameraConfig) -> None:
        is_new_mode = config.record != camera.config.record
        camera.retune(config, self._config)
        if self._recorder is not None and is_new_mode:
            self._recorder.set_mode(camera.source_id, config.record)

    def _replace(self, old: Camera, config: CameraConfig, is_cancelled: IsCancelled, *, must_connect: bool) -> None:
        """Put a camera in the place of another of the same number, once it has answered."""
        source_id = old.source_id
        new = self._make(source_id, config, is_detecting=False)
        if old.is_hung_up:
            new.pause(hang_up=True)
        new.start()
        try:
            if must_connect and not old.is_hung_up:
                self._wait_for(new, is_cancelled)
            self._models.admit(source_id, config, is_cancelled)
            with self._lock:
                self._check_running()
                self._take_over(old, new)
        except BaseException:
            new.stop(lambda: 0.0)
            raise
        old.stop(lambda: STOP_S)
        if self._recorder is not None:
            self._recorder.remove_camera(source_id, STOP_S)
            self._recorder.add_camera(source_id, new.ring, config.record)
        self._on_replaced(source_id)

    def _take_over(self, old: Camera, new: Camera) -> None:
        source_id = old.source_id
        old.request_stop()
        self._gate.close([source_id])  # nothing that is in work of the old one comes after the new one
        self._cameras = self._cameras | {source_id: new}
        self._models.begin_anew(source_id)
        new.retune(new.config, self._config)
        if old.is_detecting:
            self._gate.open([source_id])
            new.resume()
        elif old.is_hung_up:  # perhaps only since the new one has called
            new.pause(hang_up=True)

    def _wait_for(self, new: Camera, is_cancelled: IsCancelled) -> None:
        deadline_s = self._clock.monotonic() + self._config.open_timeout_s + self._config.read_timeout_s
        waiting = threading.Event()
        while (state := connection_of(new)) == "pending" and self._clock.monotonic() < deadline_s:
            if is_cancelled():
                raise CancelledError(f"camera {new.source_id}: the change was given up")
            waiting.wait(POLL_S)
        if state != "made":
            raise StreamError(f"camera {new.source_id} goes on as it was: {why_not(new)}")

    def _make(self, source_id: int, camera: CameraConfig, *, is_detecting: bool = True) -> Camera:
        return Camera(
            source_id,
            camera,
            self._config,
            sink=self._sink,
            clock=self._clock,
            pre_roll_s=self._pre_roll_s,
            is_detecting=is_detecting,
        )

    def _start(self, camera: Camera) -> None:
        if self._recorder is not None:
            self._recorder.add_camera(camera.source_id, camera.ring, camera.config.record)
        camera.start()

    def _chosen(self, source_ids: Collection[int] | None) -> tuple[Camera, ...]:
        return tuple(self) if source_ids is None else tuple(self.get(key) for key in sorted(set(source_ids)))

    def _free_id(self, avoid: Collection[int]) -> int:
        # one that it began with and that was taken out comes back when it begins anew
        at_first = {key for key, _ in self._config.numbered_cameras}
        taken = at_first.union(self._cameras, self._busy, avoid)
        return next(key for key in count(self._config.first_source_id) if key not in taken)

    @contextmanager
    def _claimed(self, source_ids: Collection[int] | None) -> Iterator[tuple[Camera, ...]]:
        """Keep others from changing some cameras, or all, for a while."""
        with self._lock:
            self._check_running()
            cameras = self._chosen(source_ids)
            claimed = {camera.source_id for camera in cameras}
            self._claim(claimed)
        try:
            yield cameras
        finally:
            self._busy.difference_update(claimed)

    def _claim(self, source_ids: Collection[int]) -> None:
        if taken := sorted(self._busy.intersection(source_ids)):
            raise TransientError(f"camera {taken[0]} is being changed at this moment: try again")
        self._busy.update(source_ids)

    def _check_recordable(self, source_id: int, camera: CameraConfig) -> None:
        if self._recorder is None and camera.record not in {None, "off"}:
            raise ConfigurationError(
                f"camera {source_id} is to be recorded ({camera.record}), and this processor records nothing: "
                "start it with a folder for recordings and a mode"
            )

    def _check_running(self) -> None:
        if not self._is_running:
            raise RuntimeError("the processor does not run")

    def _until_stopped(self, is_cancelled: IsCancelled) -> IsCancelled:
        return lambda: not self._is_running or is_cancelled()
