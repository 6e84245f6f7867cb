"""Read one connection: packets as the camera sent them, each with its place in time. Decodes nothing."""

import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.stream import VideoStream

from nvr.core.clock import Clock
from nvr.core.errors import UnsupportedError
from nvr.events.schema import TimestampSource
from nvr.media.capture_clock import CaptureClock
from nvr.media.packet import MediaKind, MediaPacket
from nvr.media.parameters import StreamParameters, annex_b_filter, changed_parameters, read_parameters
from nvr.media.timestamps import TimestampRepair

if TYPE_CHECKING:
    from av.bitstream import BitStreamFilterContext

MAX_FILE_GAP_S = 10.0
"""A longer jump of a file's time stamps is a cut, which is not waited for."""

MAX_FILE_LATE_S = 1.0
"""A reader further behind a file's pace does not hurry to catch up, nor after a jump back."""

_WITHOUT_B_FRAMES = frozenset({"mjpeg", "rawvideo", "vp8"})

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
    clock: CaptureClock = field(default_factory=CaptureClock)


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
        streams: list[VideoStream | AudioStream] = [container.streams.video[0], *container.streams.audio[:1]]
        self._tracks = {stream.index: _track(stream, is_live=pace == "live") for stream in streams}

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

    def packets(self) -> Iterator[MediaPacket]:
        """Yield packets until the source ends or `ended` is set.

        Raises:
            av.FFmpegError: Reading failed.
        """
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
                yield self._time(track, piece)

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

    def _time(self, track: _Track, coded: AnyPacket) -> MediaPacket:
        arrival_s, arrived_at = self._clock.monotonic(), self._clock.now()
        time_base = coded.time_base or track.stream.time_base
        assert time_base is not None  # noqa: S101 - FFmpeg gives every stream one
        times = track.repair.fix(coded.pts, coded.dts, coded.duration or 0, time_base, arrival_s)
        if times.is_break:
            self._begin_session(track)
        media_s = float(times.pts * time_base)
        captured_at, source = self._captured_at(track, coded, media_s, arrival_s, arrived_at)
        self._look_for_new_parameters(track, coded)
        # readers take them from here: FFmpeg's own may be missing, as in the first packet of an RTSP session
        coded.pts, coded.dts, coded.time_base = times.pts, times.dts, time_base
        packet = MediaPacket(
            kind=track.kind,
            coded=coded,
            parameters=track.parameters,
            session=self._session,
            sequence=self._sequence,
            pts=times.pts,
            dts=times.dts,
            duration=times.duration,
            time_base=time_base,
            is_keyframe=bool(coded.is_keyframe) or track.kind == "audio",
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
            track.clock = CaptureClock()
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
            media_s, arrival_s, arrived_at, reported_at(coded), may_step=bool(coded.is_keyframe)
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


def _track(stream: VideoStream | AudioStream, *, is_live: bool) -> _Track:
    is_video = isinstance(stream, VideoStream)
    repair = TimestampRepair(
        start_pts=stream.start_time,
        reorders=is_video and stream.codec_context.name not in _WITHOUT_B_FRAMES,
        is_live=is_live,
    )
    if isinstance(stream, VideoStream):
        return _Track(stream, "video", read_parameters(stream), annex_b_filter(stream), repair)
    return _Track(stream, "audio", read_parameters(stream), None, repair)
