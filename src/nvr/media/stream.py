"""One camera: connect, read, hand on, and begin again for as long as it takes.

One thread reads packets into the ring, from which recorder and viewers take them; another one decodes. What the second
does, or fails to do, never delays the first.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum

import av

from nvr.core.backoff import Backoff
from nvr.core.clock import Clock, SystemClock
from nvr.core.errors import ConfigurationError, NvrError, StreamError, UnsupportedError
from nvr.core.log_context import log_fields
from nvr.core.source_uri import is_file
from nvr.core.throttle import ThrottledLog
from nvr.events.schema import TimestampSource
from nvr.media.adaptive_decoder import DecodeCounters, DecodeSettings
from nvr.media.decode_worker import DecodeWorker, FrameSink
from nvr.media.decoder import check_hwaccel
from nvr.media.demuxer import DemuxCounters, Demuxer, Pace
from nvr.media.frame import Frame
from nvr.media.frame_rate import FrameRate
from nvr.media.motion_gate import Grid
from nvr.media.packet import MediaPacket
from nvr.media.packet_ring import DEFAULT_BYTES, DEFAULT_SECONDS, PacketRing
from nvr.media.source import SourceOptions, display_name, open_source, translate_error

logger = logging.getLogger(__name__)

STEADY_AFTER_S = 3.0
"""A connection that has lasted so long is a success: one that breaks sooner is tried again less and less often."""

REPEAT_S = 60.0
"""How often the same trouble is told: a camera that is off fails every few seconds, for days if need be."""

STALLED_AFTER_S = 2.0
"""A connected camera without a new packet for so long counts as stalled."""

ROOM_POLL_S = 0.5

LEAST_SHOWN_S, LONGEST_SHOWN_S = 0.01, 1.0
"""How long the last picture of a file stays before the file begins anew: as long as it says, within these."""
MAX_BACKLOG = 50
"""Packets that a file which is read as fast as possible may be ahead of its slowest reader."""

EVERY_FRAME = DecodeSettings(policy="all")


class StreamState(StrEnum):
    """What a camera is doing."""

    CONNECTING = "connecting"
    RUNNING = "running"
    STALLED = "stalled"
    """Connected, but no packet for a while."""
    OFFLINE = "offline"
    """The last try failed; the next one follows."""
    PAUSED = "paused"
    """Not connected, because it was asked so."""
    ENDED = "ended"
    """A file has come to its end."""
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """How patient to be with a camera, and how much of it to remember."""

    rtsp_transport: str = "tcp"
    open_timeout_s: float = 5.0
    read_timeout_s: float = 5.0
    reconnect_max_s: float = 30.0
    loop_file: bool = False
    """Begin a file anew at its end instead of ending the stream."""
    file_pace: Pace = "realtime"
    """`fast` reads a file as fast as all its readers can."""
    ring_seconds: float = DEFAULT_SECONDS
    """Packets that are kept for replay and pre-roll, beside the newest GOP."""
    ring_bytes: int = DEFAULT_BYTES
    """Most memory for them."""


@dataclass(frozen=True, slots=True)
class StreamStats:
    """Counters of one camera since its start."""

    frames: int
    """Decoded."""
    skipped_packets: int
    """Not decoded, to catch up with the camera."""
    broken_packets: int
    """Refused by the decoder, or incomplete on arrival."""
    sessions: int
    """Connections that were established."""
    failures: int
    """Connections that failed or were lost."""
    fps: float
    """Frames that the camera sends per second, over the last seconds."""
    last_error: str | None
    """Without credentials; None while all is well."""
    demuxed: DemuxCounters = field(default_factory=DemuxCounters)
    """What was read."""
    decoding: DecodeCounters = field(default_factory=DecodeCounters)
    """What became of it."""
    decoded_fps: float = 0.0
    """Frames decoded per second, over the last seconds."""
    breaks: int = 0
    """Of the failures, connections that broke after they had brought video."""
    is_asleep: bool = False
    """Whether only key frames are decoded, since nothing moves."""
    gop_s: float = 0.0
    """Length of the camera's GOPs; 0 where it is not known yet."""
    timestamp_source: TimestampSource | None = None
    """How the newest packet's time was obtained."""
    clock_error_s: float | None = None
    """How far the camera's clock is ahead of this machine's; None where it does not tell."""
    ring_bytes: int = 0
    """Memory that the remembered packets take."""
    hardware: str | None = None
    """The device that decodes; None for the CPU."""


