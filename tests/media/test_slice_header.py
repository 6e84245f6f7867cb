import re
import subprocess
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext
from hypothesis import given
from hypothesis import strategies as st

from nvr.core.errors import InvalidInputError
from nvr.media.access_unit import VideoCodec
from nvr.media.slice_header import SliceQpReader, coded_size
from nvr.media.slice_qp import SliceQp
from tests.conftest import require_program
from tests.media.rare_headers import RARE_STREAMS, RareStream

WIDTH, HEIGHT = 192, 112
N_FRAMES = 14
EVEN = "ipratio=1:pbratio=1"
"""Key frames and B-frames with the quantiser of the others."""


def moving_square(n_frames: int = N_FRAMES, pixel_format: str = "yuv420p") -> Iterator[av.VideoFrame]:
    """A square before noise that grows brighter, so that references, weights and B-frames are worth it."""
    rng = np.random.default_rng(1)
    backdrop = np.kron(rng.integers(40, 200, (HEIGHT // 16, WIDTH // 16, 3)), np.ones((16, 16, 1)))
    for index in range(n_frames):
        picture = backdrop + rng.normal(0, 3, backdrop.shape) + 2 * index
        picture[20:60, 4 * index : 4 * index + 32] = 220
        frame = av.VideoFrame.from_ndarray(np.clip(picture, 0, 255).astype(np.uint8), format="bgr24")
        frame = frame.reformat(format=pixel_format)
        frame.pts, frame.time_base = index, Fraction(1, 25)
        yield frame


def encode(codec: VideoCodec, settings: str, *, pixel_format: str = "yuv420p", n_frames: int = N_FRAMES) -> list[bytes]:
    name: Literal["libx264", "libx265"] = "libx264" if codec == "h264" else "libx265"
    coder = av.CodecContext.create(name, "w")
    assert isinstance(coder, VideoCodecContext)
    coder.width, coder.height, coder.pix_fmt = WIDTH, HEIGHT, pixel_format
    coder.time_base, coder.framerate, coder.thread_count = Fraction(1, 25), Fraction(25), 1
    if codec == "h264":
        coder.options = {"x264-params": settings}
    else:
        coder.options = {"x265-params": f"log-level=none:pools=none:frame-threads=1:{settings}"}
    packets = [packet for frame in moving_square(n_frames, pixel_format) for packet in coder.encode(frame)]
    return [bytes(packet) for packet in packets + coder.encode(None)]


def read_all(codec: VideoCodec, packets: list[bytes]) -> list[SliceQp]:
    reader = SliceQpReader(codec)
    found = [reader.read(packet) for packet in packets]
    assert None not in found
    return [slice_qp for slice_qp in found if slice_qp is not None]


@pytest.mark.parametrize(
    "settings",
    [
        "qp=18",
        "qp=47:bframes=0:ref=4",
        "qp=30:bframes=4:b-pyramid=normal:ref=5:weightp=2:weightb=1",
        "qp=30:cabac=0:8x8dct=0",
        "qp=30:profile=baseline:bframes=0",
        "qp=30:slices=4",
        "qp=30:interlaced=1:bframes=2",
        "qp=30:tff=1:weightp=1:slices=2",
        "qp=30:fake-interlaced=1",
        "qp=30:cqm=jvt:sps-id=7",
        "qp=30:stitchable=1:constrained-intra=1:chroma-qp-offset=5",
        "qp=30:aud=1:nal-hrd=vbr:vbv-maxrate=9000:vbv-bufsize=9000",
        "qp=30:ref=16:bframes=12:b-adapt=0",
        "qp=30:open-gop=1:keyint=5:bframes=2",
        "qp=30:intra-refresh=1:keyint=10",
        "qp=30:keyint=1",
    ],
)
def test_h264_of_a_constant_quantiser_has_it_in_every_picture(settings: str) -> None:
    asked = int(settings.split(":", 1)[0].removeprefix("qp="))
    found = read_all("h264", encode("h264", f"{settings}:{EVEN}"))
    assert [slice_qp.qp for slice_qp in found] == [asked] * N_FRAMES


@pytest.mark.parametrize(
    "settings",
    [
        "qp=18",
        "qp=47:bframes=0:ref=4",
        "qp=30:bframes=4:b-adapt=0:temporal-layers=3",
        "qp=30:weightp=1:weightb=1:ref=5",
        "qp=30:slices=2",
        "qp=30:scaling-list=default:no-sao=1:amp=1:rect=1",
        "qp=30:opt-qp-pps=1:opt-ref-list-length-pps=1:multi-pass-opt-rps=1",
        "qp=30:aud=1:hrd=1:vbv-maxrate=9000:vbv-bufsize=9000",
        "qp=30:open-gop=1:keyint=5:bframes=2",
        "qp=30:no-temporal-mvp=1:no-deblock=1:cbqpoffs=3:ctu=16:max-tu-size=16",
        "qp=30:field=1",
        "qp=30:keyint=1",
    ],
)
def test_h265_of_a_constant_quantiser_has_it_in_every_picture(settings: str) -> None:
    asked = int(settings.split(":", 1)[0].removeprefix("qp="))
    found = read_all("hevc", encode("hevc", f"{settings}:{EVEN}"))
    assert [slice_qp.qp for slice_qp in found] == [asked] * N_FRAMES


@pytest.mark.parametrize("pixel_format", ["gray", "yuv422p", "yuv444p", "yuv420p10le"])
@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_other_chroma_and_depths_are_read(codec: VideoCodec, pixel_format: str) -> None:
    # x264 counts the 12 steps that 10 bit adds below 0 in its setting
    expected = 22 if (codec, pixel_format) == ("h264", "yuv420p10le") else 34
    found = read_all(codec, encode(codec, f"qp=34:{EVEN}", pixel_format=pixel_format))
    assert {slice_qp.qp for slice_qp in found} == {expected}


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_kinds_of_pictures_are_told_apart(codec: VideoCodec) -> None:
    # I is coded 6·log2(1.4) = 2.9 steps finer, B 6·log2(1.3) = 2.3 coarser
    found = read_all(codec, encode(codec, "qp=30:bframes=2:b-adapt=0:keyint=30:b-pyramid=0:ipratio=1.4:pbratio=1.3"))
    assert found[0] == SliceQp(27, "I", is_reference=True)
    assert set(found[1:]) == {SliceQp(30, "P", is_reference=True), SliceQp(32, "B", is_reference=False)}


def test_parameter_sets_may_come_beforehand_or_with_a_key_frame() -> None:
    packets = encode("h264", f"qp=30:{EVEN}:keyint=5:bframes=0:scenecut=0")
    without = packets[1]
    assert SliceQpReader("h264").read(without) is None
    assert SliceQpReader("h264", packets[0]).read(without) == SliceQp(30, "P", is_reference=True)
    reader = SliceQpReader("h264")
    assert [reader.read(packet) is None for packet in (without, packets[5], packets[6])] == [True, False, False]


def test_new_parameter_sets_replace_the_old() -> None:
    first, second = (encode("h264", f"qp={qp}:{EVEN}:bframes=0:ref={ref}") for qp, ref in ((20, 1), (40, 5)))
    found = read_all("h264", first + second)
    assert [slice_qp.qp for slice_qp in found] == [20] * N_FRAMES + [40] * N_FRAMES


@pytest.mark.parametrize("stream", RARE_STREAMS, ids=lambda stream: stream.name)
def test_rare_syntax_is_read(stream: RareStream) -> None:
    reader = SliceQpReader(stream.codec, stream.parameter_sets)
    found = [reader.read(packet) for packet in stream.slices]
    assert [slice_qp and slice_qp.qp for slice_qp in found] == list(stream.qps)


@pytest.mark.ffmpeg
@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_ffmpeg_reads_the_same_quantisers_under_rate_control(codec: VideoCodec, tmp_path: Path) -> None:
    packets = encode(codec, "bitrate=60:vbv-maxrate=60:vbv-bufsize=30:keyint=20:bframes=2", n_frames=60)
    path = tmp_path / "stream.bin"
    path.write_bytes(b"".join(packets))
    found = [slice_qp.qp for slice_qp in read_all(codec, packets)]
    assert len(set(found)) > 5
    assert trace_headers(path, codec) == found


@pytest.mark.ffmpeg
@pytest.mark.parametrize("stream", [RARE_STREAMS[0], RARE_STREAMS[2]], ids=lambda stream: stream.name)
def test_ffmpeg_reads_rare_syntax_the_same_way(stream: RareStream, tmp_path: Path) -> None:
    path = tmp_path / "stream.bin"
    path.write_bytes(stream.parameter_sets + b"".join(stream.slices))
    deltas = trace_headers(path, stream.codec, absolute=False)
    init_qps = {"h264 weights and markings": (35, 20, 20), "hevc references": (23, 23, 23)}[stream.name]
    assert [init + delta for init, delta in zip(init_qps, deltas, strict=True)] == list(stream.qps)


def trace_headers(path: Path, codec: VideoCodec, *, absolute: bool = True) -> list[int]:
    """Return the QP of each picture's first slice as FFmpeg reads it, or only its difference to that of the PPS."""
    command = [require_program("ffmpeg"), "-hide_banner", "-f", codec, "-i", str(path), "-c", "copy"]
    command += ["-bsf:v", "trace_headers", "-f", "null", "-"]
    text = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    init = re.findall(r" (?:pic_)?init_qp_minus26 .* = (-?\d+)", text)
    deltas = re.findall(r" slice_qp_delta .* = (-?\d+)", text)
    return [int(delta) + (26 + int(init[-1]) if absolute else 0) for delta in deltas]


REAL: dict[VideoCodec, list[bytes]] = {
    "h264": encode("h264", "qp=30:bframes=2:weightp=2", n_frames=6),
    "hevc": encode("hevc", "qp=30:bframes=2:weightb=1", n_frames=6),
}
codecs = st.sampled_from(sorted(REAL))


@given(codec=codecs, data=st.binary(max_size=300))
def test_any_bytes_are_read_or_not(codec: VideoCodec, data: bytes) -> None:
    SliceQpReader(codec, data).read(data)


@given(codec=codecs, packets=st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=60)), max_size=8))
def test_any_nal_units_are_read_or_not(codec: VideoCodec, packets: list[tuple[int, bytes]]) -> None:
    reader = SliceQpReader(codec, REAL[codec][0])
    reader.read(b"".join(b"\x00\x00\x01" + bytes([first]) + rest for first, rest in packets))
    for packet in REAL[codec]:
        reader.read(packet)


