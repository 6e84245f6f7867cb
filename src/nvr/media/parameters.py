"""What a decoder and a file need to know of a stream before its first packet."""

import struct
from dataclasses import dataclass, replace
from typing import Literal, cast

import av
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext
from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from nvr.core.errors import UnsupportedError
from nvr.media.access_unit import ParameterSets, VideoCodec, nal_type, read_codec_record, sort_parameter_sets

_START_CODE = b"\x00\x00\x00\x01"
_ANNEX_B_FILTERS = {"h264": "h264_mp4toannexb", "hevc": "hevc_mp4toannexb"}
_NAL_CODECS: dict[str, VideoCodec] = {"h264": "h264", "hevc": "hevc"}
_AAC_RATES_HZ = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_AAC_OBJECT_TYPES = {"Main": 1, "LC": 2, "SSR": 3, "LTP": 4}


@dataclass(frozen=True, slots=True)
class StreamParameters:
    """Codec parameters as plain values: they outlive the connection they came from, and equal ones are equal."""

    kind: Literal["video", "audio"]
    codec: str
    """FFmpeg's name of the codec: h264, hevc, mjpeg, aac, opus, pcm_mulaw, …"""
    extradata: bytes = b""
    """H.264 and H.265: parameter sets as Annex-B; AAC: the AudioSpecificConfig; empty where there is none."""
    width_px: int = 0
    height_px: int = 0
    pix_fmt: str = ""
    """FFmpeg's name of the pixel format of uncompressed video; empty where the coded stream tells."""
    sample_rate_hz: int = 0
    channels: int = 0


def read_parameters(stream: VideoStream | AudioStream) -> StreamParameters:
    """Return the parameters of a stream of an open input.

    Raises:
        UnsupportedError: This build does not know the codec.
        InvalidInputError: The codec record of an H.264 or H.265 stream is cut off.
    """
    codec = _codec_name(stream)
    if codec is None:
        raise UnsupportedError(f"{stream.type} stream {stream.index} has a codec that this build does not know")
    context = stream.codec_context
    extradata = context.extradata or b""
    if isinstance(stream, VideoStream):
        if (video_codec := _nal_codec(codec)) is not None:
            extradata = join_annex_b(read_codec_record(video_codec, extradata).parameter_sets)
        return StreamParameters(
            "video",
            codec,
            extradata,
            width_px=stream.codec_context.width,
            height_px=stream.codec_context.height,
            pix_fmt=(stream.codec_context.pix_fmt or "") if codec == "rawvideo" else "",
        )
    rate_hz, channels = stream.codec_context.sample_rate, stream.codec_context.channels
    if not extradata and codec == "aac":
        extradata = audio_specific_config(stream.codec_context.profile or "LC", rate_hz, channels)
    return StreamParameters("audio", codec, extradata, sample_rate_hz=rate_hz, channels=channels)


def annex_b_filter(stream: VideoStream) -> BitStreamFilterContext | None:
    """Return what turns packets of this stream into Annex-B; None where they are already, or have no NAL units.

    The codec record tells the two apart (ISO/IEC 14496-15 starts with its version, 1), never a packet.
    """
    name = _ANNEX_B_FILTERS.get(_codec_name(stream) or "")
    if name is None or not (stream.codec_context.extradata or b"\x00")[0]:
        return None
    return BitStreamFilterContext(name, stream)


def changed_parameters(current: StreamParameters, packet_bytes: bytes) -> StreamParameters | None:
    """Return new parameters where a key frame brings others than the current ones, else None.

    Called on each key frame: reads no further than the first slice. Only a new SPS costs a decoded picture, which
    tells the size; sets that the packet does not bring are taken from the current ones. Of MJPEG only the size counts.

    Args:
        current: Parameters so far.
        packet_bytes: The whole access unit, H.264 and H.265 as Annex-B.
    """
    codec = _nal_codec(current.codec)
    if codec is None:
        size = jpeg_size(packet_bytes) if current.codec == "mjpeg" else None
        is_same = size in {None, (current.width_px, current.height_px)}
        return None if size is None or is_same else replace(current, width_px=size[0], height_px=size[1])
    found = leading_parameter_sets(codec, packet_bytes)
    if not found.sps and not found.pps and not found.vps:
        return None
    known = read_codec_record(codec, current.extradata).parameter_sets
    if set(found.in_order()) <= set(known.in_order()):
        return None
    merged = ParameterSets(sps=found.sps or known.sps, pps=found.pps or known.pps, vps=found.vps or known.vps)
    extradata = join_annex_b(merged)
    if not found.sps or found.sps == known.sps:
        return replace(current, extradata=extradata)
    width_px, height_px = picture_size(codec, extradata + packet_bytes)
    return replace(
        current,
        extradata=extradata,
        width_px=width_px or current.width_px,
        height_px=height_px or current.height_px,
    )


