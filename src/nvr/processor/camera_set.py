"""The cameras of a processor, and every change of them while it runs: none costs another camera a frame."""

import logging
import threading
from collections.abc import Callable, Iterator
from itertools import count

from pydantic import ValidationError

from nvr.config.camera import CameraConfig
from nvr.config.processor import StreamProcessorConfig
from nvr.core.clock import Clock
from nvr.core.errors import ConfigurationError
from nvr.core.validation import first_problem
from nvr.media.decode_worker import FrameSink
from nvr.media.health import HealthSample
from nvr.media.stream import CameraStream
from nvr.processor.camera import Camera
from nvr.processor.recorder_port import CameraRecorder

logger = logging.getLogger(__name__)

STOP_S = 1.0
"""How long the removal of a camera waits for its threads."""

RETUNABLE = frozenset({"decode", "hwaccel", "max_fps", "quiet_s"})
"""What of a camera can be changed without a new connection."""


class CameraSet:
    """All cameras of one processor; any thread may call any method."""

    def __init__(
        self,
        config: StreamProcessorConfig,
        *,
        sink: FrameSink,
        admit: Callable[[int, CameraConfig], None],
        interrupt: Callable[[int], None],
        forget: Callable[[int], None],
        clock: Clock,
        recorder: CameraRecorder | None = None,
        pre_roll_s: float = 0.0,
    ) -> None:
        """Prepare an empty set.

        Args:
            config: The processor's settings.
            sink: Takes the frames of all cameras.
            admit: Called with each camera before its first frame; may refuse it with a ConfigurationError.
            interrupt: Called with the source id of a camera that pauses.
            forget: Called with the source id of a camera that is gone.
            clock: For time stamps and intervals.
            recorder: Told of each camera that comes and goes.
            pre_roll_s: Seconds of each camera that the recorder wants remembered.
        """
        self._recorder = recorder
        self._pre_roll_s = pre_roll_s
        self._config = config
        self._sink = sink
        self._admit = admit
        self._interrupt = interrupt
        self._forget = forget
        self._clock = clock
        self._lock = threading.Lock()
        self._cameras: dict[int, Camera] = {}
        self._leaving: set[int] = set()
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

    def add(self, camera: CameraConfig) -> int:
        """Begin with another camera; returns its source id at once, whether it can be reached or not.

        Raises:
            ConfigurationError: Its source id is taken, or its settings do not fit.
            RuntimeError: The processor does not run.
        """
        with self._lock:
            self._check_running()
            source_id = self._free_id() if camera.source_id is None else camera.source_id
            if source_id in self._cameras:
                raise ConfigurationError(f"source_id {source_id} is taken by {self._cameras[source_id].detect.name}")
            if self._recorder is None and camera.record not in {None, "off"}:
                raise ConfigurationError(
                    f"camera {source_id} is to be recorded ({camera.record}), and this processor records nothing: "
                    "start it with a folder for recordings and a mode"
                )
            if source_id in self._leaving:
                raise ConfigurationError(f"source_id {source_id} is being removed at this moment: try again")
            added = self._make(source_id, camera)
            self._cameras = self._cameras | {source_id: added}
            self._start(added)
        logger.info("camera %d: added, %s", source_id, added.detect.name)
        return source_id

    def remove(self, source_id: int) -> None:
        """End a camera; a thread of it that hangs in a read ends by its timeout.

        Raises:
            ConfigurationError: There is no such camera.
            RuntimeError: The processor does not run.
        """
        with self._lock:
            self._check_running()
            removed = self.get(source_id)
            self._cameras = {key: camera for key, camera in self._cameras.items() if key != source_id}
            self._leaving.add(source_id)
        try:
            removed.stop(lambda: STOP_S)
            if self._recorder is not None:
                self._recorder.remove_camera(source_id, STOP_S)
            self._forget(source_id)
        finally:
            self._leaving.discard(source_id)  # only now may its number be given again
        logger.info("camera %d: removed", source_id)

    def pause(self, source_id: int) -> None:
        """Hang up on a camera until `resume`: it is neither looked at nor recorded.

        Raises:
            ConfigurationError: There is no such camera.
        """
        self.get(source_id).pause()
        self._interrupt(source_id)
        logger.info("camera %d: paused", source_id)

    def resume(self, source_id: int) -> None:
        """Connect to a paused camera again.

        Raises:
            ConfigurationError: There is no such camera.
        """
        self.get(source_id).resume()
        logger.info("camera %d: resumed", source_id)

    def retune(self, source_id: int, **changes: object) -> CameraConfig:
        """Change how a camera is decoded and sampled, without a new connection; returns its new settings.

        Args:
            source_id: Which camera.
            changes: New values of `decode`, `hwaccel`, `max_fps` and `quiet_s` of its `CameraConfig`.

        Raises:
            ConfigurationError: There is no such camera, or a value is wrong or cannot be changed so.
        """
        camera = self.get(source_id)
        if fixed := sorted(changes.keys() - RETUNABLE):
            raise ConfigurationError(
                f"{fixed[0]} of camera {source_id} cannot be retuned, expected one of {', '.join(sorted(RETUNABLE))}: "
                "remove the camera and add it again"
            )
        try:
            config = CameraConfig.model_validate(camera.config.model_dump() | changes)
        except ValidationError as error:
            raise ConfigurationError(f"camera {source_id}: {first_problem(error)}") from error
        camera.retune(config)
        logger.info("camera %d: retuned, %s", source_id, ", ".join(f"{k}={v}" for k, v in sorted(changes.items())))
        return config

    def _make(self, source_id: int, camera: CameraConfig) -> Camera:
        self._admit(source_id, camera)
        return Camera(source_id, camera, self._config, sink=self._sink, clock=self._clock, pre_roll_s=self._pre_roll_s)

    def _start(self, camera: Camera) -> None:
        if self._recorder is not None:
            self._recorder.add_camera(camera.source_id, camera.ring, camera.config.record)
        camera.start()

    def _free_id(self) -> int:
        return next(
            key for key in count(self._config.first_source_id) if key not in self._cameras and key not in self._leaving
        )

    def _check_running(self) -> None:
        if not self._is_running:
            raise RuntimeError("the processor does not run")
