"""Read one connection: packets as the camera sent them, each with its place in time. Decodes nothing."""

import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.stream import VideoStream

from nvr.core.clock import Clock
from nvr.core.errors import UnsupportedError
from nvr.events.schema import TimestampSource
from nvr.media.capture_clock import CaptureClock
from nvr.media.packet import MediaKind, MediaPacket
from nvr.media.packet_ring import IDLE_PATIENCE_S
from nvr.media.parameters import StreamParameters, annex_b_filter, changed_parameters, read_parameters
from nvr.media.timestamps import FixedTimes, TimestampRepair

if TYPE_CHECKING:
    from av.bitstream import BitStreamFilterContext

MAX_FILE_GAP_S = 10.0
"""A longer jump of a file's time stamps is a cut, which is not waited for."""

WAITED_S = 0.005
"""Packets of a live source that come closer to each other were in a buffer; one that was waited for is new."""

MAX_BUFFERED, MAX_BUFFERED_BYTES = 512, 16 << 20
"""Packets that may come at once when a connection begins, such as 20 s of a camera's own buffer, and their bytes."""

MAX_FILE_LATE_S = 1.0
"""A reader further behind a file's pace does not hurry to catch up, nor after a jump back."""

REPORT_EVERY_PACKETS = 50
"""Asking a packet for its report costs 40 us; a camera sends one each 5 s or so."""

_WITHOUT_B_FRAMES = frozenset({"mjpeg", "rawvideo", "vp8"})

_DEFAULT_TIME_BASE = Fraction(1, 90_000)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WALLCLOCK_US = struct.Struct("=q")

Pace = Literal["live", "realtime", "fast"]
"""live: as it comes from the network; realtime: a file by its own times; fast: a file as fast as it is read."""

AnyPacket: TypeAlias = "av.Packet[Any]"
"""Of video or audio."""


@dataclass(slots=True)
class DemuxCounters:
    """What was read of a camera since its stream object was made; one thread writes."""

    packets: int = 0
    """Of video."""
    keyframes: int = 0
    size_bytes: int = 0
    """Video and audio."""
    corrupt_packets: int = 0
    """Marked by the demuxer: a part of them was lost on the way."""
    timestamp_breaks: int = 0
    """Jumps of the time stamps within a connection."""
    clock_steps: int = 0
    """Steps of the capture time within a connection: this machine's clock was set."""
    parameter_changes: int = 0
    """Of resolution or codec settings within a connection."""


@dataclass(slots=True)
class _Track:
    stream: VideoStream | AudioStream
    kind: MediaKind
    parameters: StreamParameters
    filter: "BitStreamFilterContext | None"
    repair: TimestampRepair
    time_base: Fraction
    tick_s: float
    """The same as a number: 25 fractions a second and camera would cost more than all the rest."""
    is_one_late: bool = False
    """Whether packets come with the next one only."""
    clock: CaptureClock = field(default_factory=CaptureClock)
    report_offset_s: float | None = None
    """Capture time by the camera's reports minus media time; None where it sends none."""
    packets_since_report: int = 0


class _Arrival(NamedTuple):
    track: _Track
    coded: AnyPacket
    arrival_s: float
    arrived_at: datetime