@given(codec=codecs, number=st.integers(0, 5), keep=st.integers(0, 120))
def test_a_packet_that_is_cut_off_is_read_or_not(codec: VideoCodec, number: int, keep: int) -> None:
    reader = SliceQpReader(codec, REAL[codec][0])
    whole = SliceQpReader(codec, REAL[codec][0]).read(REAL[codec][number])
    assert reader.read(REAL[codec][number][:keep]) in {None, whole}


@given(codec=codecs, flips=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 900), st.integers(0, 7)), max_size=40))
def test_flipped_bits_raise_nothing(codec: VideoCodec, flips: list[tuple[int, int, int]]) -> None:
    packets = [bytearray(packet) for packet in REAL[codec]]
    for number, position, bit in flips:
        packets[number][position % len(packets[number])] ^= 1 << bit
    reader = SliceQpReader(codec)
    for packet in packets:
        found = reader.read(bytes(packet))
        assert found is None or -48 <= found.qp <= 51


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize(
    "unit", [b"", b"\x00", b"\x00\x00\x01", b"\x00\x00\x01\x0c\x01", b"\x00\x00\x01\x4e\x01", b"\xff"]
)
def test_large_packets_without_a_picture_are_given_up(codec: VideoCodec, unit: bytes) -> None:
    assert SliceQpReader(codec).read(unit * (4_000_000 // max(1, len(unit)))) is None


def test_a_picture_behind_a_large_message_is_not_looked_for() -> None:
    packets = encode("h264", "qp=30:bframes=0", n_frames=2)
    reader = SliceQpReader("h264", packets[0])
    message = b"\x00\x00\x01\x06" + b"\x55" * 70_000
    assert reader.read(message[:60_000] + packets[1]) is not None
    assert reader.read(message + packets[1]) is None


def test_a_quantiser_out_of_range_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="expected a QP of -48 to 51, got 52"):
        SliceQp(52, "P", is_reference=True)


def test_filler_does_not_count() -> None:
    settings = "nal-hrd=cbr:bitrate=400:vbv-maxrate=400:vbv-bufsize=100:bframes=0:qpmin=40:filler=1"
    sizes = [(len(packet), coded_size(packet)) for packet in encode("h264", settings, n_frames=40)]
    assert max(whole for whole, _ in sizes[20:]) < 1.1 * min(whole for whole, _ in sizes[20:])
    assert max(coded for _, coded in sizes[20:]) < 600
    assert coded_size(b"\x00\x00\x01\x41\x9a\x80") == 6
    assert coded_size(b"") == 0
