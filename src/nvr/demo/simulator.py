"""N simulated cameras behind one RTSP port, in a thread of their own."""

import asyncio
import errno
import logging
import random
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Self, TypeVar

from nvr.core.clock import Clock, SystemClock
from nvr.core.errors import ConfigurationError
from nvr.demo.clip import Clip, build_file_clips, build_scene_clips
from nvr.demo.fault import FaultPlan, ServerRestart, parse_faults
from nvr.demo.rtsp.camera import Camera, SentFrame
from nvr.demo.rtsp.connection import Limits
from nvr.demo.rtsp.digest import Credentials, DigestAlgorithm
from nvr.demo.rtsp.server import RtspServer, stream_path
from nvr.demo.rtsp.timeline import PacketizedLoop
from nvr.demo.scene import Activity, SceneEvent, SceneSettings
from nvr.demo.truth import FrameTruth, TruthLog, write_events
from nvr.media.access_unit import EncodedLoop
from nvr.media.encode import EncoderSettings, RateControl
from nvr.media.packet_file import default_cache_dir

logger = logging.getLogger(__name__)

MAX_CAMERAS = 256

_CALL_TIMEOUT_S = 10.0
_ANY_ADDRESS = ("", "0.0.0.0", "::")  # noqa: S104 - recognised, not chosen

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """What is simulated. `width_px`, `height_px`, `fps`, `scene_s` and what follows them is for scenes only."""

    n_cameras: int = 4
    host: str = "127.0.0.1"
    port: int = 0
    """0 takes a free one."""
    files: tuple[Path, ...] = ()
    """Video files, dealt out to the cameras in turn; none = synthetic scenes."""
    credentials: tuple[str, str] | None = field(default=None, repr=False)
    """User and password that all cameras ask for by digest."""
    digest_algorithm: DigestAlgorithm = "MD5"
    faults: tuple[str, ...] = field(default=(), repr=False)
    """As on the command line: `0:freeze=10/5`, `*:loss=0.02`, `restart=30/2`."""
    truth: Path | None = None
    """File for one JSON line per frame sent."""
    events: Path | None = None
    """File for one JSON line per event of the scenes, written before the first frame."""
    seed: int = 0
    """Decides scenes, lost packets and jitter."""
    gop_s: float = 1.0
    """From key frame to key frame: how long a client waits for its first picture. Not for files that pass through."""
    width_px: int = 1280
    height_px: int = 720
    fps: float = 25
    scene_s: float = 10.0
    """Length of the loop."""
    bitrate_bps: int = 0
    """0 = 2 Mbit/s at 1280x720 and in proportion to the area. With `vbr` the most there is."""
    rate_control: RateControl = "abr"
    b_frames: int = 0
    """Between two other frames."""
    has_open_gops: bool = False
    """The B-frames before a key frame need the GOP before it."""
    activities: tuple[Activity, ...] = ("busy",)
    """How much goes on, dealt out to the cameras in turn."""
    noise: float = 1.2
    """Grain of the sensor in grey levels."""
    has_overlay: bool = True
    """Burn in clock and frame code."""
    cache_dir: Path | None = None
    """Where loops are kept; None = the user's cache."""
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not 1 <= self.n_cameras <= MAX_CAMERAS:
            raise ConfigurationError(f"expected 1 to {MAX_CAMERAS} cameras, got {self.n_cameras}")
        if not 0 <= self.port <= 65535:
            raise ConfigurationError(f"expected a port from 0 to 65535, got {self.port}")
        if not 0 < self.fps <= 240:
            raise ConfigurationError(f"expected 0 < fps <= 240, got {self.fps}")
        if not self.activities:
            raise ConfigurationError("expected one activity at least, got none")
        self.fault_plan()

    def fault_plan(self) -> FaultPlan:
        """Return the faults as values; ConfigurationError where one is not understood."""
        return parse_faults(self.faults, self.n_cameras)


