from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nvr.demo.frame_code import MAX_FRAME_NUMBER, draw_frame_code, frame_code_region, read_frame_code
from nvr.media.encode import EncoderSettings, encode_pictures

SIZES = [(640, 360), (1280, 720), (1920, 1080), (704, 576), (640, 480), (322, 242)]
numbers = st.integers(0, MAX_FRAME_NUMBER)


def grey(width_px: int, height_px: int) -> NDArray[np.uint8]:
    return np.full((height_px, width_px, 3), 90, np.uint8)


@given(number=numbers, size=st.sampled_from(SIZES))
def test_reads_back_what_was_drawn(number: int, size: tuple[int, int]) -> None:
    image = grey(*size)
    draw_frame_code(image, number)
    assert read_frame_code(image) == number


@given(number=numbers, size=st.sampled_from(SIZES[:5]), scale=st.sampled_from([0.5, 0.75, 2.0]))
@settings(max_examples=50)
def test_reads_a_picture_that_was_scaled(number: int, size: tuple[int, int], scale: float) -> None:
    image = grey(*size)
    draw_frame_code(image, number)
    target = (round(size[0] * scale), round(size[1] * scale))
    smaller = np.asarray(cv2.resize(image, target, interpolation=cv2.INTER_LINEAR), np.uint8)
    assert read_frame_code(smaller) == number


@given(number=numbers, cell=st.integers(0, 27))
def test_one_inverted_cell_is_not_believed(number: int, cell: int) -> None:
    image = grey(1280, 720)
    draw_frame_code(image, number)
    row, column = divmod(cell, 14)
    y, x = 720 - (3 - row) * 16, (1 + column) * 16
    image[y : y + 16, x : x + 16] = 251 - image[y : y + 16, x : x + 16]
    assert read_frame_code(image) is None


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=50)
def test_noise_is_no_frame_number(seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (360, 640), dtype=np.uint8)
    assert read_frame_code(image) is None


@pytest.mark.parametrize("level", [0, 16, 128, 255])
def test_an_even_picture_has_no_frame_number(level: int) -> None:
    assert read_frame_code(np.full((360, 640), level, np.uint8)) is None


def test_a_picture_too_small_has_no_frame_number() -> None:
    assert read_frame_code(np.zeros((20, 20), np.uint8)) is None
    assert read_frame_code(np.zeros((4, 640), np.uint8)) is None


@pytest.mark.parametrize("number", [-1, MAX_FRAME_NUMBER + 1])
def test_refuses_to_draw_a_number_that_does_not_fit(number: int) -> None:
    with pytest.raises(ValueError, match="expected a frame number from 0 to 65535"):
        draw_frame_code(grey(640, 360), number)


def test_changes_nothing_outside_its_region() -> None:
    image = grey(640, 360)
    draw_frame_code(image, 12345)
    left, top, right, bottom = frame_code_region(640, 360)
    image[top:bottom, left:right] = 90
    assert (image == 90).all()


@pytest.mark.parametrize(("width_px", "height_px", "bitrate_bps"), [(640, 360, 200_000), (1280, 720, 1_000_000)])
def test_survives_h264_at_a_low_bit_rate_and_half_size(
    width_px: int, height_px: int, bitrate_bps: int, tmp_path: Path
) -> None:
    rng = np.random.default_rng(1)
    wanted = [int(number) for number in rng.integers(0, MAX_FRAME_NUMBER + 1, 50)]

    def pictures() -> list[NDArray[np.uint8]]:
        base = cv2.resize(rng.integers(0, 256, (24, 40, 3), dtype=np.uint8), (width_px, height_px))
        images = []
        for index, number in enumerate(wanted):
            image = np.roll(np.asarray(base, np.uint8), index * 5, axis=1).copy()
            draw_frame_code(image, number)
            images.append(image)
        return images

    path = tmp_path / "code.mp4"
    encode_pictures(pictures(), path, EncoderSettings(width_px, height_px, Fraction(25), 1.0, bitrate_bps))
    with av.open(str(path)) as container:
        lumas = [frame.to_ndarray(format="gray").astype(np.uint8, copy=False) for frame in container.decode(video=0)]
    assert [read_frame_code(luma) for luma in lumas] == wanted
    halves = [cv2.resize(luma, (width_px // 2, height_px // 2), interpolation=cv2.INTER_LINEAR) for luma in lumas]
    assert [read_frame_code(np.asarray(half, np.uint8)) for half in halves] == wanted
