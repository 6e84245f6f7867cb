import numpy as np
import pytest

from nvr.core.errors import FrameError
from nvr.media.pixels import cut_to_bgr, shrink_to_bgr, small_luma
from tests.wall.fakes import Array, PlainFrame


class _Halves(PlainFrame):
    """Left half black, right half red, in limited-range BT.601."""

    def planes(self) -> tuple[Array, Array, Array] | None:
        luma, blue, red = (np.full(shape, value, np.uint8) for shape, value in self._shapes())
        luma[:, : self.width // 2], blue[:, : self.width // 4], red[:, : self.width // 4] = 16, 128, 128
        return luma, blue, red

    def _shapes(self) -> list[tuple[tuple[int, int], int]]:
        half = (-(-self.height // 2), -(-self.width // 2))
        return [((self.height, self.width), 81), (half, 90), (half, 240)]


@pytest.mark.parametrize(("width", "height"), [(320, 180), (641, 361), (64, 48), (8, 6)])
def test_planes_become_the_right_colours_at_the_right_place(width: int, height: int) -> None:
    picture = shrink_to_bgr(_Halves(0, 0.0, width=640, height=360), width - width % 2, height - height % 2)
    row = picture[picture.shape[0] // 2].astype(int)
    assert picture.shape == (height - height % 2, width - width % 2, 3)
    assert row[0].max() < 12
    blue, green, red = row[-1]
    assert red > 235
    assert max(blue, green) < 20


def test_a_frame_that_is_not_planar_is_shown_as_well() -> None:
    picture = shrink_to_bgr(PlainFrame(0, 0.0, luma=77, is_planar=False), 64, 36)
    assert picture.shape == (36, 64, 3)
    assert np.unique(picture).tolist() == [77]


@pytest.mark.parametrize(("width", "height"), [(63, 36), (64, 35), (0, 0)])
def test_a_size_that_420_cannot_have_is_refused(width: int, height: int) -> None:
    with pytest.raises(FrameError, match=f"got {width} x {height}"):
        shrink_to_bgr(PlainFrame(0, 0.0), width, height)


def test_planes_of_another_shape_are_refused() -> None:
    class Broken(PlainFrame):
        def planes(self) -> tuple[Array, Array, Array] | None:
            empty = np.empty((0, 0), np.uint8)
            return empty, empty, empty

    with pytest.raises(FrameError, match=r"expected a plane of \(H, W\)"):
        shrink_to_bgr(Broken(0, 0.0), 64, 36)


@pytest.mark.parametrize("is_planar", [True, False])
def test_a_rectangle_is_cut_out_where_it_lies(is_planar: bool) -> None:
    frame = _Halves(0, 0.0, width=640, height=360) if is_planar else PlainFrame(0, 0.0, luma=77, is_planar=False)
    picture = cut_to_bgr(frame, (320, 100, 420, 201) if is_planar else (0, 0, 10, 10), 50, 50)
    assert picture.shape == (50, 50, 3)
    if is_planar:
        assert picture[..., 2].min() > 235, "nothing of the black half"
    else:
        assert np.unique(picture).tolist() == [77]


@pytest.mark.parametrize("box", [(0, 0, 0, 10), (-2, 0, 10, 10), (0, 0, 10_000, 10), (0, 20, 10, 10)])
def test_a_rectangle_outside_of_the_frame_is_refused(box: tuple[int, int, int, int]) -> None:
    with pytest.raises(FrameError, match="expected a box inside"):
        cut_to_bgr(_Halves(0, 0.0, width=640, height=360), box, 50, 50)


@pytest.mark.parametrize(
    ("size", "expected"), [((1280, 720), (180, 320)), ((900, 300), (107, 320)), ((64, 48), (48, 64))]
)
def test_the_small_luma_keeps_proportions_and_place(size: tuple[int, int], expected: tuple[int, int]) -> None:
    luma = small_luma(_Halves(0, 0.0, width=size[0], height=size[1]), 320)
    assert luma.shape == expected
    assert abs(int(luma[0, 0]) - 16) < 3
    assert abs(int(luma[0, -1]) - 81) < 3


def test_the_small_luma_of_a_frame_without_planes() -> None:
    assert np.unique(small_luma(PlainFrame(0, 0.0, luma=77, is_planar=False), 320)).tolist() == [77]
