"""The geometry of the wall, without a pixel: grid, letterbox, from source pixels to tile pixels, which tile was hit."""

import math
from dataclasses import dataclass

MIN_PICTURE_PX = 2


@dataclass(frozen=True, slots=True)
class Rect:
    """An upright rectangle of whole pixels; `right` and `bottom` are the first ones outside."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """First column right of it."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """First row below it."""
        return self.y + self.height

    def has(self, x: float, y: float) -> bool:
        """Say whether a point lies in it."""
        return self.x <= x < self.right and self.y <= y < self.bottom


def grid_shape(n_tiles: int) -> tuple[int, int]:
    """Return columns and rows of the squarest grid that holds `n_tiles`, wider rather than higher."""
    if n_tiles < 1:
        raise ValueError(f"a grid needs at least one tile, got {n_tiles}")
    columns = math.isqrt(n_tiles - 1) + 1
    return columns, math.ceil(n_tiles / columns)


@dataclass(frozen=True, slots=True)
class GridLayout:
    """Tiles of one size in reading order, with a gap between and around them."""

    n_tiles: int
    tile_width_px: int
    tile_height_px: int
    gap_px: int = 0

    def __post_init__(self) -> None:
        grid_shape(self.n_tiles)
        if min(self.tile_width_px, self.tile_height_px) < MIN_PICTURE_PX or self.gap_px < 0:
            raise ValueError(
                f"a tile has at least {MIN_PICTURE_PX} x {MIN_PICTURE_PX} pixels and a gap of 0 or more, "
                f"got {self.tile_width_px} x {self.tile_height_px} and {self.gap_px}"
            )

    @property
    def columns(self) -> int:
        """How many tiles stand side by side."""
        return grid_shape(self.n_tiles)[0]

    @property
    def rows(self) -> int:
        """How many rows of tiles there are; the last may be short."""
        return grid_shape(self.n_tiles)[1]

    @property
    def width_px(self) -> int:
        """Width of the whole picture."""
        return self.columns * (self.tile_width_px + self.gap_px) + self.gap_px

    @property
    def height_px(self) -> int:
        """Height of the whole picture."""
        return self.rows * (self.tile_height_px + self.gap_px) + self.gap_px

    def tile(self, index: int) -> Rect:
        """Return where a tile stands; an index outside 0..n_tiles-1 raises IndexError."""
        if not 0 <= index < self.n_tiles:
            raise IndexError(f"tile {index} of {self.n_tiles}")
        row, column = divmod(index, self.columns)
        return Rect(
            self.gap_px + column * (self.tile_width_px + self.gap_px),
            self.gap_px + row * (self.tile_height_px + self.gap_px),
            self.tile_width_px,
            self.tile_height_px,
        )

    def tile_at(self, x: float, y: float) -> int | None:
        """Return the tile under a point of the picture; None for gaps, empty places and outside."""
        column = math.floor((x - self.gap_px) / (self.tile_width_px + self.gap_px))
        row = math.floor((y - self.gap_px) / (self.tile_height_px + self.gap_px))
        index = row * self.columns + column
        if not (0 <= column < self.columns and row >= 0 and index < self.n_tiles):
            return None
        return index if self.tile(index).has(x, y) else None


def letterbox_rect(source_width: int, source_height: int, tile: Rect) -> Rect:
    """Return the largest centred part of a tile that has the aspect ratio of the source, within two pixels.

    Width and height are even, because a 4:2:0 picture has one colour sample for two by two pixels.
    """
    if source_width < 1 or source_height < 1:
        raise ValueError(f"a source has at least one pixel, got {source_width} x {source_height}")
    scale = min(tile.width / source_width, tile.height / source_height)
    width = _even(source_width * scale, tile.width)
    height = _even(source_height * scale, tile.height)
    return Rect(tile.x + (tile.width - width) // 2, tile.y + (tile.height - height) // 2, width, height)


def _even(length: float, limit: int) -> int:
    return max(MIN_PICTURE_PX, min(2 * round(length / 2), limit - limit % 2))


@dataclass(frozen=True, slots=True)
class SourceToTile:
    """Turns pixels of the picture that a box was found in into pixels of the picture that it is drawn on.

    Both edges of the source fall on both edges of `target`, whatever their sizes: a box found in a small sub stream
    is right on a tile that shows the main stream.
    """

    source_width: int
    source_height: int
    target: Rect

    def __post_init__(self) -> None:
        if self.source_width < 1 or self.source_height < 1:
            raise ValueError(f"a source has at least one pixel, got {self.source_width} x {self.source_height}")

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point of the source lies, perhaps outside `target`."""
        return (
            self.target.x + x / self.source_width * self.target.width,
            self.target.y + y / self.source_height * self.target.height,
        )

    def box(self, xyxy_px: tuple[float, float, float, float], min_size_px: int = 3) -> Rect | None:
        """Return the visible part of a box, in whole pixels; None if nothing of it lies inside `target`.

        A box thinner than `min_size_px` is widened to it, so that it can be seen.
        """
        left, top = self.point(xyxy_px[0], xyxy_px[1])
        right, bottom = self.point(xyxy_px[2], xyxy_px[3])
        x = _visible_span(left, right, self.target.x, self.target.right, min_size_px)
        y = _visible_span(top, bottom, self.target.y, self.target.bottom, min_size_px)
        return None if x is None or y is None else Rect(x[0], y[0], x[1] - x[0], y[1] - y[0])


def _visible_span(start: float, end: float, low: int, high: int, min_px: int) -> tuple[int, int] | None:
    if end < low or start >= high:
        return None
    first, last = round(max(start, low)), round(min(end, high))
    if last - first < min_px:
        first = max(low, min((first + last - min_px) // 2, high - min_px))
        last = min(high, first + min_px)
    return first, last
