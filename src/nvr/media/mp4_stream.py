"""What can be in an MP4, and streams of it for packets that are coded already."""

import io
import struct
from dataclasses import replace
from fractions import Fraction
from typing import cast

import av
import av.container
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from nvr.core.errors import InvalidInputError, UnsupportedError
from nvr.media.access_unit import VideoCodec, read_codec_record
from nvr.media.packet import MediaPacket
from nvr.media.parameters import StreamParameters, changed_parameters, picture_size

CodedStream = VideoStream | AudioStream

VIDEO_CODECS = frozenset({"h264", "hevc", "mjpeg"})
AUDIO_CODECS = frozenset({"aac", "opus", "mp3", "flac"})

MAX_SAMPLE_RATE_HZ = 192_000
FINEST_TIME_BASE = Fraction(1, 90_000)
MAX_STEP_S = 3600
"""FFmpeg ends the process where two packets of a track are 2^31 ticks apart (an assertion in movenc.c): in units of
`FINEST_TIME_BASE` that is 6.6 hours, at 192 kHz 3.1."""

NAL_CODECS: dict[str, VideoCodec] = {"h264": "h264", "hevc": "hevc"}


def playable_audio(parameters: StreamParameters) -> bool:
    """Tell whether audio can be kept in an MP4 that browsers and players play; G.711 and G.726 cannot."""
    is_known = 0 < parameters.sample_rate_hz <= MAX_SAMPLE_RATE_HZ and parameters.channels > 0
    has_record = bool(parameters.extradata) or parameters.codec == "mp3" or _is_plain_opus(parameters)
    return parameters.kind == "audio" and parameters.codec in AUDIO_CODECS and is_known and has_record


def complete_parameters(parameters: StreamParameters, first: MediaPacket) -> StreamParameters:
    """Return the parameters with what the first packet of a file knows better.

    Raises:
        InvalidInputError: Neither has the parameter sets.
    """
    content = bytes(first.coded)
    # hvc1 keeps parameter sets in the header alone, so those that the pictures were coded with must be there
    parameters = changed_parameters(parameters, content) or parameters
    codec = NAL_CODECS.get(parameters.codec)
    if codec is not None:
        sets = read_codec_record(codec, parameters.extradata).parameter_sets
        is_complete = any(len(sps) >= 4 for sps in sets.sps) and sets.pps and (sets.vps or codec == "h264")
        if not is_complete:
            raise InvalidInputError(
                f"packet {first.sequence}, {codec}: expected parameter sets, got {len(sets.in_order())}"
            )
    if parameters.width_px and parameters.height_px:
        return parameters
    width_px, height_px = picture_size(parameters.codec, parameters.extradata + content)
    return replace(parameters, width_px=width_px, height_px=height_px)


def add_coded_stream(container: av.container.OutputContainer, parameters: StreamParameters) -> CodedStream:
    """Add a stream for packets that are coded already.

    Raises:
        UnsupportedError: This build of FFmpeg does not know the codec.
    """
    # Only a stream made from a template gets a codec context that takes extradata and is never opened. The encoder of
    # the template is not opened either: it costs 0.1 ms.
    with av.open(io.BytesIO(), "w", format="mp4") as blank:
        try:
            template = cast("CodedStream", blank.add_stream(parameters.codec))
        except ValueError as error:
            raise UnsupportedError(f"this build of FFmpeg cannot put {parameters.codec} into MP4") from error
        stream = container.add_stream_from_template(template, opaque=True)
    context = stream.codec_context
    if extradata := _extradata(parameters):
        context.extradata = extradata
    if isinstance(context, VideoCodecContext):
        context.width, context.height = parameters.width_px, parameters.height_px
        if parameters.codec == "hevc":
            context.codec_tag = "hvc1"  # Apple's players refuse hev1
    elif isinstance(context, AudioCodecContext):
        context.sample_rate = parameters.sample_rate_hz
        context.layout = f"{parameters.channels}c"
    return stream


def _is_plain_opus(parameters: StreamParameters) -> bool:
    return parameters.codec == "opus" and not parameters.extradata and parameters.channels <= 2


def _extradata(parameters: StreamParameters) -> bytes:
    if _is_plain_opus(parameters):
        # RFC 7845, 5.1: version, channels, no pre-skip, rate, no gain, one stream of at most two channels
        return b"OpusHead" + struct.pack("<BBHIhB", 1, parameters.channels, 0, parameters.sample_rate_hz, 0, 0)
    return parameters.extradata
