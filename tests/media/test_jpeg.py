"""Snapshots read back by other programs: their colours, their size, and what their EXIF says."""

import json
import struct
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from nvr.core.errors import FrameError
from nvr.media.frame import Frame
from nvr.media.jpeg import encode_jpeg, exif_segment
from tests.conftest import require_program
from tests.media.frames import make_frame

Picture = NDArray[np.uint8]
TAKEN_AT = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)


def gradients() -> Picture:
    """Return a picture without edges, (180, 320, 3), BGR."""
    rows, columns = np.mgrid[0:180, 0:320]
    return np.stack([columns * 255 // 320, rows * 255 // 180, (rows + columns) * 255 // 500], -1).astype(np.uint8)


def patches() -> Picture:
    """Return gradients with patches of saturated colours and greys on them."""
    picture = gradients()
    colours = [(0, 0, 255), (0, 255, 0), (255, 0, 0), (255, 255, 255), (0, 0, 0), (128, 128, 128), (0, 255, 255)]
    for index, colour in enumerate(colours):
        picture[60:100, 10 + 44 * index : 50 + 44 * index] = colour
    return picture


def frame_of(bgr: Picture, pixels: str, matrix: Colorspace, levels: ColorRange) -> Frame:
    picture = av.VideoFrame.from_ndarray(bgr, format="bgr24")
    picture = picture.reformat(format=pixels, dst_colorspace=matrix, dst_color_range=levels)
    return replace(make_frame(7), picture=picture, captured_at=TAKEN_AT)


def read_back(jpeg: bytes) -> Picture:
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture.astype(np.uint8)


@pytest.mark.parametrize("matrix", [Colorspace.ITU601, Colorspace.ITU709])
@pytest.mark.parametrize(
    ("pixels", "levels"),
    [
        ("yuv420p", ColorRange.MPEG),
        ("yuv420p", ColorRange.JPEG),
        ("yuvj420p", ColorRange.JPEG),
        ("yuv422p", ColorRange.MPEG),
        ("yuv420p10le", ColorRange.MPEG),
        ("nv12", ColorRange.MPEG),
    ],
)
def test_colours_are_those_of_the_scene(pixels: str, levels: ColorRange, matrix: Colorspace) -> None:
    scene = patches()
    found = read_back(encode_jpeg(frame_of(scene, pixels, matrix, levels), 95))
    assert found.shape == scene.shape
    for index in range(7):
        patch = np.s_[70:90, 20 + 44 * index : 40 + 44 * index]
        assert np.abs(found[patch].astype(int) - scene[patch]).mean() < 6
    assert np.abs(found.astype(int) - scene).mean() < 5


def test_colours_are_those_that_the_wall_shows() -> None:
    frame = frame_of(gradients(), "yuv420p", Colorspace.ITU601, ColorRange.MPEG)
    assert cv2.PSNR(read_back(encode_jpeg(frame)), frame.to_bgr()) > 38


def test_a_camera_that_does_not_tell_its_colours_is_taken_as_the_wall_takes_it() -> None:
    frame = frame_of(gradients(), "yuv420p", Colorspace.ITU601, ColorRange.MPEG)
    frame.picture.colorspace, frame.picture.color_range = 2, 0
    assert cv2.PSNR(read_back(encode_jpeg(frame)), frame.to_bgr()) > 38


@pytest.mark.parametrize("pixels", ["yuv420p", "yuvj420p"])
def test_the_shared_picture_is_not_changed(pixels: str) -> None:
    frame = frame_of(patches(), pixels, Colorspace.ITU601, ColorRange.JPEG)
    frame.picture.pts, frame.picture.time_base = 1234, Fraction(1, 90_000)
    before = [bytes(plane) for plane in frame.picture.planes]
    encode_jpeg(frame)
    assert (frame.picture.pts, frame.picture.time_base) == (1234, Fraction(1, 90_000))
    assert [bytes(plane) for plane in frame.picture.planes] == before


@pytest.mark.parametrize("size", [(16, 16), (33, 17), (1, 1), (1920, 1080)])
def test_any_size_keeps_its_size(size: tuple[int, int]) -> None:
    width, height = size
    for pixels in ("yuv420p", "yuvj420p"):
        picture = av.VideoFrame(width, height, pixels)
        for plane in picture.planes:
            plane.update(bytes([90]) * plane.buffer_size)
        found = read_back(encode_jpeg(replace(make_frame(), picture=picture)))
        assert found.shape == (height, width, 3)
        assert found.std(axis=(0, 1)).max() < 2


def test_a_finer_quality_takes_more_bytes_and_is_nearer() -> None:
    frame = frame_of(patches(), "yuvj420p", Colorspace.ITU601, ColorRange.JPEG)
    coded = [encode_jpeg(frame, quality) for quality in (5, 30, 50, 75, 90)]
    sizes = [len(one) for one in coded]
    assert sizes == sorted(set(sizes))
    nearness = [cv2.PSNR(read_back(one), frame.to_bgr()) for one in coded]
    assert nearness == sorted(nearness)


@pytest.mark.parametrize("quality", [0, 101, -1])
def test_a_quality_that_is_none_is_refused(quality: int) -> None:
    with pytest.raises(FrameError, match=f"expected a JPEG quality of 1 to 100, got {quality}"):
        encode_jpeg(make_frame(), quality)


def test_a_picture_too_large_for_a_jpeg_is_refused() -> None:
    picture = av.VideoFrame(70_000, 16, "yuvj420p")
    with pytest.raises(FrameError, match="camera 3: cannot make a JPEG of 70000x16 yuvj420p"):
        encode_jpeg(replace(make_frame(3), picture=picture))


def exif(jpeg: bytes) -> dict[int, object]:
    """Return the tags of both directories: a reader written from the standard, not from the writer."""
    assert jpeg[:4] == b"\xff\xd8\xff\xe1"
    size = struct.unpack_from(">H", jpeg, 4)[0]
    body = jpeg[6 : 4 + size]
    assert jpeg[4 + size] == 0xFF, "the next segment begins where this one ends"
    assert body[:6] == b"Exif\0\0"
    tiff = body[6:]
    assert tiff[:4] == b"MM\0*"
    tags: dict[int, object] = {}

    def read_directory(at: int) -> None:
        for index in range(struct.unpack_from(">H", tiff, at)[0]):
            entry = at + 2 + 12 * index
            tag, kind, count = struct.unpack_from(">HHI", tiff, entry)
            length = count * {2: 1, 4: 4, 7: 1}[kind]
            place = entry + 8 if length <= 4 else struct.unpack_from(">I", tiff, entry + 8)[0]
            content = tiff[place : place + length]
            assert len(content) == length
            tags[tag] = content.rstrip(b"\0").decode() if kind == 2 else content
            if tag == 0x8769:
                read_directory(int.from_bytes(content, "big"))

    read_directory(struct.unpack_from(">I", tiff, 4)[0])
    return tags


def test_exif_says_when_and_by_which_camera() -> None:
    tags = exif(encode_jpeg(frame_of(patches(), "yuv420p", Colorspace.ITU601, ColorRange.MPEG)))
    assert tags[0x010E] == "camera 7"
    assert tags[0x9000] == b"0232"
    assert tags[0x9003] == "2026:03:04 05:06:07"
    assert tags[0x9011] == "+00:00"
    assert tags[0x9291] == "000089"


def test_a_time_of_another_zone_keeps_its_offset() -> None:
    zone = timezone(-timedelta(hours=3, minutes=30))
    tags = exif(b"\xff\xd8" + exif_segment(TAKEN_AT.astimezone(zone), "Tür ✓") + b"\xff\xd9")
    assert (tags[0x9003], tags[0x9011]) == ("2026:03:04 01:36:07", "-03:30")
    assert tags[0x010E] == "T?r ?"


@pytest.mark.ffmpeg
def test_another_ffmpeg_reads_it_as_full_range(tmp_path: Path) -> None:
    ffprobe = require_program("ffprobe")
    path = tmp_path / "a.jpg"
    path.write_bytes(encode_jpeg(frame_of(patches(), "yuv420p", Colorspace.ITU709, ColorRange.MPEG)))
    fields = "stream=codec_name,pix_fmt,color_range,color_space,width,height"
    command = [ffprobe, "-v", "error", "-show_entries", fields, "-of", "json", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stderr == ""
    told = json.loads(result.stdout)["streams"][0]
    assert told["pix_fmt"] == "yuvj420p"
    assert (told["color_range"], told["color_space"]) == ("pc", "bt470bg")
