"""One camera in one thread: connect, read, decode, and begin again for as long as it takes."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import av

from nvr.core.backoff import Backoff
from nvr.core.clock import Clock, SystemClock
from nvr.core.errors import CredentialsError, NvrError, StreamError, UnsupportedError
from nvr.core.masking import mask_credentials
from nvr.core.rate import RateMeter
from nvr.core.throttle import ThrottledLog
from nvr.media.frame import Frame
from nvr.media.session import Picture, Session, SessionCounters
from nvr.media.source import SourceOptions, is_file, open_source, translate_error

logger = logging.getLogger(__name__)

STALLED_AFTER_S = 2.0
"""A connected camera without a new frame for so long counts as stalled."""


class StreamState(StrEnum):
    """What a camera is doing."""

    CONNECTING = "connecting"
    RUNNING = "running"
    STALLED = "stalled"
    """Connected, but no frame for a while."""
    OFFLINE = "offline"
    """The last try failed; the next one follows."""
    ENDED = "ended"
    """A file has come to its end."""
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """How patient to be with a camera."""

    rtsp_transport: str = "tcp"
    open_timeout_s: float = 5.0
    read_timeout_s: float = 5.0
    reconnect_max_s: float = 30.0
    loop_file: bool = False
    """Begin a file anew at its end instead of ending the stream."""


@dataclass(frozen=True, slots=True)
class StreamStats:
    """Counters of one camera since its start."""

    frames: int
    """Decoded."""
    skipped_packets: int
    """Not decoded, to catch up with the camera."""
    broken_packets: int
    """Refused by the decoder."""
    sessions: int
    """Connections that were established."""
    failures: int
    """Connections that failed or were lost."""
    fps: float
    """Frames decoded per second, over the last seconds."""
    last_error: str | None
    """Without credentials; None while all is well."""


class CameraStream:
    """Reads one camera in a thread of its own and hands each decoded frame to `on_frame`.

    Nothing that a camera does (refuse, hang, freeze, send garbage) leaves this thread.
    """

    def __init__(
        self,
        source_id: int,
        uri: str,
        *,
        settings: IngestSettings = IngestSettings(),
        on_frame: Callable[[Frame], None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Prepare the stream; nothing is opened before `start`.

        Args:
            source_id: Number of the camera.
            uri: RTSP or HTTP address, or a file, which is played at its own pace.
            settings: Timeouts and transport.
            on_frame: Called in the stream's thread; must be quick and raise nothing.
            clock: For time stamps and intervals.
        """
        self.source_id = source_id
        self.uri = uri
        self._settings = settings
        self._on_frame = on_frame
        self._clock = clock or SystemClock()
        self._is_stopping = threading.Event()
        self._session_ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._backoff = Backoff(initial_s=min(0.5, settings.reconnect_max_s), max_s=settings.reconnect_max_s)
        self._trouble = ThrottledLog(logger, clock=self._clock)
        self._rate = RateMeter()
        self._phase = StreamState.CONNECTING
        self._latest: Frame | None = None
        self._session_started_s = 0.0
        self._counters = SessionCounters()
        self._frames = self._sessions = self._failures = 0
        self._last_error: str | None = None

    @property
    def name(self) -> str:
        """The URI as people may see it."""
        return mask_credentials(self.uri)

    @property
    def state(self) -> StreamState:
        """What the camera is doing now."""
        if self._phase is StreamState.RUNNING and self.frame_age_s() > STALLED_AFTER_S:
            return StreamState.STALLED
        return self._phase

    @property
    def stats(self) -> StreamStats:
        """The counters, at this moment."""
        return StreamStats(
            frames=self._frames,
            skipped_packets=self._counters.skipped_packets,
            broken_packets=self._counters.broken_packets,
            sessions=self._sessions,
            failures=self._failures,
            fps=self._rate.per_second(self._clock.monotonic()),
            last_error=self._last_error,
        )

    def latest(self) -> Frame | None:
        """Return the freshest decoded frame, which stays; None before the first."""
        return self._latest

    def frame_age_s(self) -> float:
        """Return the seconds since the last frame of this session, or since the session began."""
        latest = self._latest
        last_s = self._session_started_s if latest is None else max(latest.received_s, self._session_started_s)
        return self._clock.monotonic() - last_s

    def start(self) -> None:
        """Begin, in the background."""
        if self._thread is not None:
            raise RuntimeError(f"camera {self.source_id} was started before")
        self._thread = threading.Thread(target=self._run, name=f"camera-{self.source_id}", daemon=True)
        self._thread.start()

    def request_stop(self) -> None:
        """Ask the thread to end, without waiting."""
        self._is_stopping.set()
        self._session_ended.set()

    def stop(self, timeout_s: float = 1.0) -> bool:
        """End the thread; False where it still hangs in a read after `timeout_s`, which it then leaves by itself."""
        self.request_stop()
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def reconnect(self) -> None:
        """Give up the present connection and make a new one; a read that hangs ends by its timeout.

        A file has no connection that could be at fault: it goes on.
        """
        if not is_file(self.uri):
            self._session_ended.set()

    def is_finished(self) -> bool:
        """Tell whether the stream has ended for good: a file at its end, or stopped."""
        return self._thread is not None and not self._thread.is_alive()

    def _run(self) -> None:
        while not self._is_stopping.is_set():
            self._phase = StreamState.CONNECTING
            self._session_ended.clear()
            if self._is_stopping.is_set():
                break
            try:
                self._play()
            except NvrError as error:
                self._note_failure(error)
                if not self._is_worth_retrying(error):
                    return
                self._is_stopping.wait(self._pause_s(error))
                continue
            if is_file(self.uri) and not self._settings.loop_file:
                self._phase = StreamState.ENDED
                return
        self._phase = StreamState.STOPPED

    def _is_worth_retrying(self, error: NvrError) -> bool:
        # a file that cannot be read now will not mend by itself as a camera does
        return not isinstance(error, UnsupportedError) and not is_file(self.uri)

    def _pause_s(self, error: NvrError) -> float:
        # cameras lock an account out after some wrong passwords
        return self._settings.reconnect_max_s if isinstance(error, CredentialsError) else self._backoff.next_s()

    def _note_failure(self, error: NvrError) -> None:
        self._failures += 1
        self._last_error = str(error)
        self._phase = StreamState.OFFLINE
        if not self._is_stopping.is_set():
            self._trouble.report(f"camera {self.source_id}: {error}")

    def _play(self) -> None:
        self._session_started_s = self._clock.monotonic()
        settings = self._settings
        options = SourceOptions(settings.rtsp_transport, settings.open_timeout_s, settings.read_timeout_s)
        with open_source(self.uri, options) as container:
            if not container.streams.video:
                raise UnsupportedError(f"{self.name} has no video")
            self._sessions += 1
            self._session_started_s = self._clock.monotonic()
            self._phase = StreamState.RUNNING
            session = Session(
                container,
                clock=self._clock,
                ended=self._session_ended,
                is_paced=is_file(self.uri),
                counters=self._counters,
            )
            try:
                for picture in session.pictures():
                    self._deliver(picture)
            except av.FFmpegError as error:
                raise translate_error(error, self.uri) from error
        if not is_file(self.uri) and not self._session_ended.is_set():
            raise StreamError(f"{self.name} closed the connection")

    def _deliver(self, picture: Picture) -> None:
        frame = Frame(
            source_id=self.source_id,
            frame_id=self._frames,
            captured_at=picture.captured_at,
            timestamp_source=picture.timestamp_source,
            received_s=picture.received_s,
            pts=picture.pts,
            time_base=picture.time_base,
            picture=picture.picture,
        )
        self._frames += 1
        self._latest = frame
        self._last_error = None
        self._backoff.reset()
        self._rate.count(frame.received_s)
        if self._on_frame is not None:
            self._on_frame(frame)
