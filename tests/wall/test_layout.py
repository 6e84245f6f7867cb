import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nvr.wall.layout import GridLayout, Rect, SourceToTile, grid_shape, letterbox_rect

sizes = st.integers(min_value=2, max_value=4000)
sources = st.integers(min_value=1, max_value=8000)
coordinates = st.floats(min_value=-1e6, max_value=1e6)


@pytest.mark.parametrize(
    ("n", "shape"), [(1, (1, 1)), (2, (2, 1)), (3, (2, 2)), (4, (2, 2)), (5, (3, 2)), (7, (3, 3)), (12, (4, 3))]
)
def test_grid_is_as_square_as_it_can_be(n: int, shape: tuple[int, int]) -> None:
    assert grid_shape(n) == shape


@given(st.integers(min_value=1, max_value=5000))
def test_grid_holds_every_tile_and_has_no_empty_row(n: int) -> None:
    columns, rows = grid_shape(n)
    assert columns * (rows - 1) < n <= columns * rows
    assert rows <= columns


@pytest.mark.parametrize("n", [0, -1])
def test_grid_without_tiles_is_refused(n: int) -> None:
    with pytest.raises(ValueError, match=f"at least one tile, got {n}"):
        GridLayout(n, 100, 100)


@given(st.integers(1, 40), st.integers(2, 300), st.integers(2, 300), st.integers(0, 9), st.data())
def test_every_pixel_belongs_to_the_tile_that_was_drawn_there(
    n: int, width: int, height: int, gap: int, data: st.DataObject
) -> None:
    layout = GridLayout(n, width, height, gap)
    index = data.draw(st.integers(0, n - 1))
    tile = layout.tile(index)
    assert 0 <= tile.x <= tile.right <= layout.width_px
    assert 0 <= tile.y <= tile.bottom <= layout.height_px
    x = data.draw(st.integers(tile.x, tile.right - 1))
    y = data.draw(st.integers(tile.y, tile.bottom - 1))
    assert layout.tile_at(x, y) == index
    others = [layout.tile(other) for other in range(n) if other != index]
    assert not any(other.has(x, y) for other in others)


@given(st.integers(1, 40), coordinates, coordinates)
def test_a_hit_tile_contains_the_point_and_a_miss_is_in_none(n: int, x: float, y: float) -> None:
    layout = GridLayout(n, 96, 54, 3)
    hit = layout.tile_at(x, y)
    containing = [index for index in range(n) if layout.tile(index).has(x, y)]
    assert containing == ([] if hit is None else [hit])


def test_tile_outside_the_grid_is_an_index_error() -> None:
    with pytest.raises(IndexError, match="tile 3 of 3"):
        GridLayout(3, 10, 10).tile(3)


@given(sources, sources, sizes, sizes)
def test_letterbox_lies_in_the_tile_is_even_and_touches_two_edges(w: int, h: int, tile_w: int, tile_h: int) -> None:
    tile = Rect(7, 11, tile_w, tile_h)
    area = letterbox_rect(w, h, tile)
    assert tile.x <= area.x <= area.right <= tile.right
    assert tile.y <= area.y <= area.bottom <= tile.bottom
    assert area.width % 2 == area.height % 2 == 0
    assert tile_w - area.width <= 1 or tile_h - area.height <= 1


@given(sources, sources, sizes, sizes)
def test_letterbox_keeps_the_aspect_ratio_within_its_rounding(w: int, h: int, tile_w: int, tile_h: int) -> None:
    area = letterbox_rect(w, h, Rect(0, 0, tile_w, tile_h))
    scale = min(tile_w / w, tile_h / h)
    assume(w * scale >= 2 and h * scale >= 2)
    assert abs(area.width - w * scale) <= 2
    assert abs(area.height - h * scale) <= 2


@given(sources, sources, sizes, sizes)
def test_the_corners_of_the_source_fall_on_the_corners_of_the_picture(w: int, h: int, tile_w: int, tile_h: int) -> None:
    area = letterbox_rect(w, h, Rect(3, 5, tile_w, tile_h))
    to_tile = SourceToTile(w, h, area)
    assert to_tile.point(0, 0) == pytest.approx((area.x, area.y))
    assert to_tile.point(w, h) == pytest.approx((area.right, area.bottom))


@given(st.tuples(coordinates, coordinates), st.tuples(coordinates, coordinates), sizes, sizes)
def test_a_drawn_box_never_leaves_the_picture(
    xs: tuple[float, float], ys: tuple[float, float], tile_w: int, tile_h: int
) -> None:
    area = letterbox_rect(1920, 1080, Rect(3, 5, tile_w, tile_h))
    box = SourceToTile(1920, 1080, area).box((min(xs), min(ys), max(xs), max(ys)))
    if box is None:
        assert max(xs) <= 0 or max(ys) <= 0 or min(xs) >= 1920 or min(ys) >= 1080
        return
    assert area.x <= box.x < box.right <= area.right
    assert area.y <= box.y < box.bottom <= area.bottom


def test_a_box_of_the_sub_stream_stands_at_the_same_place_as_one_of_the_main_stream() -> None:
    area = Rect(10, 0, 480, 270)
    of_main = SourceToTile(1920, 1080, area).box((480, 270, 960, 540))
    of_sub = SourceToTile(640, 360, area).box((160, 90, 320, 180))
    assert of_main == of_sub == Rect(130, 68, 120, 67)


def test_a_box_without_size_is_widened_until_it_can_be_seen() -> None:
    box = SourceToTile(100, 100, Rect(0, 0, 100, 100)).box((50, 50, 50, 50))
    assert box == Rect(48, 48, 3, 3)


@pytest.mark.parametrize("edge", [1e300, -1e300])
def test_a_box_light_years_away_is_not_drawn(edge: float) -> None:
    assert SourceToTile(100, 100, Rect(0, 0, 100, 100)).box((edge, edge, edge, edge)) is None
