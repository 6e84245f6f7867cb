"""Codec parameters read from real streams, and how a change of them is noticed."""

import io
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from nvr.media.access_unit import VideoCodec, read_codec_record, split_annex_b
from nvr.media.encode import EncoderSettings, encode_pictures
from nvr.media.parameters import (
    StreamParameters,
    annex_b_filter,
    audio_specific_config,
    changed_parameters,
    join_annex_b,
    jpeg_size,
    leading_parameter_sets,
    read_parameters,
)

CODECS: tuple[VideoCodec, ...] = ("h264", "hevc")


def encode(folder: Path, codec: VideoCodec, size: tuple[int, int]) -> Path:
    width, height = size
    path = folder / f"{codec}-{width}x{height}.mp4"
    pictures = (np.full((height, width, 3), 20 * i, np.uint8) for i in range(6))
    encode_pictures(pictures, path, EncoderSettings(width, height, Fraction(25), gop_s=3 / 25, codec=codec))
    return path


def read(path: Path) -> tuple[StreamParameters, list[bytes]]:
    """Return the parameters and the access units as Annex-B."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        convert = annex_b_filter(stream)
        assert convert is not None
        return read_parameters(stream), [
            bytes(unit) for packet in container.demux(stream) for unit in convert.filter(packet)
        ]


@pytest.mark.parametrize("codec", CODECS)
def test_parameter_sets_of_a_file_are_annex_b_and_packets_are_made_so(tmp_path: Path, codec: VideoCodec) -> None:
    parameters, units = read(encode(tmp_path, codec, (160, 96)))
    assert (parameters.kind, parameters.codec) == ("video", codec)
    assert (parameters.width_px, parameters.height_px) == (160, 96)
    sets = read_codec_record(codec, parameters.extradata).parameter_sets
    assert sets.sps
    assert sets.pps
    assert bool(sets.vps) == (codec == "hevc")
    assert set(sets.in_order()) <= set(split_annex_b(units[0])), "the filter puts them in front of key frames"


@pytest.mark.parametrize("codec", CODECS)
def test_what_was_read_outlives_the_container(tmp_path: Path, codec: VideoCodec) -> None:
    path = encode(tmp_path, codec, (160, 96))
    assert read(path)[0] == read(path)[0]


def test_a_stream_without_length_prefixes_needs_no_filter(tmp_path: Path) -> None:
    _, units = read(encode(tmp_path, "h264", (160, 96)))
    with av.open(io.BytesIO(b"".join(units)), format="h264") as container:
        assert annex_b_filter(container.streams.video[0]) is None


@pytest.mark.parametrize("codec", CODECS)
def test_the_same_parameter_sets_in_band_are_no_change(tmp_path: Path, codec: VideoCodec) -> None:
    parameters, units = read(encode(tmp_path, codec, (160, 96)))
    assert all(changed_parameters(parameters, unit) is None for unit in units)


@pytest.mark.parametrize("codec", CODECS)
def test_a_new_resolution_in_band_gives_new_parameters(tmp_path: Path, codec: VideoCodec) -> None:
    before, _ = read(encode(tmp_path, codec, (160, 96)))
    after, units = read(encode(tmp_path, codec, (320, 180)))
    changed = changed_parameters(before, units[0])
    assert changed is not None
    assert (changed.width_px, changed.height_px) == (320, 180)
    assert changed == after
    assert changed_parameters(changed, units[3]) is None


def test_sets_that_come_first_in_band_are_a_change(tmp_path: Path) -> None:
    known, units = read(encode(tmp_path, "h264", (160, 96)))
    assert changed_parameters(replace(known, extradata=b"", width_px=0, height_px=0), units[0]) == known


def test_a_changed_pps_alone_keeps_the_sps(tmp_path: Path) -> None:
    known, units = read(encode(tmp_path, "h264", (160, 96)))
    sets = read_codec_record("h264", known.extradata).parameter_sets
    new_pps = sets.pps[0] + b"\x01"
    changed = changed_parameters(known, b"\x00\x00\x01" + new_pps + b"\x00\x00\x01\x65" + units[0][-20:])
    assert changed is not None
    assert changed.extradata == join_annex_b(replace(sets, pps=(new_pps,)))
    assert (changed.width_px, changed.height_px) == (160, 96)


@pytest.mark.parametrize(
    "garbage", [b"", b"\x00\x00\x01", b"\x00\x00\x01\x67", b"\x00\x00\x00\x01\x68\x00", b"\xff" * 40]
)
def test_garbage_never_raises(garbage: bytes) -> None:
    current = StreamParameters("video", "h264", b"\x00\x00\x01\x67\x42\x00\x00\x01\x68\x42", 160, 96)
    changed = changed_parameters(current, garbage)
    assert changed is None or (changed.width_px, changed.height_px) == (160, 96)


def test_a_key_frame_is_not_searched_past_its_first_slice() -> None:
    unit = b"\x00\x00\x01\x67\x42\x00\x00\x01\x65picture\x00\x00\x01\x68late"
    assert leading_parameter_sets("h264", unit).sps == (b"\x67\x42",)
    assert leading_parameter_sets("h264", unit).pps == ()


def test_mjpeg_changes_with_its_size() -> None:
    context = av.CodecContext.create("mjpeg", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt, context.time_base = 72, 40, "yuvj420p", Fraction(1, 25)
    picture = av.VideoFrame(72, 40, "yuvj420p")
    picture.pts = 0
    coded = bytes(context.encode(picture)[0])
    assert jpeg_size(coded) == (72, 40)
    current = StreamParameters("video", "mjpeg", width_px=72, height_px=40)
    assert changed_parameters(current, coded) is None
    assert changed_parameters(replace(current, width_px=80), coded) == current
    assert changed_parameters(current, coded[:30]) is None


def encode_audio(codec: str, container_format: str, rate_hz: int = 48000) -> io.BytesIO:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container_format) as container:
        stream = container.add_stream(codec, rate=rate_hz)
        assert isinstance(stream, av.AudioStream)
        stream.layout = "mono"
        for i in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = rate_hz, 1024 * i
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    buffer.seek(0)
    return buffer


def test_aac_has_its_configuration_whether_the_container_stores_it_or_not() -> None:
    found = []
    for container_format in ("mp4", "mpegts"):
        with av.open(encode_audio("aac", container_format)) as container:
            found.append(read_parameters(container.streams.audio[0]))
    assert found[0].extradata[:2] == found[1].extradata == b"\x11\x88"
    assert {(one.codec, one.sample_rate_hz, one.channels) for one in found} == {("aac", 48000, 1)}


def test_a_codec_is_named_by_itself_not_by_its_decoder() -> None:
    with av.open(encode_audio("mp3", "mp3")) as container:
        assert read_parameters(container.streams.audio[0]).codec == "mp3"


@pytest.mark.parametrize(
    ("profile", "rate_hz", "channels", "expected"),
    [
        ("LC", 44100, 2, b"\x12\x10"),
        ("LC", 8000, 1, b"\x15\x88"),
        ("LC", 48000, 8, b"\x11\xb8"),
        ("HE-AAC", 48000, 2, b"\x13\x10"),
        ("HE-AACv2", 44100, 2, b"\x13\x88"),
        ("LC", 44000, 2, b""),
        ("LC", 48000, 0, b""),
    ],
)
def test_audio_specific_config(profile: str, rate_hz: int, channels: int, expected: bytes) -> None:
    assert audio_specific_config(profile, rate_hz, channels) == expected
