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

    def size_on_canvas_px(self, scale: float, canvas_size_px: Size) -> Size:
        """Return the even width and height, at least 2, at a scale; less where the canvas is smaller."""
        left, top, right, bottom = self.xyxy_px
        width, height = (right - left) * scale, (bottom - top) * scale
        shrink = min(1.0, canvas_size_px[0] / width, canvas_size_px[1] / height)
        return _even(width * shrink, canvas_size_px[0]), _even(height * shrink, canvas_size_px[1])


def _even(length_px: float, most_px: int) -> int:
    return max(2, min(2 * round(length_px / 2), most_px // 2 * 2))


def full_region(size_px: Size, canvas_size_px: Size) -> Region:
    """Return the whole frame, as large as it fits into a canvas, never enlarged."""
    return Region((0, 0, *size_px), full_scale(size_px, canvas_size_px), is_full=True)


def full_scale(size_px: Size, canvas_size_px: Size) -> float:
    """Return the scale at which a frame fills a canvas in width or height; at most 1."""
    return min(1.0, canvas_size_px[0] / size_px[0], canvas_size_px[1] / size_px[1])
