"""Look at a stream for a moment: what it carries, and how soon it shows a picture. Decodes nothing."""

import math
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import TypeAlias

import av
from av.container import InputContainer

from nvr.core.clock import Clock, SystemClock
from nvr.core.errors import CancelledError, NvrError, StreamError, UnsupportedError
from nvr.core.source_uri import is_file
from nvr.media.demuxer import DemuxCounters, Demuxer
from nvr.media.packet import MediaPacket
from nvr.media.parameters import StreamParameters, read_parameters
from nvr.media.source import SourceOptions, display_name, open_source, translate_error

MAX_PARALLEL = 16

MAX_PACKETS = 2000
"""Of video and audio that one probe reads: a source may send as fast as it likes."""

ENOUGH_PICTURES = 12
"""That tell the frame rate."""

MAX_FPS = 1000.0
"""Time stamps that say more are wrong."""


@dataclass(frozen=True, slots=True)
class ProbeOptions:
    """How long to look, and at how many streams at once."""

    source: SourceOptions = field(default_factory=lambda: SourceOptions("tcp", 5.0, 5.0))
    look_s: float = 5.0
    """Ends a look at a camera whose second key frame, which tells the length of a GOP, does not come."""
    n_parallel: int = 8
    """Streams that are looked at together, 1 to `MAX_PARALLEL`."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a stream carries."""

    uri: str = field(repr=False)
    """As asked for, with its credentials."""
    codec: str
    """FFmpeg's name of the video codec: h264, hevc, mjpeg, …"""
    width_px: int
    """0 where the stream has not told its size."""
    height_px: int
    fps: float | None
    """By its time stamps; where it sent too few pictures, what it declares; None where it does neither."""
    audio_codec: str | None
    gop_s: float | None
    """Media time between the first two key frames; None where the second did not come in time."""
    first_key_frame_s: float | None
    """From the attempt to connect to the first picture that can be decoded; None where none came in time."""

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width_px * self.height_px


Probed: TypeAlias = ProbeResult | NvrError
"""What a look brought: a stream, or why there is none."""


def probe(
    uri: str,
    options: ProbeOptions = ProbeOptions(),
    *,
    clock: Clock | None = None,
    ended: threading.Event | None = None,
) -> ProbeResult:
    """Open a stream, read until its second key frame or for `look_s`, and hang up.

    Takes at most about twice the timeouts of `options.source` for the opening, then `look_s` and a read timeout.

    Args:
        uri: RTSP or HTTP address, a V4L2 device or a file.
        options: How patient to be.
        clock: For intervals.
        ended: Set by others to end the look at the next packet.

    Raises:
        CredentialsError: The camera refused user and password.
        ConfigurationError: There is no such file, or the URI is none.
        UnsupportedError: The protocol or codec is unknown to this build, or there is no video in it.
        StreamError: It cannot be reached, does not answer, is silent, or sends what is no video.
        CancelledError: `ended` was set before anything came.
    """
    clock, ended = clock or SystemClock(), ended or threading.Event()
    began_s = clock.monotonic()
    with closing(open_source(uri, options.source)) as container:
        declared_fps, audio_codec = _declared_fps(container), _audio_codec(container)
        seen = _look(uri, container, options.look_s, clock, ended)
    if seen.parameters is None:
        if ended.is_set():
            raise CancelledError(f"the look at {display_name(uri)} was called off")
        raise StreamError(f"{display_name(uri)} accepts the connection and sends no picture")
    key_frame_s = seen.first_key_frame_received_s
    return ProbeResult(
        uri=uri,
        codec=seen.parameters.codec,
        width_px=seen.parameters.width_px,
        height_px=seen.parameters.height_px,
        fps=seen.fps or declared_fps,
        audio_codec=audio_codec,
        gop_s=seen.gop_s,
        first_key_frame_s=None if key_frame_s is None else key_frame_s - began_s,
    )


