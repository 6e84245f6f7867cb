import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.assets.spec import Resize
from nvr.detection.letterbox import Placement, place

SIZES = st.integers(1, 4000)
INPUTS = st.integers(32, 1280)
RESIZES: tuple[Resize, ...] = ("letterbox_top_left", "letterbox_centre", "stretch")


@st.composite
def placements(draw: st.DrawFn) -> tuple[Placement, int, int]:
    input_width, input_height = draw(INPUTS), draw(INPUTS)
    resize = draw(st.sampled_from(RESIZES))
    return place(draw(SIZES), draw(SIZES), input_width, input_height, resize), input_width, input_height


@given(placements())
def test_an_image_lies_inside_the_input_and_touches_two_sides(case: tuple[Placement, int, int]) -> None:
    placement, input_width, input_height = case
    assert placement.width_px >= 1
    assert placement.height_px >= 1
    assert placement.left_px >= 0
    assert placement.top_px >= 0
    assert placement.left_px + placement.width_px <= input_width
    assert placement.top_px + placement.height_px <= input_height
    assert placement.width_px == input_width or placement.height_px == input_height


@given(SIZES, SIZES, INPUTS, INPUTS, st.sampled_from(("letterbox_top_left", "letterbox_centre")))
def test_a_letterbox_keeps_the_aspect_ratio_to_a_pixel(
    width: int, height: int, input_width: int, input_height: int, resize: Resize
) -> None:
    placement = place(width, height, input_width, input_height, resize)
    scale = min(input_width / width, input_height / height)
    assert abs(placement.width_px - width * scale) <= 1
    assert abs(placement.height_px - height * scale) <= 1


@given(SIZES, SIZES, INPUTS, INPUTS)
def test_a_centred_letterbox_has_equal_margins(width: int, height: int, input_width: int, input_height: int) -> None:
    placement = place(width, height, input_width, input_height, "letterbox_centre")
    right = input_width - placement.left_px - placement.width_px
    bottom = input_height - placement.top_px - placement.height_px
    assert 0 <= right - placement.left_px <= 1
    assert 0 <= bottom - placement.top_px <= 1


@given(placements(), st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_a_box_inside_the_image_comes_back_unchanged(case: tuple[Placement, int, int], corners: list[float]) -> None:
    placement = case[0]
    left, right = sorted(corners[:2])
    top, bottom = sorted(corners[2:])
    width, height = placement.source_width_px, placement.source_height_px
    box = np.array([[left * width, top * height, right * width, bottom * height]], np.float32)
    back = placement.to_source(placement.to_input(box))
    # A box of an image shrunk to one pixel has only float32's digits left.
    tolerance = 1e-4 * max(width, height) * max(1, case[1] / placement.width_px, case[2] / placement.height_px)
    np.testing.assert_allclose(back, box, atol=tolerance)


@given(placements(), st.lists(st.floats(-1e5, 1e5, width=32), min_size=4, max_size=4))
def test_what_comes_back_lies_in_the_image(case: tuple[Placement, int, int], box: list[float]) -> None:
    placement = case[0]
    back = placement.to_source(np.array([box], np.float32))
    assert back.dtype == np.float32
    assert (back >= 0).all()
    assert (back[:, [0, 2]] <= placement.source_width_px).all()
    assert (back[:, [1, 3]] <= placement.source_height_px).all()


@pytest.mark.parametrize(
    ("resize", "expected"),
    [
        # 1280x720 in 416x416: scale 0.325
        ("letterbox_top_left", Placement(1280, 720, 0, 0, 416, 234)),
        ("letterbox_centre", Placement(1280, 720, 0, 91, 416, 234)),
        ("stretch", Placement(1280, 720, 0, 0, 416, 416)),
    ],
)
def test_places_720p_in_a_square(resize: Resize, expected: Placement) -> None:
    assert place(1280, 720, 416, 416, resize) == expected


def test_small_images_grow() -> None:
    assert place(100, 50, 400, 400, "letterbox_top_left") == Placement(100, 50, 0, 0, 400, 200)


def test_maps_back_by_hand() -> None:
    placement = place(1280, 720, 416, 416, "letterbox_centre")
    back = placement.to_source(np.array([[104.0, 91.0, 208.0, 208.0], [-50.0, 0.0, 500.0, 416.0]], np.float32))
    np.testing.assert_allclose(back, [[320, 0, 640, 360], [0, 0, 1280, 720]], atol=1e-3)
