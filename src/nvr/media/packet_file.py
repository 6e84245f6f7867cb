"""A video file as packets to send in a loop: as it is where that works, else transcoded once and cached."""

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import av.container
import platformdirs
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from nvr.core.errors import ConfigurationError, InvalidInputError, UnsupportedError
from nvr.media.access_unit import (
    RTP_CLOCK_HZ,
    AccessUnit,
    EncodedLoop,
    NalLayout,
    ParameterSets,
    VideoCodec,
    read_codec_record,
    sort_parameter_sets,
    strip_parameter_sets,
)
from nvr.media.encode import EncoderSettings, encode_frames

logger = logging.getLogger(__name__)

_CODECS: dict[str, VideoCodec] = {"h264": "h264", "hevc": "hevc"}
MAX_FILE_BYTES = 512 << 20
"""The largest file that is played: its packets and their RTP payloads are held in memory."""

_LONGEST_GOP_S = 4.0
_HASH_CHUNK_BYTES = 1 << 20


def default_cache_dir() -> Path:
    """Return the user's folder for loops that were rendered or transcoded; it may not exist yet."""
    return platformdirs.user_cache_path("nvr") / "loops"


def load_loop(path: Path, cache_dir: Path, gop_s: float = 1.0) -> EncodedLoop:
    """Return the packets of any video file that FFmpeg reads.

    H.264 and H.265 without B-frames, with a key frame at least every 4 s and with the same parameter sets all the
    way pass through untouched. Anything else is transcoded to H.264 of the same size and rate, once: the result is
    cached by content and settings.

    Raises:
        ConfigurationError: the file is missing, is no video, holds no picture or is larger than `MAX_FILE_BYTES`.
    """
    if path.is_file() and (size_bytes := path.stat().st_size) > MAX_FILE_BYTES:
        raise ConfigurationError(
            f"{path}: expected a file of at most {MAX_FILE_BYTES >> 20} MiB as loops are held in memory, "
            f"got {size_bytes >> 20} MiB: cut a piece out of it"
        )
    try:
        return read_loop(path)
    except UnsupportedError as error:
        logger.info("transcoding %s once: %s", path, error)
    cached = cache_dir / f"{_content_key(path)}-gop{gop_s:g}.mp4"
    return cached_loop(cached, lambda: _transcode(path, cached, gop_s))


def cached_loop(path: Path, build: Callable[[], None], *, has_b_frames: bool = False) -> EncodedLoop:
    """Return the loop that is kept at a path; `build` makes the file where it is missing or damaged.

    Raises:
        ConfigurationError: the file cannot be made.
    """
    try:
        if path.exists():
            loop = read_loop(path, may_have_b_frames=has_b_frames)
            with suppress(OSError):  # the age only decides what is deleted first
                path.touch()
            return loop
    except (ConfigurationError, UnsupportedError) as error:
        logger.warning("a damaged file of the cache is made again: %s", error)
        with suppress(OSError):  # it is replaced anyhow, or that fails with the reason
            path.unlink()
    except OSError as error:
        raise ConfigurationError(f"{path.parent}: the cache cannot be read: {error.strerror}") from error
    build()
    return read_loop(path, may_have_b_frames=has_b_frames)


def read_loop(path: Path, *, may_have_b_frames: bool = False) -> EncodedLoop:
    """Return the packets of a file as they are.

    B-frames are for files of our own coder only: others may begin with pictures that refer to what is not there.

    Raises:
        ConfigurationError: the file is missing, is no video, or holds no picture.
        UnsupportedError: it is another codec, has B-frames, too few key frames or parameter sets that change.
    """
    with _open(path) as container:
        stream = _video_stream(container, path)
        codec = _CODECS.get(stream.codec_context.name)
        if codec is None:
            raise UnsupportedError(f"{path}: codec {stream.codec_context.name} cannot be sent as it is")
        # AVI stores no showing times: FFmpeg counts the packets, so that B-frames do not show in the times there.
        if stream.codec_context.has_b_frames and not may_have_b_frames:
            raise UnsupportedError(f"{path}: has B-frames")
        try:
            layout = read_codec_record(codec, stream.codec_context.extradata or b"")
            units, parameter_sets = _read_units(container, stream, codec, layout)
        except UnsupportedError as error:
            raise UnsupportedError(f"{path}: {error}") from error
        except InvalidInputError as error:
            raise ConfigurationError(f"{path}: {error}") from error
        except av.FFmpegError as error:
            raise ConfigurationError(f"{path}: cannot be read to its end: {error.strerror}") from error
        return _check_loop(path, codec, parameter_sets, stream, units)


