from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from nvr.assets.spec import ModelSpec, Resize
from nvr.core.errors import FrameError
from nvr.detection.preprocess import Preprocessor, grey_rows

PLAIN = ModelSpec("yolox", 64, 48, "letterbox_top_left", "bgr", 1.0, (0, 0, 0), (1, 1, 1), 0.45, ("person",))
IMAGENET = replace(
    PLAIN, resize="stretch", colour="rgb", scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
)
HALF = replace(PLAIN, resize="letterbox_centre", colour="rgb", scale=1 / 255)


def picture(width: int, height: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def reference(image: NDArray[np.uint8], spec: ModelSpec) -> NDArray[np.float64]:
    """The definition in `ModelSpec`, pixel by pixel, with no reuse of anything."""
    canvas = np.full((spec.input_height_px, spec.input_width_px, 3), spec.fill, np.uint8)
    height, width = image.shape[:2]
    if spec.resize == "stretch":
        canvas = cv2.resize(image, (spec.input_width_px, spec.input_height_px)).astype(np.uint8)
    else:
        scale = min(spec.input_width_px / width, spec.input_height_px / height)
        scaled = cv2.resize(image, (max(1, round(width * scale)), max(1, round(height * scale))))
        left, top = 0, 0
        if spec.resize == "letterbox_centre":
            left, top = (spec.input_width_px - scaled.shape[1]) // 2, (spec.input_height_px - scaled.shape[0]) // 2
        canvas[top : top + scaled.shape[0], left : left + scaled.shape[1]] = scaled
    ordered = canvas[:, :, ::-1] if spec.colour == "rgb" else canvas
    normal: NDArray[np.float64] = (ordered.astype(np.float64) * spec.scale - np.array(spec.mean)) / np.array(spec.std)
    return normal.transpose(2, 0, 1)


@pytest.mark.parametrize("spec", [PLAIN, IMAGENET, HALF])
def test_a_batch_of_mixed_sizes_is_what_the_spec_defines(spec: ModelSpec) -> None:
    images = [picture(64, 48), picture(200, 100, 1), picture(31, 97, 2), picture(1, 1, 3), picture(640, 2, 4)]
    batch, placements = Preprocessor(spec).fill(images)
    assert batch.shape == (5, 3, 48, 64)
    assert batch.dtype == np.float32
    assert [(p.source_width_px, p.source_height_px) for p in placements] == [i.shape[1::-1] for i in images]
    for got, image in zip(batch, images, strict=True):
        np.testing.assert_allclose(got, reference(image, spec), atol=1e-5)


@pytest.mark.parametrize("resize", ["letterbox_top_left", "letterbox_centre", "stretch"])
def test_nothing_of_an_earlier_image_is_left_in_a_reused_batch(resize: Resize) -> None:
    spec = replace(PLAIN, resize=resize)
    preprocessor = Preprocessor(spec)
    for sizes in ([(64, 48), (100, 20)], [(20, 100)], [(100, 20), (64, 48), (5, 5)], [(64, 47), (30, 48)]):
        images = [picture(*size, seed) for seed, size in enumerate(sizes)]
        batch, _ = preprocessor.fill(images)
        for got, image in zip(batch, images, strict=True):
            np.testing.assert_allclose(got, reference(image, spec), atol=1e-5)


def test_views_of_other_images_are_read_as_they_look() -> None:
    whole = picture(200, 120)
    views = [whole[10:100, 20:150], whole[::-1], whole[:, ::-2], whole[:, :, ::-1]]
    batch, _ = Preprocessor(IMAGENET).fill(views)
    for got, view in zip(batch, views, strict=True):
        np.testing.assert_allclose(got, reference(np.ascontiguousarray(view), IMAGENET), atol=1e-5)


def test_the_images_are_not_modified() -> None:
    image = picture(64, 48)
    before = image.copy()
    batch, _ = Preprocessor(PLAIN).fill([image])
    batch[:] = 0
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (np.zeros((0, 10, 3), np.uint8), r"got \(0, 10, 3\) uint8"),
        (np.zeros((10, 0, 3), np.uint8), r"got \(10, 0, 3\) uint8"),
        (np.zeros((10, 10), np.uint8), r"got \(10, 10\) uint8"),
        (np.zeros((10, 10, 4), np.uint8), r"got \(10, 10, 4\) uint8"),
        (np.zeros((10, 10, 3), np.float32), r"got \(10, 10, 3\) float32"),
        (np.zeros((1, 10, 10, 3), np.uint8), r"got \(1, 10, 10, 3\) uint8"),
        (None, "got NoneType"),
    ],
)
def test_refuses_what_is_no_image(image: NDArray[np.uint8], said: str) -> None:
    with pytest.raises(FrameError, match=said):
        Preprocessor(PLAIN).fill([picture(8, 8), image])


@pytest.mark.parametrize("spec", [PLAIN, replace(PLAIN, colour="rgb", scale=1 / 255)])
def test_the_rows_that_are_used_are_those_of_the_whole_batch(spec: ModelSpec) -> None:
    preprocessor = Preprocessor(spec)
    canvas = np.full((48, 64, 3), spec.fill, np.uint8)
    canvas[:20, 10:30] = picture(20, 20)
    for image, rows in ((canvas, 24), (picture(640, 100), 16), (picture(64, 48), 48), (picture(20, 100), 48)):
        batch, placement = preprocessor.fill_rows(image, 8)
        assert batch.shape == (1, 3, rows, 64)
        assert batch.flags.c_contiguous
        assert placement.source_width_px == image.shape[1]
        np.testing.assert_allclose(batch[0], reference(image, spec)[:, :rows], atol=1e-5)


def test_a_picture_of_nothing_but_grey_keeps_a_row_of_cells() -> None:
    assert Preprocessor(PLAIN).fill_rows(np.full((48, 64, 3), PLAIN.fill, np.uint8), 8)[0].shape == (1, 3, 8, 64)


def test_only_whole_steps_of_the_very_grey_are_counted() -> None:
    image = np.full((48, 64, 3), 114, np.uint8)
    image[20, 63, 2] = 113
    assert grey_rows(image, 114, 8) == 24
    assert grey_rows(image, 113, 8) == 0
    assert grey_rows(image[:20], 114, 8) == 20
