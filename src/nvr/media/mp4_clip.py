"""One clip out of recordings with the same parameters: which packets it takes, and when each of them is shown."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import av.container

from nvr.core.errors import InvalidInputError
from nvr.media.mp4_stream import FINEST_TIME_BASE, MAX_STEP_S, CodedStream, add_coded_stream
from nvr.media.parameters import StreamParameters

MIN_GAP = timedelta(seconds=0.5)
"""What is less is the distance of two pictures, or the jitter of their times."""

_SOUND_APART_S = 1.0
"""How far from the pictures of the same time sound may lie in a file."""


@dataclass(frozen=True, slots=True)
class ClipPiece:
    """A recording to take packets from."""

    path: Path
    start: datetime
    """When its first picture was captured."""
    end: datetime
    video: StreamParameters
    audio: StreamParameters | None


@dataclass(frozen=True, slots=True)
class _Timed:
    """A packet and its times, in seconds since the first picture of its recording."""

    packet: "av.Packet[Any]"
    is_video: bool
    shown_s: float
    decoded_s: float
    duration_s: float

    @property
    def is_key(self) -> bool:
        return self.is_video and self.packet.is_keyframe


@dataclass(slots=True)
class _Track:
    stream: CodedStream
    time_base: Fraction
    last_dts: int | None = None
    end_s: float = float("-inf")


def open_recording(path: Path) -> av.container.InputContainer:
    """Open a file as the MP4 that it claims to be: FFmpeg would follow the addresses of a playlist of that name.

    Raises:
        InvalidInputError: It is no MP4 with video.
    """
    try:
        container = av.open(f"file:{path}", "r", format="mp4")
    except av.FFmpegError as error:
        raise InvalidInputError(f"{path}: cannot be opened as MP4: {error.strerror}") from error
    if not container.streams.video:
        container.close()
        raise InvalidInputError(f"{path}: expected a video, got none")
    return container


class Clip:
    """Puts recordings one behind the other into an MP4; a context manager, whose file is whole after its end."""

    def __init__(
        self, path: Path, start: datetime, end: datetime, *, exact: bool, audio: StreamParameters | None
    ) -> None:
        """Prepare; nothing is written before the first packet.

        Args:
            path: Is overwritten.
            start: The clip begins with the last key frame at or before it.
            end: The first picture that is not in it any more.
            exact: Hide what is before `start`.
            audio: Of the recordings that have sound; None where none of them has.
        """
        self.spans: list[tuple[datetime, datetime]] = []
        """Capture times of what is shown."""
        self.video_frames = 0
        self._path = path
        self._start = start
        self._end = end
        self._is_exact = exact
        self._audio_parameters = audio
        self._output: av.container.OutputContainer | None = None
        self._tracks: dict[bool, _Track] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        output, self._output = self._output, None
        self._tracks = {}
        if output is None:
            return
        if kind is None:
            output.close()
            return
        with suppress(av.FFmpegError):  # the error that is under way says what is wrong
            output.close()

    def append(self, piece: ClipPiece) -> None:
        """Add what is wanted of a recording.

        Raises:
            InvalidInputError: It cannot be read, or not to its end; what could be read is in the clip.
            av.FFmpegError: The clip cannot be written.
        """
        begin_s = (self._start - piece.start).total_seconds()
        overlap = self.spans[-1][1] - piece.start if self.spans else timedelta()
        with open_recording(piece.path) as source:
            packets = _read(source, piece)
            if not self.spans:
                packets = _from_key_frame_before(packets, begin_s)
            elif overlap >= MIN_GAP:
                packets = _from_key_frame_after(packets, overlap.total_seconds())
            else:
                packets = _from_key_frame_before(packets, 0.0)
            self._add(source, piece, packets, begin_s)

    def _add(
        self, source: av.container.InputContainer, piece: ClipPiece, packets: Iterator[_Timed], begin_s: float
    ) -> None:
        limit_s = (self._end - piece.start).total_seconds()
        first = next(packets, None)
        if first is None or first.shown_s >= limit_s:
            return
        output = self._output or self._open(source, piece, first)
        hides = self._is_exact and not self.spans and begin_s > first.shown_s
        shown_from_s = begin_s if hides else first.shown_s
        # pictures go on where those of the recording before ended
        shift_s = (self._tracks[True].end_s if self.spans else 0.0) - shown_from_s
        until_s = shown_from_s
        try:
            for one in _until(chain([first], packets), limit_s):
                duration_s = min(one.duration_s, MAX_STEP_S)
                if self._is_exact:
                    duration_s = min(duration_s, limit_s - one.shown_s)
                if self._place(piece.path, one, shift_s, duration_s):
                    output.mux_one(one.packet)
                    if one.is_video:
                        until_s = max(until_s, one.shown_s + duration_s)
        finally:
            if until_s > shown_from_s:
                self.spans.append(
                    (piece.start + timedelta(seconds=shown_from_s), piece.start + timedelta(seconds=until_s))
                )

    def _open(
        self, source: av.container.InputContainer, piece: ClipPiece, first: _Timed
    ) -> av.container.OutputContainer:
        options = {"movflags": "faststart", "avoid_negative_ts": "disabled"}
        output = av.open(f"file:{self._path}", "w", format="mp4", container_options=options)
        output.metadata["creation_time"] = (piece.start + timedelta(seconds=first.shown_s)).isoformat()
        template = source.streams.video[0]
        # the packets are as the file has them, so its codec record must be, too
        stream = output.add_stream_from_template(template, opaque=True)
        if piece.video.codec == "hevc":
            stream.codec_context.codec_tag = "hvc1"  # Apple's players refuse hev1
        stream.time_base = max(template.time_base or FINEST_TIME_BASE, FINEST_TIME_BASE)
        self._tracks[True] = _Track(stream, stream.time_base)
        if (parameters := self._audio_parameters) is not None:
            audio = add_coded_stream(output, parameters)
            self._tracks[False] = _Track(audio, Fraction(1, parameters.sample_rate_hz))
        self._output = output
        return output

    def _place(self, path: Path, one: _Timed, shift_s: float, duration_s: float) -> bool:
        """Give a packet its time in the clip; False where it has none."""
        track = self._tracks.get(one.is_video)
        if track is None:
            return False
        shown_s = one.shown_s + shift_s
        dts = round((one.decoded_s + shift_s) / track.time_base)
        last_dts = dts - 1 if track.last_dts is None else track.last_dts
        if abs(dts - last_dts) * track.time_base > MAX_STEP_S or one.shown_s - one.decoded_s > MAX_STEP_S:
            raise InvalidInputError(f"{path}: its times jump by more than {MAX_STEP_S} s at {one.decoded_s:.0f} s")
        if one.is_video:
            dts = max(dts, last_dts + 1)
        elif shown_s + duration_s <= 0 or dts <= last_dts or shown_s < track.end_s - duration_s / 2:
            return False  # hidden as a whole, or said by the recording before
        packet = one.packet
        packet.stream = track.stream
        packet.time_base = track.time_base
        packet.dts = dts
        packet.pts = max(dts, round(shown_s / track.time_base))
        packet.duration = max(0, round(duration_s / track.time_base))
        track.last_dts = dts
        track.end_s = max(track.end_s, shown_s + duration_s)
        self.video_frames += one.is_video
        return True


def _read(source: av.container.InputContainer, piece: ClipPiece) -> Iterator[_Timed]:
    video = source.streams.video[0]
    origin: dict[int, int] = {}
    try:
        for packet in source.demux([video, *source.streams.audio[:1]]):
            time_base = packet.time_base
            if packet.pts is None or packet.dts is None or packet.size == 0:
                continue
            if packet.is_corrupt:
                raise InvalidInputError(f"{piece.path}: damaged at {float(packet.pts * time_base):.1f} s")
            is_video = packet.stream_index == video.index
            # FFmpeg shows the B-frames of CMAF up to two pictures late; sound it reads as it is
            origin_pts = origin.setdefault(video.index, packet.pts) if is_video else 0
            yield _Timed(
                packet,
                is_video,
                float((packet.pts - origin_pts) * time_base),
                float((packet.dts - origin_pts) * time_base),
                float((packet.duration or 0) * time_base),
            )
    except av.FFmpegError as error:
        raise InvalidInputError(f"{piece.path}: cannot be read to its end: {error.strerror}") from error


def _from_key_frame_before(packets: Iterator[_Timed], begin_s: float) -> Iterator[_Timed]:
    """Yield from the last key frame at or before a time, which comes first; from the first one where none is."""
    held: list[_Timed] = []
    has_key = False
    for one in packets:
        if one.is_key and (not has_key or one.shown_s <= begin_s):
            has_key = True
            held = [one, *(near for near in held if not near.is_video and near.shown_s > one.shown_s - _SOUND_APART_S)]
        elif has_key or not one.is_video:
            held.append(one)
        if has_key and one.is_video and one.decoded_s > begin_s:
            break
    if has_key:
        yield from held
        yield from packets


def _from_key_frame_after(packets: Iterator[_Timed], begin_s: float) -> Iterator[_Timed]:
    """Yield from the first key frame at or after a time."""
    for one in packets:
        if one.is_key and one.shown_s >= begin_s:
            yield one
            yield from packets
            return


def _until(packets: Iterable[_Timed], limit_s: float) -> Iterator[_Timed]:
    """Yield what is shown before a time, and the pictures behind it that those were predicted from."""
    behind: list[_Timed] = []
    for one in packets:
        if one.shown_s < limit_s:
            if one.is_video:
                yield from behind
                behind.clear()
            yield one
        elif one.is_video:
            behind.append(one)
            if one.decoded_s > limit_s + _SOUND_APART_S:
                return