def leading_parameter_sets(codec: VideoCodec, packet_bytes: bytes) -> ParameterSets:
    """Return the parameter sets before the first slice of an Annex-B access unit."""
    nals: list[bytes] = []
    start = packet_bytes.find(b"\x00\x00\x01")
    while start >= 0 and start + 3 < len(packet_bytes):
        start += 3
        if _is_slice(codec, packet_bytes[start : start + 1]):
            break
        end = packet_bytes.find(b"\x00\x00\x01", start)
        nals.append(packet_bytes[start : end if end >= 0 else len(packet_bytes)].rstrip(b"\x00"))
        start = end
    return sort_parameter_sets(codec, tuple(nal for nal in nals if nal))


def join_annex_b(sets: ParameterSets) -> bytes:
    """Return parameter sets with start codes."""
    return b"".join(_START_CODE + nal for nal in sets.in_order())


def audio_specific_config(profile: str, sample_rate_hz: int, channels: int) -> bytes:
    """Return the AudioSpecificConfig of plain AAC, for streams whose packets carry it in ADTS headers.

    Empty where the rate or the number of channels has no number in ISO/IEC 14496-3, tables 1.16 and 1.19.
    """
    if profile.startswith("HE-AAC"):  # its header tells the half band; decoders find the rest in the packets
        sample_rate_hz, channels = sample_rate_hz // 2, 1 if profile == "HE-AACv2" else channels
    if sample_rate_hz not in _AAC_RATES_HZ or not 1 <= channels <= 8 or channels == 7:
        return b""
    channel_configuration = 7 if channels == 8 else channels
    bits = _AAC_OBJECT_TYPES.get(profile, 2) << 11
    bits |= _AAC_RATES_HZ.index(sample_rate_hz) << 7 | channel_configuration << 3
    return bits.to_bytes(2, "big")


def picture_size(codec: str, key_frame: bytes) -> tuple[int, int]:
    """Return width and height of a key frame by decoding it; (0, 0) where that cannot be done.

    Args:
        codec: h264, hevc or mjpeg.
        key_frame: With its parameter sets, H.264 and H.265 as Annex-B.
    """
    decoder = cast("VideoCodecContext", av.CodecContext.create(codec, "r"))
    decoder.thread_count = 1
    try:
        pictures = [*decoder.decode(av.Packet(key_frame)), *decoder.decode(None)]
    except av.FFmpegError:
        return 0, 0
    return (pictures[0].width, pictures[0].height) if pictures else (0, 0)


def jpeg_size(picture: bytes) -> tuple[int, int] | None:
    """Return width and height of a JPEG from its frame header (ITU-T T.81, B.2.2); None where there is none."""
    position = 2
    while position + 9 <= len(picture) and picture[position] == 0xFF:
        marker = picture[position + 1]
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            height_px, width_px = struct.unpack_from(">HH", picture, position + 5)
            return width_px, height_px
        position += 2 + int.from_bytes(picture[position + 2 : position + 4], "big")
    return None


def _codec_name(stream: VideoStream | AudioStream) -> str | None:
    # PyAV's types do not say that there is no context where this build has no decoder
    context: CodecContext | None = stream.codec_context
    # the decoder may have another name than the codec: mp3float, libdav1d
    return context.codec.canonical_name if context is not None else None


def _nal_codec(codec: str) -> VideoCodec | None:
    return _NAL_CODECS.get(codec)


def _is_slice(codec: VideoCodec, header: bytes) -> bool:
    number = nal_type(codec, header)
    return 1 <= number <= 5 if codec == "h264" else number < 32