class Simulator:
    """Simulated cameras; `start` and `stop`, or `with`. All methods may be called from any thread."""

    def __init__(
        self,
        config: SimulatorConfig,
        on_frame: Callable[[FrameTruth], None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Prepare; `on_frame` is called in the simulator's thread for each frame that left a camera: be quick."""
        self.config = config
        self._on_frame = on_frame
        self._clock = clock or SystemClock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_requested: asyncio.Event | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._cameras: list[Camera] = []
        self._clips: list[Clip] = []
        self._server: RtspServer | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Render what is not cached and open the port; returns when clients can connect.

        Raises:
            ConfigurationError: a file, the cache folder or the address cannot be used.
        """
        if self._thread is not None:
            raise ConfigurationError("the simulator was started already")
        self._clips = _build_clips(self.config, self._clock)
        if self.config.events is not None:
            write_events(self.config.events, [clip.truth.events() for clip in self._clips])
        self._thread = threading.Thread(target=self._run, args=(self._clips,), name="nvr-simulator", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def stop(self) -> None:
        """Close the port, end all connections and the thread; harmless when not started."""
        loop, stop_requested = self._loop, self._stop_requested
        if self._thread is None or loop is None or stop_requested is None:
            return
        if self._thread.is_alive():
            try:
                loop.call_soon_threadsafe(stop_requested.set)
            except RuntimeError:  # the loop closed between the question and the call
                logger.debug("the simulator had ended")
        self._thread.join(_CALL_TIMEOUT_S)

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._server is not None and self._thread is not None and self._thread.is_alive()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._running_server().port

    @property
    def stream_server(self) -> str:
        """Return `rtsp://host:port` without a path or credentials."""
        host = "127.0.0.1" if self.config.host in _ANY_ADDRESS else self.config.host
        return f"rtsp://[{host}]:{self.port}" if ":" in host else f"rtsp://{host}:{self.port}"

    def uri(self, camera: int) -> str:
        """Return the URI of a camera, without credentials."""
        return self.stream_server + stream_path(self._camera(camera).index)

    def frames_sent(self, camera: int) -> int:
        """Return how many frames went to at least one client."""
        return self._camera(camera).frames_sent

    def events(self, camera: int) -> tuple[SceneEvent, ...]:
        """Return each time that something is in a camera's picture, by frames of its loop; empty for files."""
        return self._clips[self._camera(camera).index].truth.events()

    def clients(self, camera: int) -> int:
        """Return how many clients play a camera now."""
        return self._camera(camera).n_players

    def freeze(self, camera: int) -> None:
        """Let a camera send nothing until `thaw`; its connections stay open and requests are answered."""
        self._call(self._camera(camera).freeze)

    def thaw(self, camera: int) -> None:
        """Let a frozen camera go on with its next key frame."""
        self._call(self._camera(camera).thaw)

    def drop(self, camera: int) -> None:
        """Cut the connections of a camera's clients."""
        self._call(self._camera(camera).drop_clients)

    def pause_server(self) -> None:
        """Close the port and cut all connections: new ones are refused."""
        self._call(self._running_server().pause)

    def resume_server(self) -> None:
        """Open the same port again."""
        self._await(self._running_server().resume())

    def _camera(self, index: int) -> Camera:
        self._running_server()
        if not 0 <= index < len(self._cameras):
            raise ConfigurationError(f"expected a camera from 0 to {len(self._cameras) - 1}, got {index}")
        return self._cameras[index]

    def _running_server(self) -> RtspServer:
        if self._server is None:
            raise ConfigurationError("the simulator is not started")
        return self._server

    def _call(self, action: Callable[[], Value]) -> Value:
        async def call() -> Value:
            return action()

        return self._await(call())

    def _await(self, work: Coroutine[Any, Any, Value]) -> Value:
        if self._loop is None or self._thread is None or not self._thread.is_alive():
            work.close()
            raise ConfigurationError("the simulator is not running")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_CALL_TIMEOUT_S)

    def _run(self, clips: list[Clip]) -> None:
        try:
            asyncio.run(self._serve(clips))
        except BaseException as error:
            if self._ready.is_set():
                raise
            self._failure = error  # `start` waits for it and raises it in its own thread
        finally:
            self._ready.set()

    async def _serve(self, clips: list[Clip]) -> None:
        config, plan = self.config, self.config.fault_plan()
        with _truth_sink(config.truth, clips, self._on_frame) as on_frame:
            packets = {id(clip.loop): PacketizedLoop(clip.loop) for clip in clips}
            self._cameras = [
                self._make_camera(index, packets[id(clip.loop)], plan, on_frame) for index, clip in enumerate(clips)
            ]
            credentials = None if config.credentials is None else Credentials(*config.credentials)
            server = RtspServer(self._cameras, self._clock, credentials, config.digest_algorithm, config.limits)
            try:
                await _open(server, config.host, config.port)
                self._loop, self._stop_requested = asyncio.get_running_loop(), asyncio.Event()
                self._server = server
                await self._run_tasks(server, plan, self._stop_requested)
            finally:
                await server.close()

    def _make_camera(
        self, index: int, packets: PacketizedLoop, plan: FaultPlan, on_frame: Callable[[SentFrame], None] | None
    ) -> Camera:
        rng = random.Random(f"{self.config.seed}/{index}")  # noqa: S311 - repeatable faults, keeps no secret
        # Cameras are not in step in the world; here that also spreads the work over the frame time.
        phase_s = index / self.config.n_cameras / packets.loop.fps - self._head_start_s(index, packets.loop)
        return Camera(
            index,
            packets,
            faults=plan.of_camera(index),
            clock=self._clock,
            rng=rng,
            on_frame=on_frame,
            phase_s=phase_s,
        )

    def _head_start_s(self, index: int, loop: EncodedLoop) -> float:
        """Return how far into its file a camera starts: those that share one show different parts of it."""
        n_files = len(self.config.files)
        if not n_files:
            return 0.0
        n_sharing = len(range(index % n_files, self.config.n_cameras, n_files))
        return loop.duration_s * (index // n_files) / n_sharing

    async def _run_tasks(self, server: RtspServer, plan: FaultPlan, stop_requested: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(camera.run(), name=f"camera-{camera.index}") for camera in self._cameras]
            tasks += [
                group.create_task(_drop_again_and_again(camera, camera.faults.drop_every_s))
                for camera in self._cameras
                if camera.faults.drop_every_s is not None
            ]
            if plan.restart is not None:
                tasks.append(group.create_task(_restart_again_and_again(server, plan.restart)))
            self._ready.set()
            await stop_requested.wait()
            for task in tasks:
                task.cancel()


def _build_clips(config: SimulatorConfig, clock: Clock) -> list[Clip]:
    cache_dir = config.cache_dir or default_cache_dir()
    if config.files:
        files = [config.files[index % len(config.files)] for index in range(config.n_cameras)]
        return build_file_clips(files, config.gop_s, cache_dir, clock)
    fps = Fraction(config.fps).limit_denominator(1001)
    encoder = EncoderSettings(
        config.width_px,
        config.height_px,
        fps,
        config.gop_s,
        config.bitrate_bps,
        rate_control=config.rate_control,
        b_frames=config.b_frames,
        has_open_gops=config.has_open_gops,
    )
    scenes = [
        SceneSettings(
            width_px=config.width_px,
            height_px=config.height_px,
            fps=fps,
            duration_s=config.scene_s,
            seed=config.seed,
            camera=index,
            noise=config.noise,
            has_overlay=config.has_overlay,
            activity=config.activities[index % len(config.activities)],
        )
        for index in range(config.n_cameras)
    ]
    return build_scene_clips(scenes, encoder, cache_dir, clock)


async def _open(server: RtspServer, host: str, port: int) -> None:
    try:
        await server.open(host, port)
    except (OSError, UnicodeError) as error:  # the latter: a name that cannot be one, as in a..b
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise ConfigurationError(
                f"port {port} on {host} is taken: choose another with --port, 0 picks one"
            ) from error
        reason = error.strerror if isinstance(error, OSError) else None
        raise ConfigurationError(f"cannot listen on {host} port {port}: {reason or error}") from error


@contextmanager
def _truth_sink(
    path: Path | None, clips: list[Clip], on_frame: Callable[[FrameTruth], None] | None
) -> Iterator[Callable[[SentFrame], None] | None]:
    log = TruthLog(path) if path is not None else None
    receivers = [receiver for receiver in (on_frame, log.write if log is not None else None) if receiver is not None]

    def tell(frame: SentFrame) -> None:
        truth = FrameTruth(
            camera=frame.camera,
            frame_number=frame.unit_index,
            captured_at=frame.captured_at,
            rtp_timestamp=frame.rtp_timestamp,
            objects=clips[frame.camera].truth.objects_at(frame.unit_index),
        )
        for receiver in receivers:
            receiver(truth)

    try:
        yield tell if receivers else None
    finally:
        if log is not None:
            log.close()


async def _drop_again_and_again(camera: Camera, every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        camera.drop_clients()


async def _restart_again_and_again(server: RtspServer, restart: ServerRestart) -> None:
    while True:
        await asyncio.sleep(restart.every_s)
        server.pause()
        await asyncio.sleep(restart.away_s)
        while not server.is_listening:
            try:
                await server.resume()
            except OSError as error:
                logger.warning("port %d was taken while the server was away: %s", server.port, error.strerror)
                await asyncio.sleep(1)
