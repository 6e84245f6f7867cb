"""Coded packets to a fragmented MP4 (CMAF) that plays up to its last fragment whenever the writing ends.

What it leaves to others: where to cut and how to name files (the recorder), syncing and closing the file (who opened
it), the end of a file after a crash (`mp4_repair`).
"""

import errno
from fractions import Fraction
from typing import Protocol, cast

import av
import av.container
from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from nvr.core.errors import InvalidInputError, UnsupportedError
from nvr.media.mp4_stream import (
    AUDIO_CODECS,
    FINEST_TIME_BASE,
    MAX_STEP_S,
    NAL_CODECS,
    VIDEO_CODECS,
    CodedStream,
    add_coded_stream,
    complete_parameters,
    playable_audio,
)
from nvr.media.packet import MediaPacket
from nvr.media.parameters import StreamParameters

__all__ = ["VIDEO_CODECS", "ByteFile", "FragmentWriter", "playable_audio", "write_whole"]

_BUFFER_BYTES = 1 << 20
"""FFmpeg hands its bytes to Python in pieces of at most this size; memory is touched only as far as it is filled."""
_MAX_INTERLEAVE_S = 0.2
"""A track waits this long for packets of the other; FFmpeg's own 10 s would be lost with the last fragment."""


class ByteFile(Protocol):
    """Where the bytes go, one after the other: an unbuffered file, say."""

    def write(self, data: bytes, /) -> int | None:
        """Take bytes, and return how many where that may be fewer than all."""
        ...


class FragmentWriter:
    """Writes the packets of one session and one set of parameters; used by one thread.

    The first picture is at time 0 of the file, also where the stream has B-frames, and sound keeps its distance to it.
    Nothing is written before the first packet; from then on each fragment goes to the file as soon as it is whole.
    """

    def __init__(
        self, file: ByteFile, video: StreamParameters, audio: StreamParameters | None = None, *, fragment_s: float = 0.5
    ) -> None:
        """Check what is to be written.

        Args:
            file: Stays open and belongs to the caller.
            video: Parameter sets may be missing where the first packet brings them; those it brings count.
            audio: None leaves audio packets out.
            fragment_s: Length of a fragment, which is what a crash can lose.

        Raises:
            UnsupportedError: MP4 cannot hold the codec, or players do not play it.
        """
        if video.codec not in VIDEO_CODECS:
            raise UnsupportedError(f"expected video as one of {', '.join(sorted(VIDEO_CODECS))}, got {video.codec}")
        if audio is not None and not playable_audio(audio):
            raise UnsupportedError(
                f"expected audio as one of {', '.join(sorted(AUDIO_CODECS))} with rate and channels, "
                f"got {audio.codec}, {audio.sample_rate_hz} Hz, {audio.channels} channels"
            )
        self._file = file
        self._video_parameters = video
        self._audio_parameters = audio
        self._fragment_s = fragment_s
        self._container: av.container.OutputContainer | None = None
        self._sink = _Sink()
        self._video: _Track | None = None
        self._audio: _Track | None = None
        self._failure: OSError | None = None
        self._is_closed = False
        self._bytes_written = 0
        self._media_end_s = 0.0
        self._left_out = 0

    @property
    def bytes_written(self) -> int:
        """Bytes of the header and of whole fragments that the file took."""
        return self._bytes_written

    @property
    def media_end_s(self) -> float:
        """Where the latest picture ends, in seconds of the file; it may not be written yet."""
        return self._media_end_s

    @property
    def left_out(self) -> int:
        """Packets that were not written because they are played before the first picture of the file."""
        return self._left_out

    def write(self, packet: MediaPacket) -> None:
        """Add a packet; the first one of the video must be a key frame. The packet is not changed and not copied.

        Raises:
            OSError: The file's own. The writer is of no use any more.
            InvalidInputError: This packet cannot be written and was not; the next may be.
        """
        if self._failure is not None:
            raise self._failure
        if self._is_closed:
            raise ValueError("the writer is closed")
        if packet.kind == "video":
            self._write_video(packet)
        elif self._audio_parameters is not None:
            self._write_audio(packet)

    def close(self) -> None:
        """Write the last fragment and the index; does nothing the second time, or after the file failed.

        Raises:
            OSError: The file's own.
            InvalidInputError: The last packets cannot be written.
        """
        container, self._container = self._container, None
        self._video = self._audio = None
        if self._is_closed:
            return
        self._is_closed = True
        if container is None:
            return
        try:
            container.close()
        except av.FFmpegError as error:
            raise InvalidInputError(f"the last packets cannot be written: {error.strerror}") from error
        finally:
            if self._failure is None:
                self._pass_on()

    def _write_video(self, packet: MediaPacket) -> None:
        track = self._video or self._open(packet)
        # of an open GOP: the picture was predicted from one in the file before
        if self._is_too_early(packet, track):
            return
        self._mux(packet, track)
        self._media_end_s = max(self._media_end_s, track.end_s)

    def _write_audio(self, packet: MediaPacket) -> None:
        if self._audio is None:
            self._left_out += 1
        elif not self._is_too_early(packet, self._audio):
            self._mux(packet, self._audio)

    def _is_too_early(self, packet: MediaPacket, track: "_Track") -> bool:
        is_too_early = packet.pts * packet.time_base < track.origin_s
        self._left_out += is_too_early
        return is_too_early

    def _mux(self, packet: MediaPacket, track: "_Track") -> None:
        coded = track.place(packet)
        try:
            track.container.mux_one(coded)
        except av.FFmpegError as error:
            raise InvalidInputError(
                f"{packet.kind} packet {packet.sequence} of {packet.size_bytes} bytes, {packet.parameters.codec}, "
                f"or one shortly before it cannot be written: {error.strerror}"
            ) from error
        if self._sink.pieces:
            self._pass_on()

    def _open(self, first: MediaPacket) -> "_Track":
        if not first.is_keyframe:
            raise InvalidInputError(f"expected a key frame first, got packet {first.sequence}, which is none")
        video = complete_parameters(self._video_parameters, first)
        container = av.open(
            self._sink,  # without seek and tell: FFmpeg is to write in one go
            "w",
            format="mp4",
            buffer_size=_BUFFER_BYTES,
            container_options=_muxer_options(video, self._fragment_s),
        )
        container.metadata["creation_time"] = first.captured_at.isoformat()
        try:
            origin_s = first.pts * first.time_base
            track = _Track(container, add_coded_stream(container, video), origin_s)
            if self._audio_parameters is not None:
                self._audio = _Track(container, add_coded_stream(container, self._audio_parameters), origin_s)
            track.stream.time_base = max(first.time_base, FINEST_TIME_BASE)
            container.start_encoding()
        except (av.FFmpegError, ValueError) as error:
            self._audio = None
            raise InvalidInputError(f"no MP4 can begin with packet {first.sequence}, {video.codec}: {error}") from error
        self._container = container
        self._video = track
        self._pass_on()
        return track

    def _pass_on(self) -> None:
        data = self._sink.take()
        try:
            write_whole(self._file, data)
        except OSError as error:
            self._failure = error
            raise
        self._bytes_written += len(data)


