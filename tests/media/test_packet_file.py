"""Video files of all kinds become loops: written here by PyAV, so that nobody's video is needed."""

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream

from nvr.core.errors import ConfigurationError, UnsupportedError
from nvr.media.packet_file import MAX_FILE_BYTES, load_loop, read_loop

N_FRAMES = 24


def write_video(path: Path, codec: str = "libx264", bframes: int = 0, size: tuple[int, int] = (128, 96)) -> Path:
    """Write 24 frames, of 128x96 unless told, at 12 fps; with x264's B-frames always used where asked for."""
    width, height = size
    with av.open(str(path), "w") as container:
        coder = {"libx264": "x264-params", "libx265": "x265-params"}.get(codec)
        options = {coder: f"bframes={bframes}:b-adapt=0:keyint=12:scenecut=0:log-level=1"} if coder else {}
        stream = container.add_stream(codec, rate=Fraction(12), options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for index in range(N_FRAMES):
            luma = np.full((height, width, 3), index * 8, np.uint8)
            luma[20:60, index * 3 : index * 3 + 30] = 220
            container.mux(stream.encode(av.VideoFrame.from_ndarray(luma, format="bgr24")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov", "a.flv", "a.ts", "a.avi", "a.h264"])
def test_h264_without_b_frames_passes_through_from_any_container(name: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / name)
    loop = load_loop(path, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
    assert (loop.codec, len(loop.units), loop.width_px, loop.height_px) == ("h264", N_FRAMES, 128, 96)
    assert [index for index, unit in enumerate(loop.units) if unit.is_keyframe] == [0, 12]
    frame_90k = 3600 if name == "a.h264" else 7500  # a raw stream knows no times: FFmpeg takes 25 a second
    assert [unit.pts_90k for unit in loop.units] == pytest.approx([index * frame_90k for index in range(24)], abs=100)
    assert loop.duration_90k == pytest.approx(24 * frame_90k, abs=100)
    types = {nal[0] & 0x1F for unit in loop.units for nal in unit.nals}
    assert {1, 5} <= types <= {1, 5, 6}
    assert loop.parameter_sets.sps
    assert loop.parameter_sets.pps


def test_the_same_coded_video_is_the_same_loop_whatever_the_container(tmp_path: Path) -> None:
    loops = [read_loop(write_video(tmp_path / name)) for name in ("a.mp4", "a.ts")]
    assert [unit.nals for unit in loops[0].units] == [unit.nals for unit in loops[1].units]
    assert loops[0].parameter_sets == loops[1].parameter_sets


def test_h265_passes_through(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", "libx265")
    loop = load_loop(path, tmp_path / "cache")
    assert (loop.codec, len(loop.units)) == ("hevc", N_FRAMES)
    assert loop.parameter_sets.vps


@pytest.mark.parametrize(
    ("name", "codec", "bframes", "reason"),
    [
        ("b.mp4", "libx264", 2, "B-frames"),
        ("b.avi", "libx264", 2, "B-frames"),
        ("a.mp4", "mpeg4", 0, "codec mpeg4"),
        ("a.avi", "mjpeg", 0, "codec mjpeg"),
    ],
)
def test_what_cannot_be_sent_as_it_is_gets_transcoded_once(
    name: str, codec: str, bframes: int, reason: str, tmp_path: Path
) -> None:
    path = write_video(tmp_path / name, codec, bframes)
    with pytest.raises(UnsupportedError, match=reason):
        read_loop(path)
    loop = load_loop(path, tmp_path / "cache", gop_s=0.5)
    assert (loop.codec, len(loop.units), loop.width_px) == ("h264", N_FRAMES, 128)
    assert [index for index, unit in enumerate(loop.units) if unit.is_keyframe] == [0, 6, 12, 18]
    [cached] = (tmp_path / "cache").iterdir()
    content = cached.read_bytes()
    os.utime(cached, (0, 0))
    assert load_loop(path, tmp_path / "cache", gop_s=0.5) == loop
    assert cached.read_bytes() == content
    assert cached.stat().st_mtime > 0  # used just now: not the first to be deleted


def test_a_file_with_too_few_key_frames_is_transcoded(tmp_path: Path) -> None:
    path = tmp_path / "long.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=Fraction(2), options={"x264-params": "bframes=0:keyint=99:scenecut=0"}
        )
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 64, 48, "yuv420p", 99
        for level in range(12):
            picture = np.full((48, 64, 3), level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
    with pytest.raises(UnsupportedError, match=r"6\.0 s without a key frame"):
        read_loop(path)
    loop = load_loop(path, tmp_path / "cache", gop_s=1.0)
    assert [index for index, unit in enumerate(loop.units) if unit.is_keyframe] == [0, 2, 4, 6, 8, 10]


@pytest.mark.parametrize("name", ["a.h264", "a.ts"])
def test_a_file_whose_parameter_sets_change_is_transcoded(name: str, tmp_path: Path) -> None:
    small = write_video(tmp_path / f"small-{name}")
    large = write_video(tmp_path / f"large-{name}", size=(192, 112))
    path = tmp_path / name
    path.write_bytes(small.read_bytes() + large.read_bytes())
    with pytest.raises(UnsupportedError, match=rf"{name}: its parameter sets change at frame 24"):
        read_loop(path)
    loop = load_loop(path, tmp_path / "cache")
    assert loop.codec == "h264"
    assert len({unit.nals for unit in loop.units}) == len(loop.units)
    assert len(loop.units) > N_FRAMES


def test_a_damaged_file_of_the_cache_is_transcoded_again(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", "mjpeg")
    loop = load_loop(path, tmp_path / "cache")
    [cached] = (tmp_path / "cache").iterdir()
    cached.write_bytes(b"")
    assert load_loop(path, tmp_path / "cache") == loop
    assert list((tmp_path / "cache").iterdir()) == [cached]


def test_a_file_too_large_for_memory_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "large.mp4"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + (1 << 20))
    with pytest.raises(ConfigurationError, match=r"large\.mp4: expected a file of at most 512 MiB .* got 513 MiB"):
        load_loop(path, tmp_path / "cache")


def test_a_file_without_video_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(ConfigurationError, match=r"sound\.wav: no video in it"):
        load_loop(path, tmp_path / "cache")


@pytest.mark.parametrize("content", [b"", b"this is no video", bytes(5000)])
def test_what_is_no_video_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"a\.mp4: no video"):
        load_loop(path, tmp_path / "cache")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such video file"):
        load_loop(tmp_path / "none.mp4", tmp_path / "cache")


def test_a_file_cut_off_is_refused_or_played_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.ts").read_bytes()
    path = tmp_path / "cut.ts"
    path.write_bytes(whole[: len(whole) * 3 // 4])
    assert 0 < len(load_loop(path, tmp_path / "cache").units) < N_FRAMES


@pytest.mark.assets
def test_the_sample_videos_can_be_played(assets_dir: Path, tmp_path: Path) -> None:
    loop = load_loop(assets_dir / "videos" / "car-detection.mp4", tmp_path / "cache")
    assert (loop.width_px, loop.height_px, len(loop.units)) == (768, 432, 377)
    assert loop.fps == pytest.approx(12.5, abs=0.1)