def _read_units(
    container: av.container.InputContainer, stream: VideoStream, codec: VideoCodec, layout: NalLayout
) -> tuple[list[AccessUnit], ParameterSets]:
    parameter_sets = layout.parameter_sets
    tick_90k = _frame_ticks(stream)
    units: list[AccessUnit] = []
    decoded_90k: list[int] = []
    first_90k: int | None = None
    for packet in container.demux(stream):
        if packet.size == 0 or (not units and not packet.is_keyframe):
            continue
        nals = layout.split(bytes(packet))
        found = sort_parameter_sets(codec, nals)
        if not parameter_sets.sps:
            parameter_sets = found
        elif not set(found.in_order()) <= set(parameter_sets.in_order()) or _has_new_record(packet, units):
            raise UnsupportedError(f"its parameter sets change at frame {len(units)}")
        pts_90k = _pts_90k(packet)
        if pts_90k is None:
            pts_90k = (first_90k or 0) + round(len(units) * tick_90k)
        first_90k = pts_90k if first_90k is None else first_90k
        units.append(AccessUnit(strip_parameter_sets(codec, nals), pts_90k - first_90k, packet.is_keyframe))
        decoded_90k.append(_in_90k(packet, packet.dts, pts_90k) - first_90k)
    return _with_delays(units, decoded_90k), parameter_sets


def _with_delays(units: list[AccessUnit], decoded_90k: list[int]) -> list[AccessUnit]:
    if not any(later.pts_90k < earlier.pts_90k for earlier, later in pairwise(units)):
        return units
    # the coder cannot send what was not captured yet: as late as its most reordered picture makes it
    shift_90k = max(unit.pts_90k - dts_90k for unit, dts_90k in zip(units, decoded_90k, strict=True))
    return [
        replace(unit, delay_90k=dts_90k + shift_90k - unit.pts_90k)
        for unit, dts_90k in zip(units, decoded_90k, strict=True)
    ]


def _has_new_record(packet: "Packet[VideoStream]", earlier: list[AccessUnit]) -> bool:
    return bool(earlier) and packet.has_sidedata("new_extradata")


def _pts_90k(packet: "Packet[VideoStream]") -> int | None:
    ticks = packet.pts if packet.pts is not None else packet.dts
    return None if ticks is None or packet.time_base is None else _in_90k(packet, ticks, 0)


def _in_90k(packet: "Packet[VideoStream]", ticks: int | None, fallback_90k: int) -> int:
    if ticks is None or packet.time_base is None:
        return fallback_90k
    return round(ticks * packet.time_base * RTP_CLOCK_HZ)


def _check_loop(
    path: Path, codec: VideoCodec, parameter_sets: ParameterSets, stream: VideoStream, units: list[AccessUnit]
) -> EncodedLoop:
    if not units:
        raise ConfigurationError(f"{path}: no picture in it")
    if not parameter_sets.sps or not parameter_sets.pps:
        raise UnsupportedError(f"{path}: no parameter sets")
    sent = [unit.sent_90k for unit in units]
    times = sorted(unit.pts_90k for unit in units)
    if any(later <= earlier for earlier, later in (*pairwise(sent), *pairwise(times))):
        raise UnsupportedError(f"{path}: its times go back")
    duration_90k = times[-1] + max(1, round(_frame_ticks(stream)))
    key_times = [unit.pts_90k for unit in units if unit.is_keyframe] + [duration_90k]
    gop_s = max(later - earlier for earlier, later in pairwise(key_times)) / RTP_CLOCK_HZ
    if gop_s > _LONGEST_GOP_S:
        raise UnsupportedError(f"{path}: {gop_s:.1f} s without a key frame, at most {_LONGEST_GOP_S:g} s are useful")
    return EncodedLoop(
        codec=codec,
        parameter_sets=parameter_sets,
        width_px=stream.codec_context.width,
        height_px=stream.codec_context.height,
        fps=round(len(units) * RTP_CLOCK_HZ / duration_90k, 3),
        units=tuple(units),
        duration_90k=duration_90k,
    )


def _transcode(path: Path, target: Path, gop_s: float) -> None:
    with _open(path) as container:
        stream = _video_stream(container, path)
        context = stream.codec_context
        settings = EncoderSettings(
            width_px=context.width // 2 * 2,
            height_px=context.height // 2 * 2,
            fps=_frame_rate(stream),
            gop_s=gop_s,
        )
        encode_frames(_decode(container, stream, path), target, settings)


def _decode(container: av.container.InputContainer, stream: VideoStream, path: Path) -> Iterator[VideoFrame]:
    count = 0
    try:
        for frame in container.decode(stream):
            count += 1
            yield frame
    except av.FFmpegError as error:
        if count == 0:
            raise ConfigurationError(f"{path}: cannot be decoded: {error.strerror}") from error
        logger.warning("%s: ends after %d frames: %s", path, count, error.strerror)
    if count == 0:
        raise ConfigurationError(f"{path}: no picture in it")


def _open(path: Path) -> av.container.InputContainer:
    if not path.is_file():
        raise ConfigurationError(f"{path}: no such video file")
    try:
        return av.open(str(path))
    except av.FFmpegError as error:
        raise ConfigurationError(f"{path}: no video file that can be read: {error.strerror}") from error


def _video_stream(container: av.container.InputContainer, path: Path) -> VideoStream:
    if not container.streams.video:
        raise ConfigurationError(f"{path}: no video in it")
    return container.streams.video[0]


def _frame_rate(stream: VideoStream) -> Fraction:
    rate = stream.average_rate or stream.guessed_rate or Fraction(25)
    return min(max(rate, Fraction(1)), Fraction(120)).limit_denominator(1001)


def _frame_ticks(stream: VideoStream) -> float:
    return float(RTP_CLOCK_HZ / _frame_rate(stream))


def _content_key(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_HASH_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()[:32]