class CameraStream:
    """Reads one camera into a ring of packets and decodes it as its settings want.

    Nothing that a camera does (refuse, hang, freeze, send garbage) leaves its threads.
    """

    def __init__(
        self,
        source_id: int,
        uri: str,
        *,
        settings: IngestSettings = IngestSettings(),
        decode: DecodeSettings | None = EVERY_FRAME,
        sink: FrameSink | None = None,
        on_grid: Callable[[Grid, float], None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Prepare the stream; nothing is opened before `start`.

        Args:
            source_id: Number of the camera.
            uri: RTSP or HTTP address, a V4L2 device, or a file, which is played at its own pace.
            settings: Timeouts, transport, memory.
            decode: How much to decode; None for a stream that is only recorded or watched.
            sink: Takes sampled frames; without one the freshest is kept for `latest`.
            on_grid: See `DecodeWorker`.
            clock: For time stamps and intervals.

        Raises:
            ConfigurationError: The settings name a device that is unknown to this build of FFmpeg.
        """
        self.source_id = source_id
        self.uri = uri
        self._settings = settings
        self._clock = clock or SystemClock()
        self._ring = PacketRing(max_seconds=settings.ring_seconds, max_bytes=settings.ring_bytes)
        self._latest: Frame | None = None
        self._is_stopping = threading.Event()
        self._session_ended = threading.Event()
        self._may_play = threading.Event()
        self._may_play.set()
        self._thread: threading.Thread | None = None
        self._backoff = Backoff(initial_s=min(0.5, settings.reconnect_max_s), max_s=settings.reconnect_max_s)
        self._trouble = ThrottledLog(logger, repeat_s=REPEAT_S, clock=self._clock)
        self._rate = FrameRate()
        self._phase = StreamState.CONNECTING
        self._active_s = self._connected_s = 0.0
        self._newest: MediaPacket | None = None
        self._counters = DemuxCounters()
        self._sessions = self._failures = self._breaks = 0
        self._has_video = False
        self._next_session = self._next_sequence = 0
        self._clock_error_s: float | None = None
        self._last_error: str | None = None
        self._worker = (
            None
            if decode is None
            else DecodeWorker(
                source_id,
                self.name,
                self._ring,
                decode,
                clock=self._clock,
                on_failure=self._note_decoder_failure,
                sink=sink,
                on_frame=self._keep if sink is None else None,
                on_grid=on_grid,
            )
        )

    @property
    def name(self) -> str:
        """The URI as people may see it."""
        return display_name(self.uri)

    @property
    def ring(self) -> PacketRing:
        """The newest packets, for recorder and viewers."""
        return self._ring

    @property
    def state(self) -> StreamState:
        """What the camera is doing now."""
        if self._phase is StreamState.RUNNING and self.packet_age_s() > STALLED_AFTER_S:
            return StreamState.STALLED
        return self._phase

    @property
    def stats(self) -> StreamStats:
        """The counters, at this moment."""
        worker, newest = self._worker, self._newest
        decoding = DecodeCounters() if worker is None else worker.counters
        return StreamStats(
            frames=decoding.decoded,
            skipped_packets=decoding.skipped + decoding.lost,
            broken_packets=decoding.broken + self._counters.corrupt_packets,
            sessions=self._sessions,
            failures=self._failures,
            fps=self._rate.per_second(self._clock.monotonic()),
            last_error=self._last_error,
            demuxed=replace(self._counters),
            decoding=decoding,
            decoded_fps=0.0 if worker is None else worker.fps(),
            breaks=self._breaks,
            is_asleep=worker is not None and worker.is_asleep,
            gop_s=0.0 if worker is None else worker.gop_s,
            timestamp_source=None if newest is None else newest.timestamp_source,
            clock_error_s=self._clock_error_s,
            ring_bytes=self._ring.size_bytes,
            hardware=None if worker is None else worker.device,
        )

    def latest(self) -> Frame | None:
        """Return the freshest decoded frame, which stays; None before the first, and where a sink takes the frames."""
        return self._latest

    def packet_age_s(self) -> float:
        """Return the seconds since the last packet of this session, or since the session began."""
        return self._clock.monotonic() - self._active_s

    def start(self) -> None:
        """Begin, in the background."""
        if self._thread is not None:
            raise RuntimeError(f"camera {self.source_id} was started before")
        self._thread = threading.Thread(target=self._run, name=f"camera-{self.source_id}", daemon=True)
        if self._worker is not None:
            self._worker.start()
        self._thread.start()

    def request_stop(self) -> None:
        """Ask the threads to end, without waiting."""
        self._is_stopping.set()
        self._session_ended.set()
        self._may_play.set()
        if self._worker is not None:
            self._worker.request_stop()

    def stop(self, timeout_s: float = 1.0) -> bool:
        """End the threads; False where one still hangs in a read after `timeout_s`, which it then leaves by itself."""
        self.request_stop()
        end_s = self._clock.monotonic() + timeout_s
        has_ended = self._worker is None or self._worker.stop(timeout_s)
        if self._thread is None:
            return has_ended
        self._thread.join(max(0.0, end_s - self._clock.monotonic()))
        return has_ended and not self._thread.is_alive()

    def pause(self) -> None:
        """Hang up and stay so until `resume`."""
        self._may_play.clear()
        self._session_ended.set()

    def resume(self) -> None:
        """Connect again after `pause`."""
        self._backoff.reset()
        self._may_play.set()

    def retune(self, decode: DecodeSettings) -> None:
        """Decode otherwise from the next packet on; the connection stays.

        Raises:
            ConfigurationError: The device is unknown to this build of FFmpeg.
            RuntimeError: This stream is not decoded at all.
        """
        if self._worker is None:
            raise RuntimeError(f"camera {self.source_id} has no decoder that could be retuned")
        check_hwaccel(decode.hwaccel)
        self._worker.retune(decode)

    def reconnect(self) -> None:
        """Give up the present connection and make a new one; a read that hangs ends by its timeout.

        A file has no connection that could be at fault: it goes on.
        """
        if not is_file(self.uri):
            self._session_ended.set()

    def is_finished(self) -> bool:
        """Tell whether the stream has ended for good: a file at its end, or stopped."""
        is_decoding = self._worker is not None and self._worker.is_alive
        return self._thread is not None and not self._thread.is_alive() and not is_decoding

    def _run(self) -> None:
        try:
            with log_fields(source_id=self.source_id):
                self._read_again_and_again()
        finally:
            self._ring.close()

    def _read_again_and_again(self) -> None:
        while not self._is_stopping.is_set():
            if not self._may_play.is_set():
                self._phase = StreamState.PAUSED
                self._may_play.wait()
            self._phase = StreamState.CONNECTING
            self._has_video = False
            self._session_ended.clear()
            if self._is_stopping.is_set():
                break
            if not self._may_play.is_set():
                continue
            try:
                self._play_safely()
            except NvrError as error:
                self._note_failure(error)
                if is_file(self.uri):
                    # it does not mend by itself, as a camera does, or as its owner does, who gives it another codec
                    return
                self._wait(self._pause_s(error))
                continue
            if is_file(self.uri) and not self._settings.loop_file and not self._session_ended.is_set():
                self._phase = StreamState.ENDED
                return
            self._show_last_picture()
        self._phase = StreamState.STOPPED

    def _show_last_picture(self) -> None:
        """Wait as long as the last picture of a file is to be seen: a file of a single one is no reason to spin."""
        newest = self._newest
        if newest is not None and is_file(self.uri) and self._settings.file_pace == "realtime":
            shown_s = float(newest.duration * newest.time_base)
            self._session_ended.wait(min(max(shown_s, LEAST_SHOWN_S), LONGEST_SHOWN_S))

    def _wait(self, pause_s: float) -> None:
        self._session_ended.clear()
        if not self._is_stopping.is_set() and self._may_play.is_set():
            self._session_ended.wait(pause_s)  # which `stop`, `pause` and `reconnect` set

    def _pause_s(self, error: NvrError) -> float:
        # cameras lock an account out after some wrong passwords
        needs_a_person = isinstance(error, (ConfigurationError, UnsupportedError))
        return self._settings.reconnect_max_s if needs_a_person else self._backoff.next_s()

    def _note_failure(self, error: NvrError) -> None:
        self._failures += 1
        self._breaks += self._has_video
        self._last_error = str(error)
        self._phase = StreamState.OFFLINE
        if not self._is_stopping.is_set():
            self._trouble.report(f"camera {self.source_id}: {error}")

    def _note_decoder_failure(self, error: NvrError) -> None:
        self._failures += 1
        self._last_error = str(error)
        self._trouble.report(f"camera {self.source_id}: {error}")
        if not isinstance(error, UnsupportedError):
            self._breaks += 1
            self.reconnect()

    def _play_safely(self) -> None:
        try:
            self._play()
        except NvrError:
            raise
        except Exception as error:
            # the supervisor of what strangers send: one camera's surprise ends neither its thread nor others
            logger.exception("camera %s: reading failed in a way that nobody foresaw", self.source_id)
            raise StreamError(f"{self.name} failed: {type(error).__name__}") from error

    def _play(self) -> None:
        settings, first_sequence = self._settings, self._next_sequence
        self._active_s = self._clock.monotonic()
        options = SourceOptions(settings.rtsp_transport, settings.open_timeout_s, settings.read_timeout_s)
        with open_source(self.uri, options) as container:
            demuxer = Demuxer(
                container,
                name=self.name,
                clock=self._clock,
                ended=self._session_ended,
                pace=settings.file_pace if is_file(self.uri) else "live",
                counters=self._counters,
                session=self._next_session,
                sequence=self._next_sequence,
            )
            self._sessions += 1
            self._active_s = self._connected_s = self._clock.monotonic()
            self._phase = StreamState.RUNNING
            try:
                self._read(demuxer)
            except av.FFmpegError as error:
                raise translate_error(error, self.uri) from error
            finally:
                # the ring has no room for the holes that packets left which were read and not handed on
                self._next_session, self._next_sequence = demuxer.session + 1, self._ring.end
        if self._session_ended.is_set():
            return
        if not is_file(self.uri):
            raise StreamError(f"{self.name} closed the connection")
        if self._next_sequence == first_sequence:  # and to begin anew at its end would never end
            raise StreamError(f"{self.name} holds nothing that could be read")

    def _read(self, demuxer: Demuxer) -> None:
        waits_for_readers = is_file(self.uri) and self._settings.file_pace == "fast"
        for batch in demuxer.batches(self._ring.patience_s):
            if waits_for_readers and not self._wait_for_readers():
                return
            self._ring.extend(batch)
            for packet in batch:
                if packet.kind == "video":
                    self._note(packet)
            self._clock_error_s = demuxer.clock_error_s

    def _note(self, packet: MediaPacket) -> None:
        self._newest = packet
        self._has_video = True
        self._active_s = packet.received_s
        self._rate.count(packet)
        if packet.is_keyframe:
            self._last_error = None
            if packet.received_s - self._connected_s >= STEADY_AFTER_S:
                self._backoff.reset()

    def _wait_for_readers(self) -> bool:
        while not self._ring.wait_for_room(ROOM_POLL_S, MAX_BACKLOG):
            if self._session_ended.is_set():
                return False
        return True

    def _keep(self, frame: Frame) -> None:
        self._latest = frame
