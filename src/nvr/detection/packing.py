"""Where rectangles go on as few canvases as need be: a skyline, lowest place first.

Source: the skyline bottom-left heuristic of J. Jylänki, "A Thousand Ways to Pack the Bin" (2010), section 3; sorted
by height, which suits canvases that are cut off below what is used.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from nvr.core.errors import InvalidInputError
from nvr.detection.regions import Size


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one rectangle lies."""

    bin: int
    """Number of the canvas, from 0."""
    left_px: int
    top_px: int


def pack(sizes: Sequence[Size], bin_size: Size, gutter_px: int = 0) -> list[Placement]:
    """Place rectangles without overlap; one placement each, in their order. The same input gives the same output.

    Args:
        sizes: Width and height of each in pixels.
        bin_size: Width and height of a canvas.
        gutter_px: Free between two of them at least; none at a canvas's edge.

    Raises:
        InvalidInputError: A rectangle is empty or larger than a canvas.
    """
    for width, height in sizes:
        if not (0 < width <= bin_size[0] and 0 < height <= bin_size[1]):
            raise InvalidInputError(f"pack: expected sizes up to {bin_size}, got {(width, height)}")
    # A gutter to the right of the last and below the lowest is not needed: the canvas is that much larger.
    limit = (bin_size[0] + gutter_px, bin_size[1] + gutter_px)
    skylines: list[_Skyline] = []
    placements = [Placement(0, 0, 0)] * len(sizes)
    for i in sorted(range(len(sizes)), key=lambda i: (-sizes[i][1], -sizes[i][0], i)):
        placements[i] = _place(skylines, limit, (sizes[i][0] + gutter_px, sizes[i][1] + gutter_px))
    return placements


def _place(skylines: "list[_Skyline]", limit: Size, size: Size) -> Placement:
    for number in itertools.count():
        if number == len(skylines):
            skylines.append(_Skyline(*limit))
        corner = skylines[number].add(*size)
        if corner is not None:
            return Placement(number, *corner)
    raise AssertionError


class _Skyline:
    """The upper edge of what is placed, as steps from left to right."""

    def __init__(self, width: int, height: int) -> None:
        self._width = width
        self._height = height
        self._lefts = [0]
        self._tops = [0]

    def add(self, width: int, height: int) -> tuple[int, int] | None:
        """Place a rectangle as high up as it goes, then as far left; None where it does not fit."""
        lefts, tops = self._lefts, self._tops
        best: tuple[int, int, int] | None = None
        for first, left in enumerate(lefts):
            right = left + width
            if right > self._width:
                break
            top, k = tops[first], first + 1
            while k < len(lefts) and lefts[k] < right:
                top = max(top, tops[k])
                k += 1
            if top + height <= self._height and (best is None or top < best[0]):
                best = (top, left, first)
        if best is None:
            return None
        top, left, first = best
        self._raise(first, left + width, top + height)
        return left, top

    def _raise(self, first: int, right: int, top: int) -> None:
        lefts, tops = self._lefts, self._tops
        last = first
        while last + 1 < len(lefts) and lefts[last + 1] < right:
            last += 1
        end = lefts[last + 1] if last + 1 < len(lefts) else self._width
        rest = ([right], [tops[last]]) if right < end else ([], [])
        lefts[first : last + 1] = [lefts[first], *rest[0]]
        tops[first : last + 1] = [top, *rest[1]]
