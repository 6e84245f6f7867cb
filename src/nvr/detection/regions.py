"""A part of a camera's picture that is worth a look, and how large the network shall see it."""

from dataclasses import dataclass

from nvr.core.errors import InvalidInputError

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels."""

Size = tuple[int, int]
"""Width and height in pixels."""


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of the source frame."""

    xyxy_px: Box
    """In source pixels, inside the frame."""
    scale: float
    """Canvas pixels per source pixel, above 0 and at most 1."""
    is_full: bool = False
    """Whether it is the whole frame."""

    def __post_init__(self) -> None:
        left, top, right, bottom = self.xyxy_px
        if not (0 <= left < right and 0 <= top < bottom):
            raise InvalidInputError(f"region: expected 0 <= left < right and 0 <= top < bottom, got {self.xyxy_px}")
        if not 0 < self.scale <= 1:
            raise InvalidInputError(f"region: expected a scale above 0 and at most 1, got {self.scale}")

    @property
    def canvas_size_px(self) -> Size:
        """Even width and height on the canvas, at least 2."""
        left, top, right, bottom = self.xyxy_px
        return even((right - left) * self.scale), even((bottom - top) * self.scale)


def even(length_px: float) -> int:
    """Return the nearest even number of pixels, at least 2."""
    return max(2, 2 * round(length_px / 2))


def full_region(size_px: Size, canvas_size_px: Size) -> Region:
    """Return the whole frame, as large as it fits into a canvas, never enlarged."""
    return Region((0, 0, *size_px), full_scale(size_px, canvas_size_px), is_full=True)


def full_scale(size_px: Size, canvas_size_px: Size) -> float:
    """Return the scale at which a frame fills a canvas in width or height; at most 1."""
    return min(1.0, canvas_size_px[0] / size_px[0], canvas_size_px[1] / size_px[1])