def probe_all(
    uris: Sequence[str],
    options: ProbeOptions = ProbeOptions(),
    *,
    clock: Clock | None = None,
    ended: threading.Event | None = None,
    on_done: Callable[[], None] = lambda: None,
) -> tuple[Probed, ...]:
    """Look at many streams, some at a time; returns one outcome per URI, in their order.

    Args:
        uris: See `probe`.
        options: How patient to be, and how many at once.
        clock: For intervals.
        ended: Set by others to end: looks that have begun end at their next packet, the others do not begin.
        on_done: Called after each look, in its thread.
    """
    ended = ended or threading.Event()
    looks: list[Future[Probed]] = [Future() for _ in uris]
    waiting = deque(zip(uris, looks, strict=True))

    def work() -> None:
        while True:
            try:
                uri, look = waiting.popleft()
            except IndexError:
                return
            try:
                look.set_result(_outcome(uri, options, clock, ended))
            except BaseException as error:  # noqa: BLE001 - the caller's, who waits for it
                look.set_exception(error)
            on_done()

    n_threads = max(1, min(options.n_parallel, MAX_PARALLEL, len(uris)))
    threads = [threading.Thread(target=work, name=f"probe-{i}", daemon=True) for i in range(n_threads)]
    for thread in threads:
        thread.start()
    try:
        outcomes = tuple(look.result() for look in looks)
    except BaseException:  # an interrupted caller waits for nobody: the looks leave by their own timeouts
        ended.set()
        raise
    for thread in threads:
        thread.join()
    return outcomes


def _outcome(uri: str, options: ProbeOptions, clock: Clock | None, ended: threading.Event) -> Probed:
    if ended.is_set():
        return CancelledError(f"the look at {display_name(uri)} was called off")
    try:
        return probe(uri, options, clock=clock, ended=ended)
    except NvrError as error:
        return error


@dataclass(slots=True)
class _Seen:
    """What is kept of the pictures of a stream, up to a jump of its time stamps."""

    session: int | None = None
    parameters: StreamParameters | None = None
    n_pictures: int = 0
    earliest_s: float = math.inf
    latest_s: float = -math.inf
    key_frames_s: list[float] = field(default_factory=list)
    first_key_frame_received_s: float | None = None

    def add(self, packet: MediaPacket) -> None:
        """Take a picture into account."""
        if packet.session != self.session:
            self.session, self.n_pictures, self.key_frames_s = packet.session, 0, []
            self.earliest_s, self.latest_s = math.inf, -math.inf
        self.parameters = packet.parameters
        self.n_pictures += 1
        self.earliest_s = min(self.earliest_s, packet.media_s)
        self.latest_s = max(self.latest_s, packet.media_s)
        if packet.is_keyframe:
            self.key_frames_s.append(packet.media_s)
            if self.first_key_frame_received_s is None:
                self.first_key_frame_received_s = packet.received_s

    @property
    def is_enough(self) -> bool:
        """Whether more of it would tell nothing new."""
        return len(self.key_frames_s) >= 2 and self.n_pictures >= ENOUGH_PICTURES

    @property
    def fps(self) -> float | None:
        """Pictures per second by their time stamps; None where they do not tell."""
        lasted_s = self.latest_s - self.earliest_s
        if self.n_pictures < ENOUGH_PICTURES or lasted_s <= 0:
            return None
        return _believable((self.n_pictures - 1) / lasted_s)

    @property
    def gop_s(self) -> float | None:
        """Media time between the first two key frames."""
        if len(self.key_frames_s) < 2:
            return None
        return max(0.0, self.key_frames_s[1] - self.key_frames_s[0])


def _look(uri: str, container: InputContainer, look_s: float, clock: Clock, ended: threading.Event) -> _Seen:
    demuxer = Demuxer(
        container,
        name=display_name(uri),
        clock=clock,
        ended=ended,
        pace="fast" if is_file(uri) else "live",
        counters=DemuxCounters(),
        session=0,
        sequence=0,
    )
    end_s, n_packets, seen = clock.monotonic() + look_s, 0, _Seen()
    try:
        for batch in demuxer.batches():
            n_packets += len(batch)
            for packet in batch:
                if packet.kind == "video":
                    seen.add(packet)
            if seen.is_enough or n_packets >= MAX_PACKETS or clock.monotonic() >= end_s:
                break
    except av.FFmpegError as error:
        if seen.parameters is None:
            raise translate_error(error, uri) from error
    return seen


def _audio_codec(container: InputContainer) -> str | None:
    for stream in container.streams.audio[:1]:
        with suppress(UnsupportedError):  # a sound that nobody knows is no reason to refuse the picture
            return read_parameters(stream).codec
    return None


def _declared_fps(container: InputContainer) -> float | None:
    for stream in container.streams.video[:1]:
        if stream.average_rate is not None:
            return _believable(float(stream.average_rate))
    return None


def _believable(fps: float) -> float | None:
    return fps if 0 < fps <= MAX_FPS else None