def write_whole(file: ByteFile, data: bytes) -> None:
    """Write all of the data to a file that may take less at a time."""
    rest = data
    while rest:
        taken = file.write(rest)
        if taken == 0:
            raise OSError(errno.EIO, "the file takes no bytes")
        rest = b"" if taken is None else rest[taken:]


class _Sink:
    """Takes FFmpeg's bytes; the file is written outside of its callback, where an error would only be a number."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.pieces.append(data)
        return len(data)

    def take(self) -> bytes:
        pieces, self.pieces = self.pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class _Track:
    """Places the packets of one kind in the time of the file."""

    def __init__(self, container: av.container.OutputContainer, stream: CodedStream, origin_s: Fraction) -> None:
        self.container = container
        self.stream = stream
        self.origin_s = origin_s
        """Media time that becomes 0."""
        self.end_s = 0.0
        """Where the latest packet ends in the file."""
        self._time_base: Fraction | None = None
        self._origin = 0
        self._last_dts = 0

    def place(self, packet: MediaPacket) -> "Packet[Stream]":
        duration = self._check(packet)
        if self._time_base is None:
            self._time_base = packet.time_base
            self._origin = round(self.origin_s / packet.time_base)
        self._last_dts = packet.dts
        pts = max(packet.pts, packet.dts)
        self.end_s = float((pts - self._origin + duration) * packet.time_base)
        # the same bytes in another object: PyAV changes the times of the one that it muxes, which all readers share
        coded = Packet(cast("bytes", _raw(packet)))  # it takes any buffer
        coded.pts = pts - self._origin
        coded.dts = packet.dts - self._origin
        coded.duration = duration
        coded.time_base = packet.time_base
        coded.is_keyframe = packet.is_keyframe
        coded.stream = self.stream
        return coded

    def _check(self, packet: MediaPacket) -> int:
        """Return the duration of a packet whose times fit to those before; refuse others."""
        most = int(MAX_STEP_S / packet.time_base)
        duration = packet.duration if 0 < packet.duration <= most else 0
        is_shown_in_time = packet.pts - packet.dts <= most
        if self._time_base is None:
            step, has_same_base = 1, True
        else:
            step, has_same_base = packet.dts - self._last_dts, packet.time_base == self._time_base
        if not (0 < step <= most and is_shown_in_time and has_same_base):
            raise InvalidInputError(
                f"{packet.kind} packet {packet.sequence}: expected a decoding time after {self._last_dts} x "
                f"{self._time_base} s and a showing time after that, both within {MAX_STEP_S} s, got {packet.dts} and "
                f"{packet.pts} x {packet.time_base} s"
            )
        if self._time_base is None:
            return duration
        # counts only for the last packet of a fragment; after a pause the step would reach into the next one
        return min(duration, step) if duration else step


def _raw(packet: MediaPacket) -> "Packet[VideoStream] | Packet[AudioStream] | memoryview":
    if packet.parameters.codec != "aac" or packet.size_bytes < 9:
        return packet.coded
    # an ADTS header, as in MPEG-TS; FFmpeg strips it for plain MP4 but not for fragments
    view = memoryview(packet.coded)
    if view[0] != 0xFF or view[1] & 0xF0 != 0xF0:
        return packet.coded
    return view[7 if view[1] & 1 else 9 :]


def _muxer_options(video: StreamParameters, fragment_s: float) -> dict[str, str]:
    # a fragment for each GOP, too, so that reading can begin there; with MJPEG that would be each picture
    by_key_frame = "+frag_keyframe" if video.codec in NAL_CODECS else ""
    return {
        "movflags": "cmaf+frag_discont" + by_key_frame,
        "frag_duration": str(round(fragment_s * 1e6)),
        "flush_packets": "1",
        "avoid_negative_ts": "disabled",  # before B-frames the decoding times begin below 0, and CMAF makes up for it
        "max_interleave_delta": str(round(_MAX_INTERLEAVE_S * 1e6)),
    }
