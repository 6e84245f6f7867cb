"""The wall: cameras and detections in, pictures out. Front ends (window, page, snapshot) watch it."""

import logging
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nvr.bus import MqttConnection
from nvr.config import VideoWallConfig
from nvr.config.wall import WallCamera
from nvr.core.clock import Clock, SystemClock
from nvr.core.errors import ConfigurationError
from nvr.core.histogram import HistogramSnapshot
from nvr.core.throttle import ThrottledLog
from nvr.events import DetectionEvent
from nvr.events.protocol import detections_prefix
from nvr.media import CameraStream, IngestSettings
from nvr.media.pixels import Picture
from nvr.wall.camera_view import Camera, CameraView
from nvr.wall.compositor import GAP_PX, Compositor
from nvr.wall.detection_cache import DetectionCache
from nvr.wall.layout import GridLayout
from nvr.wall.mqtt_listener import MQTTListener
from nvr.wall.sources import FrameSource
from nvr.wall.view import WallView

logger = logging.getLogger(__name__)

MakeSource = Callable[[WallCamera], FrameSource]

OnComposed = Callable[[Picture, Mapping[int, DetectionEvent]], None]
"""Called in the wall's thread with a finished picture and, by source, the events whose boxes stand in it."""

ENLARGED_HEIGHT_PX = 720
STOP_TIMEOUT_S = 1.5


@dataclass(frozen=True, slots=True)
class WallState:
    """What the wall knows about itself."""

    broker: str
    is_broker_connected: bool
    broker_error: str | None
    n_events: int
    """Good detection events since the start."""
    n_bad_messages: int
    n_faults: int
    """How often a tile, composing or a watcher failed."""
    cameras: tuple[CameraView, ...]
    n_pictures: int
    """Composed since the start, of the grid and of enlarged cameras."""
    event_latency: HistogramSnapshot
    """Seconds from the capture of a frame to the arrival of its event."""
    topic_prefix: str
    """Of the events that it listens to, without the source id."""