class Demuxer:
    """Turns an open container into `MediaPacket`s; consumed by one thread."""

    def __init__(
        self,
        container: InputContainer,
        *,
        name: str,
        clock: Clock,
        ended: threading.Event,
        pace: Pace,
        counters: DemuxCounters,
        session: int,
        sequence: int,
    ) -> None:
        """Prepare to read.

        Args:
            container: An open source.
            name: Of the camera, without credentials, for errors.
            clock: For arrival times.
            ended: Set by others to end the reading at the next packet.
            pace: How fast to read.
            counters: Added to, never reset.
            session: Number of the first session.
            sequence: Number of the first packet.

        Raises:
            UnsupportedError: There is no video in it.
        """
        if not container.streams.video:
            raise UnsupportedError(f"{name} has no video")
        self._container = container
        self._clock = clock
        self._ended = ended
        self._pace = pace
        self._counters = counters
        self._session = session
        self._sequence = sequence
        self._pace_base_s: float | None = None
        self._file_base: tuple[float, datetime] | None = None
        self._last_file_s = 0.0
        self._clock_error_s: float | None = None
        self._distance_s = 0.0
        self._last_arrival_s: float | None = None
        try:
            tracks = [_track(container.streams.video[0], container.format.name, is_live=pace == "live")]
        except UnsupportedError as error:
            raise UnsupportedError(f"{name}: {error}") from error
        for audio in container.streams.audio[:1]:
            with suppress(UnsupportedError):  # a camera with a sound that nobody knows still has its picture
                tracks.append(_track(audio, container.format.name, is_live=pace == "live"))
        self._tracks = {track.stream.index: track for track in tracks}

    @property
    def session(self) -> int:
        """Number of the present session; the next connection has a higher one."""
        return self._session

    @property
    def sequence(self) -> int:
        """Number of the next packet."""
        return self._sequence

    @property
    def clock_error_s(self) -> float | None:
        """How far the camera's clock is ahead of this machine's, by its sender reports; None without any."""
        return self._clock_error_s

    def batches(self, patience_s: Callable[[], float] = lambda: 0.0) -> Iterator[list[MediaPacket]]:
        """Yield packets in order, several at once where nobody minds, until the source ends or `ended` is set.

        Args:
            patience_s: Asked with each packet: how long the first of a batch may wait. Batches end at the multiples
                of this time on the monotonic clock; 0 yields each packet at once, a key frame always is.
                The first batch of a live source is all that lay in buffers and the first packet after it.

        Raises:
            av.FFmpegError: Reading failed; what was read before has been yielded.
        """
        held: list[_Arrival] = []
        is_buffered = self._pace == "live"
        try:
            for track, coded in self._read():
                held.append(_Arrival(track, coded, self._clock.monotonic(), self._clock.now()))
                if is_buffered:
                    if not _came_at_once(held):
                        yield self._time_buffered(held)
                        held, is_buffered = [], False
                elif (track.kind == "video" and coded.is_keyframe) or self._is_full(held, patience_s()):
                    yield [self._time(arrival, self._fix(arrival)) for arrival in held]
                    held = []
        except av.FFmpegError:
            yield [self._time(arrival, self._fix(arrival)) for arrival in held]
            raise
        yield [self._time(arrival, self._fix(arrival)) for arrival in held]

    def _is_full(self, held: list[_Arrival], patience_s: float) -> bool:
        arrival_s = held[-1].arrival_s
        if self._last_arrival_s is not None:
            distance_s = min(arrival_s - self._last_arrival_s, IDLE_PATIENCE_S)  # a stall is no distance
            self._distance_s += (0.1 if self._distance_s else 1.0) * (distance_s - self._distance_s)
        self._last_arrival_s = arrival_s
        if patience_s <= 0:
            return True
        # by the machine's clock, so that all cameras end their batches together and their frames meet in one inference
        due_s = (held[0].arrival_s // patience_s + 1) * patience_s
        return arrival_s + self._distance_s > due_s  # the next packet would come too late

    def _read(self) -> Iterator[tuple[_Track, AnyPacket]]:
        read = self._container.demux(*(track.stream for track in self._tracks.values()))
        while not self._ended.is_set():
            coded = next(read, None)
            if coded is None:
                return
            if coded.size == 0:
                if self._pace == "live":  # FFmpeg's way of saying that the camera hung up
                    return
                continue
            track = self._tracks[coded.stream_index]
            if self._pace == "realtime" and not self._wait_until_due(coded):
                return
            for piece in (coded,) if track.filter is None else track.filter.filter(coded):
                yield track, piece

    def _wait_until_due(self, coded: AnyPacket) -> bool:
        ticks = coded.dts if coded.dts is not None else coded.pts
        if ticks is None or coded.time_base is None:
            return True
        media_s = float(ticks * coded.time_base)
        now_s = self._clock.monotonic()
        early_s = 0.0 if self._pace_base_s is None else self._pace_base_s + media_s - now_s
        if self._pace_base_s is None or not -MAX_FILE_LATE_S <= early_s <= MAX_FILE_GAP_S:
            self._pace_base_s, early_s = now_s - media_s, 0.0
        return not self._ended.wait(max(0.0, early_s))

    def _time_buffered(self, held: list[_Arrival]) -> list[MediaPacket]:
        """Time what FFmpeg and the camera had in store: the last packets tell how old the first ones are."""
        fixed = [self._fix(arrival) for arrival in held]
        for (track, _, arrival_s, _), times in zip(held, fixed, strict=True):
            track.clock.observe(times.pts * track.tick_s, arrival_s)
        return [self._time(arrival, times) for arrival, times in zip(held, fixed, strict=True)]

    def _fix(self, arrival: _Arrival) -> FixedTimes:
        track, coded, arrival_s, _ = arrival
        is_keyframe = bool(coded.is_keyframe) and track.kind == "video"
        return track.repair.fix(
            coded.pts, coded.dts, coded.duration or 0, track.time_base, arrival_s, is_keyframe=is_keyframe
        )

    def _time(self, arrival: _Arrival, times: FixedTimes) -> MediaPacket:
        track, coded, arrival_s, arrived_at = arrival
        is_keyframe = bool(coded.is_keyframe) or track.kind == "audio"
        if times.is_break:
            self._begin_session(track)
        media_s = times.pts * track.tick_s
        captured_at, source = self._captured_at(track, coded, media_s, arrival_s, arrived_at)
        self._look_for_new_parameters(track, coded)
        if (coded.pts, coded.dts) != (times.pts, times.dts):
            # a decoder takes them from here: FFmpeg's own may be missing, as in the first packet of an RTSP session
            coded.pts, coded.dts = times.pts, times.dts
        packet = MediaPacket(
            kind=track.kind,
            coded=coded,
            parameters=track.parameters,
            session=self._session,
            sequence=self._sequence,
            pts=times.pts,
            dts=times.dts,
            duration=times.duration,
            time_base=track.time_base,
            is_keyframe=is_keyframe,
            size_bytes=coded.size,
            captured_at=captured_at,
            timestamp_source=source,
            received_s=arrival_s,
        )
        self._sequence += 1
        self._count(packet, is_corrupt=bool(coded.is_corrupt))
        return packet

    def _begin_session(self, broken: _Track) -> None:
        self._session += 1
        self._counters.timestamp_breaks += 1
        self._file_base = None
        for track in self._tracks.values():
            track.clock = CaptureClock(is_one_late=track.is_one_late)
            track.report_offset_s = None
            if track is not broken:
                track.repair.restart()

    def _captured_at(
        self, track: _Track, coded: AnyPacket, media_s: float, arrival_s: float, arrived_at: datetime
    ) -> tuple[datetime, TimestampSource]:
        if self._pace != "live":
            if self._file_base is None:
                self._file_base = (media_s, arrived_at)
            base_s, base_at = self._file_base
            return base_at + timedelta(seconds=media_s - base_s), "file"
        captured = track.clock.update(
            media_s, arrival_s, arrived_at, _reported_at(track, coded, media_s), may_step=bool(coded.is_keyframe)
        )
        if track.kind == "video":
            self._clock_error_s = captured.clock_error_s
            if captured.is_step:  # what follows cannot stand in one file with what was before
                self._session += 1
                self._counters.clock_steps += 1
        return captured.captured_at, captured.source

    def _look_for_new_parameters(self, track: _Track, coded: AnyPacket) -> None:
        if track.kind != "video" or not coded.is_keyframe:
            return
        changed = changed_parameters(track.parameters, bytes(coded))
        if changed is not None:
            track.parameters = changed
            self._counters.parameter_changes += 1

    def _count(self, packet: MediaPacket, *, is_corrupt: bool) -> None:
        counters = self._counters
        counters.size_bytes += packet.size_bytes
        if packet.kind == "video":
            counters.packets += 1
            counters.keyframes += packet.is_keyframe
            counters.corrupt_packets += is_corrupt


def _reported_at(track: _Track, coded: AnyPacket, media_s: float) -> datetime | None:
    """Return what the last sender report says of a packet; it is asked for with key frames and now and then."""
    track.packets_since_report += 1
    if coded.is_keyframe or track.report_offset_s is None or track.packets_since_report >= REPORT_EVERY_PACKETS:
        track.packets_since_report = 0
        report = reported_at(coded)
        track.report_offset_s = None if report is None else (report - _EPOCH).total_seconds() - media_s
    if track.report_offset_s is None:
        return None
    return _EPOCH + timedelta(seconds=track.report_offset_s + media_s)


def reported_at(coded: AnyPacket) -> datetime | None:
    """Return when the camera says that a packet was captured: from the first RTCP sender report of a session on.

    FFmpeg works it out of the report and hands it over as producer reference time (`AVProducerReferenceTime`,
    microseconds since 1970).
    """
    if not coded.has_sidedata("prft"):
        return None
    side_data = bytes(coded.get_sidedata("prft"))
    if len(side_data) < _WALLCLOCK_US.size:
        return None
    try:
        return _EPOCH + timedelta(microseconds=_WALLCLOCK_US.unpack_from(side_data)[0])
    except OverflowError:
        return None


def _came_at_once(held: list[_Arrival]) -> bool:
    if len(held) == MAX_BUFFERED or sum(arrival.coded.size for arrival in held) > MAX_BUFFERED_BYTES:
        return False
    return len(held) < 2 or held[-1].arrival_s - held[-2].arrival_s < WAITED_S


def _track(stream: VideoStream | AudioStream, container: str, *, is_live: bool) -> _Track:
    parameters = read_parameters(stream)
    repair = TimestampRepair(
        start_pts=stream.start_time,
        reorders=parameters.kind == "video" and parameters.codec not in _WITHOUT_B_FRAMES,
        is_live=is_live,
    )
    time_base = stream.time_base or _DEFAULT_TIME_BASE
    if isinstance(stream, VideoStream):
        is_one_late = container == "rtsp" and parameters.codec in {"h264", "hevc"}
        track = _Track(stream, "video", parameters, annex_b_filter(stream), repair, time_base, float(time_base))
        track.is_one_late, track.clock = is_one_late, CaptureClock(is_one_late=is_one_late)
        return track
    return _Track(stream, "audio", parameters, None, repair, time_base, float(time_base))
