"""One camera of a processor: its streams, and how they are tuned while it runs."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from nvr.config.camera import CameraConfig
from nvr.config.processor import StreamProcessorConfig
from nvr.core.clock import Clock
from nvr.core.source_uri import is_file
from nvr.media.adaptive_decoder import DecodeSettings
from nvr.media.decode_worker import FrameSink
from nvr.media.decoder import check_hwaccel
from nvr.media.health import CameraHealth, HealthSample
from nvr.media.motion_gate import Grid
from nvr.media.packet_ring import DEFAULT_SECONDS, PacketRing
from nvr.media.picture_health import PictureHealth, PictureVerdict
from nvr.media.stream import CameraStream, IngestSettings, StreamState, StreamStats
from nvr.processor.health_watch import sample_of
from nvr.processor.tally import CameraTally

RING_MARGIN_S = 5.0
"""A detection may come so long after its frame was captured and still get its whole pre-roll."""

LOOK_COUNTS_FOR_S = 12.0
"""A picture is looked at each second, or with each key frame while the camera sleeps."""


@dataclass(frozen=True, slots=True)
class CameraReport:
    """One camera, as an operator wants to know it."""

    source_id: int
    name: str
    """What people call it; without a name its URI, without credentials."""
    state: StreamState
    stream: StreamStats
    """Of the stream that is looked at."""
    replaced_frames: int
    """Frames that gave way to newer ones before the detector had time."""
    main: StreamStats | None = None
    """Of the stream that is recorded, where that is another one."""
    health: CameraHealth | None = None
    """How it is; None in the first second."""
    tally: CameraTally = field(default_factory=CameraTally)
    """What became of its frames at the detector."""
    is_detecting: bool = True
    """False while it pauses: nothing of it is looked at; where its state is `paused`, nothing recorded either."""


class Camera:
    """A camera whose main stream is recorded and whose sub stream, or the main one too, is looked at."""

    def __init__(
        self,
        source_id: int,
        camera: CameraConfig,
        config: StreamProcessorConfig,
        *,
        sink: FrameSink,
        clock: Clock,
        pre_roll_s: float = 0.0,
        is_detecting: bool = True,
    ) -> None:
        """Prepare; nothing is opened before `start`.

        Args:
            source_id: Number of the camera.
            camera: Its own settings.
            config: The processor's settings, for what the camera does not say.
            sink: Takes the frames to be analysed.
            clock: For time stamps and intervals.
            pre_roll_s: How much of the recorded stream is to be remembered.
            is_detecting: Whether it is looked at from the beginning.

        Raises:
            ConfigurationError: It is to be decoded by a device that is unknown to this build of FFmpeg.
        """
        self.source_id = source_id
        self._camera = camera
        self._config = config
        self._is_detecting = is_detecting
        self._is_hung_up = False
        self._lock = threading.Lock()
        self._picture_health = PictureHealth()
        self._picture: PictureVerdict | None = None
        self._looked_s: float | None = None
        self._clock = clock
        self._rtsp_transport = camera.rtsp_transport or config.rtsp_transport
        settings = IngestSettings(
            self._rtsp_transport,
            config.open_timeout_s,
            config.read_timeout_s,
            config.reconnect_max_s,
            file_pace=config.file_pace,
            ring_seconds=max(DEFAULT_SECONDS, pre_roll_s + RING_MARGIN_S),
        )
        self._detect = CameraStream(
            source_id,
            camera.detect_uri or camera.uri,
            settings=settings,
            decode=decode_settings(camera, config, is_detecting=is_detecting),
            sink=sink,
            on_grid=self._look_at,
            clock=clock,
        )
        self._main = (
            self._detect
            if camera.detect_uri is None
            else CameraStream(source_id, camera.uri, settings=settings, decode=None, clock=clock)
        )

    @property
    def config(self) -> CameraConfig:
        """Its own settings, as they are now."""
        return self._camera

    @property
    def rtsp_transport(self) -> str:
        """By what it is connected to, whether it names a transport or goes by that of all cameras."""
        return self._rtsp_transport

    @property
    def detect(self) -> CameraStream:
        """The stream that is looked at."""
        return self._detect

    @property
    def main(self) -> CameraStream:
        """The stream that is recorded; the same one where the camera has no other."""
        return self._main

    @property
    def ring(self) -> PacketRing:
        """The newest packets of the main stream."""
        return self._main.ring

    @property
    def streams(self) -> tuple[CameraStream, ...]:
        """Its streams, each once."""
        return (self._detect,) if self._main is self._detect else (self._detect, self._main)

    def start(self) -> None:
        """Begin, in the background."""
        for stream in self.streams:
            stream.start()

    def request_stop(self) -> None:
        """Ask its threads to end, without waiting."""
        for stream in self.streams:
            stream.request_stop()

    def stop(self, left_s: Callable[[], float]) -> bool:
        """End its threads; False where one still hangs in a read after what `left_s` tells."""
        self.request_stop()
        has_ended = True
        for stream in self.streams:
            has_ended = stream.stop(left_s()) and has_ended
        return has_ended

    @property
    def is_detecting(self) -> bool:
        """Whether it is looked at; False while it pauses."""
        return self._is_detecting

    @property
    def is_hung_up(self) -> bool:
        """Whether it pauses without a connection, so that it is not recorded either."""
        return self._is_hung_up

    def pause(self, *, hang_up: bool = False) -> None:
        """Decode nothing until `resume`, and hang up if that is asked for."""
        with self._lock:
            self._is_detecting = False
            self._retune()
            if hang_up and not self._is_hung_up:
                self._is_hung_up = True
                for stream in self.streams:
                    stream.pause()

    def resume(self) -> None:
        """Connect again where it has hung up, and decode."""
        with self._lock:
            if self._is_hung_up:
                self._is_hung_up = False
                for stream in self.streams:
                    stream.resume()
            if not self._is_detecting:
                self._is_detecting = True
                self._retune()

    def retune(self, camera: CameraConfig, config: StreamProcessorConfig) -> None:
        """Decode and sample by other settings, without a new connection; URIs and transport stay as they are.

        Raises:
            ConfigurationError: The device is unknown to this build of FFmpeg; nothing has changed then.
        """
        check_hwaccel(camera.hwaccel or config.hwaccel)
        with self._lock:
            self._camera, self._config = camera, config
            self._retune()

    def _retune(self) -> None:
        self._detect.retune(decode_settings(self._camera, self._config, is_detecting=self._is_detecting))

    def is_finished(self) -> bool:
        """Tell whether what is looked at has ended for good."""
        return self._detect.is_finished()

    def sample(self, troubles: tuple[str, ...] = ()) -> HealthSample:
        """Return what is known of its health now, and what others have to say."""
        is_recent = self._looked_s is not None and self._clock.monotonic() - self._looked_s <= LOOK_COUNTS_FOR_S
        return sample_of(self._detect, self._main, self._picture if is_recent else None, troubles)

    def _look_at(self, grid: Grid, at_s: float) -> None:
        if self._looked_s is not None and at_s - self._looked_s > LOOK_COUNTS_FOR_S:
            self._picture_health.forget()  # it was away: what it showed before says nothing of now
        self._looked_s = at_s
        self._picture = self._picture_health.look(grid, at_s)

    def report(self, replaced_frames: int, health: CameraHealth | None, tally: CameraTally) -> CameraReport:
        """Return what it has done so far."""
        return CameraReport(
            source_id=self.source_id,
            name=self._camera.name or self._detect.name,
            state=self._detect.state,
            stream=self._detect.stats,
            replaced_frames=replaced_frames,
            main=None if self._main is self._detect else self._main.stats,
            health=health,
            tally=tally,
            is_detecting=self._is_detecting,
        )


def decode_settings(
    camera: CameraConfig, config: StreamProcessorConfig, *, is_detecting: bool = True
) -> DecodeSettings:
    """Return how a camera is to be decoded: its own words before those of the processor."""
    return DecodeSettings(
        policy=(camera.decode or config.decode) if is_detecting else "nothing",
        hwaccel=camera.hwaccel or config.hwaccel,
        max_fps=config.max_fps if camera.max_fps is None else camera.max_fps,
        quiet_s=config.quiet_s if camera.quiet_s is None else camera.quiet_s,
        is_lossless=config.file_pace == "fast" and is_file(camera.detect_uri or camera.uri),
    )