class VideoWall:
    """Decodes every camera, listens for detections, and composes pictures for whoever watches.

    Pictures are composed in a thread of their own, at most `display_fps` times a second and only of views that
    someone watches; an arriving detection is drawn at once instead of at the next tick. Nothing is composed or
    encoded for nobody.
    """

    def __init__(
        self,
        config: VideoWallConfig,
        *,
        on_composed: OnComposed | None = None,
        make_source: MakeSource | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Prepare the wall; no connection is made before `start`.

        Args:
            config: What to show and how.
            on_composed: Watches the grid from the start.
            make_source: Makes what a camera's pictures come from; by default its stream.
            clock: For ages and latencies.

        Raises:
            ConfigurationError: There is no camera, or a TLS file cannot be used.
        """
        self._config = config
        self._clock = clock or SystemClock()
        self._make_source = make_source or self._stream
        _check_not_empty(config)
        self._cache = DetectionCache(config.detection_ttl_seconds, clock=self._clock)
        self._connection = MqttConnection(config.broker, client_id=f"nvr-wall-{uuid.uuid4().hex[:12]}")
        self._listener = MQTTListener(
            self._connection,
            self._cache,
            topic_prefix=detections_prefix(config.tenant, config.mqtt_topic_prefix),
            on_event=self._take_event,
            clock=self._clock,
        )
        self._listed = {camera.source_id: camera for camera in config.numbered_cameras}
        self._cameras = {source_id: self._new_camera(camera) for source_id, camera in self._listed.items()}
        self._leaving: list[FrameSource] = []
        self._lock = threading.Lock()
        self._faults = ThrottledLog(logger, logging.ERROR, clock=self._clock)
        self._pictures = 0
        self._work = threading.Event()
        self._is_stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._grid = self._new_view(tuple(self._cameras.values()), config.tile_width, config.tile_height, GAP_PX)
        self._enlarged: dict[int, WallView] = {}
        if on_composed is not None:
            self._grid.watch(lambda composition: on_composed(composition.picture, composition.events))

    @property
    def config(self) -> VideoWallConfig:
        """What it was built from."""
        return self._config

    @property
    def source_ids(self) -> tuple[int, ...]:
        """The cameras, in the order of their tiles."""
        return tuple(self._cameras)

    def start(self) -> None:
        """Connect to the cameras and the broker and begin to compose, all in the background.

        Raises:
            RuntimeError: It was started before; a wall is used once.
        """
        if self._thread is not None:
            raise RuntimeError("the wall was started before")
        self._thread = threading.Thread(target=self._run, name="wall-compose", daemon=True)
        self._thread.start()
        self._listener.start()
        self._connection.start()
        for camera in self._cameras.values():
            camera.source.start()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait until `stop` was called from another thread or a signal handler; False if it was not in time."""
        return self._is_stopping.wait(timeout_s)

    def stop(self) -> None:
        """End all threads within 2 s, whatever a camera or the broker does; may be called again."""
        self._is_stopping.set()
        self._work.set()
        with self._lock:
            sources = [*(camera.source for camera in self._cameras.values()), *self._leaving]
        for source in sources:
            source.request_stop()
        deadline_s = self._clock.monotonic() + STOP_TIMEOUT_S
        self._connection.stop(timeout_s=0.5)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=0.5)
        hanging = [
            source.source_id
            for source in sources
            if not source.stop(timeout_s=max(0.0, deadline_s - self._clock.monotonic()))
        ]
        if hanging:
            logger.info("cameras %s still wait for an answer and end by their timeout", hanging)

    def change_cameras(self, config: VideoWallConfig) -> None:
        """Show the cameras of other settings from now on; those that stay as they are keep their connection.

        Only `stream_uris` and `cameras` are looked at; all else stays as it was. For one thread at a time.

        Raises:
            ConfigurationError: There would be no camera; nothing has changed.
        """
        _check_not_empty(config)
        with self._lock:
            if self._is_stopping.is_set():
                return
            before, listed = self._listed, {camera.source_id: camera for camera in config.numbered_cameras}
            kept = {key for key, camera in listed.items() if before.get(key) == camera}
            cameras = {key: self._cameras[key] if key in kept else self._new_camera(listed[key]) for key in listed}
            gone = [camera.source for key, camera in self._cameras.items() if key not in kept]
            self._listed, self._cameras = listed, cameras
            self._enlarged = {key: view for key, view in self._enlarged.items() if key in kept}
            # a stream ends by itself soon; one that hangs in a read ends by its timeout
            self._leaving = [source for source in self._leaving if not source.stop(timeout_s=0)] + gone
            started = [camera.source for key, camera in cameras.items() if key not in kept]
        for source in gone:
            source.request_stop()
        if self._thread is not None:
            for source in started:
                source.start()
        shown, settings = tuple(cameras.values()), self._config
        self._grid.replace(
            lambda version: self._compositor(shown, settings.tile_width, settings.tile_height, GAP_PX, version)
        )
        logger.info("the wall shows %d cameras: %d came, %d went", len(cameras), len(started), len(gone))

    def view(self, source_id: int | None = None) -> WallView:
        """Return the grid, or one camera enlarged; an unknown camera raises KeyError."""
        if source_id is None:
            return self._grid
        with self._lock:
            known = self._enlarged.get(source_id)
            if known is None:
                width_px = round(ENLARGED_HEIGHT_PX * self._config.tile_width / self._config.tile_height)
                known = self._new_view((self._cameras[source_id],), width_px, ENLARGED_HEIGHT_PX, 0)
                self._enlarged[source_id] = known
            return known

    def compose(self) -> Picture:
        """Return the grid of now: (H, W, 3) uint8, BGR, read-only; any thread, also before `start`."""
        return self._grid.compose().picture

    def look(self) -> tuple[CameraView, ...]:
        """Return what there is to show of each camera now."""
        return tuple(camera.look() for camera in self._cameras.values())

    def state(self) -> WallState:
        """Return what the wall knows about itself now."""
        return WallState(
            broker=self._connection.address,
            is_broker_connected=self._connection.is_connected,
            broker_error=self._connection.last_error,
            n_events=self._listener.n_events,
            n_bad_messages=self._listener.n_bad,
            n_faults=self._faults.total,
            cameras=self.look(),
            n_pictures=self._pictures,
            event_latency=self._listener.latency,
            topic_prefix=self._listener.topic_prefix,
        )

    def _new_view(self, cameras: Sequence[Camera], width_px: int, height_px: int, gap_px: int) -> WallView:
        return WallView(self._compositor(cameras, width_px, height_px, gap_px), on_watched=self._work.set)

    def _compositor(
        self, cameras: Sequence[Camera], width_px: int, height_px: int, gap_px: int, after_version: int = 0
    ) -> Compositor:
        return Compositor(
            cameras,
            GridLayout(len(cameras), width_px, height_px, gap_px),
            min_confidence=self._config.min_confidence,
            faults=self._faults,
            after_version=after_version,
        )

    def _new_camera(self, camera: WallCamera) -> Camera:
        stale_after_s = self._config.stale_after_seconds
        source = self._make_source(camera)
        return Camera(source, self._cache, stale_after_s=stale_after_s, clock=self._clock, name=camera.name)

    def _stream(self, camera: WallCamera) -> FrameSource:
        config = self._config
        settings = IngestSettings(
            rtsp_transport=camera.rtsp_transport or config.rtsp_transport,
            open_timeout_s=config.open_timeout_s,
            read_timeout_s=config.read_timeout_s,
            reconnect_max_s=config.reconnect_max_s,
            loop_file=True,
        )
        return CameraStream(camera.source_id, camera.uri, settings=settings, clock=self._clock)

    def _take_event(self, _event: DetectionEvent) -> None:
        self._work.set()

    def _watched(self) -> list[WallView]:
        with self._lock:
            return [view for view in (self._grid, *self._enlarged.values()) if view.is_watched]

    def _run(self) -> None:
        tick_s = 1 / self._config.display_fps
        while not self._is_stopping.is_set():
            started_s = self._clock.monotonic()
            self._work.clear()
            views = self._watched()
            for view in views:
                self._refresh(view)
            # an event wakes it early, but half a tick passes in any case, which bounds the work at twice the rate
            self._is_stopping.wait(max(0.0, started_s + tick_s / 2 - self._clock.monotonic()))
            self._work.wait(max(0.0, started_s + tick_s - self._clock.monotonic()) if views else None)

    def _refresh(self, view: WallView) -> None:
        try:
            view.refresh()
            self._pictures += 1
        except Exception as error:  # the supervisor of pictures and watchers: one that fails must not freeze the wall
            if self._faults.total == 0:
                logger.exception("composing or a watcher failed; the wall goes on")
            self._faults.report(f"composing or a watcher failed: {error!r}")


def _check_not_empty(config: VideoWallConfig) -> None:
    if not config.numbered_cameras:
        raise ConfigurationError(
            "the wall has no camera: give it at least one stream URI, or a configuration file that has some"
        )
