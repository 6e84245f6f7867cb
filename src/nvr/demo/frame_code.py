"""A frame number in the picture that a program reads back, after H.264 and after scaling to half.

Two rows of black and white cells in the lower left corner, 1/80 of the picture's width each. A row is: a white cell, 12
bits, a black cell; the second row has black and white swapped at its ends. The 24 bits are 16 of the number and 8 of a
checksum, so that a spoilt or foreign picture gives `None`, with one chance in 256 left for noise that also has the four
end cells right.
"""

import numpy as np
from numpy.typing import NDArray

MAX_FRAME_NUMBER = 0xFFFF

_CELLS_PER_WIDTH = 80
_BITS_PER_ROW = 12
_COLUMNS = _BITS_PER_ROW + 2
_ROWS = 2
_MARGIN_CELLS = 1.0
_BORDER_CELLS = 0.5
_BLACK, _WHITE, _GREY = 16, 235, 126
_LEAST_CONTRAST = 60.0
_LEAST_CERTAINTY = 0.25
_LEAST_CELL_PX = 2.5
_CRC8_POLYNOMIAL = 0x07
_CRC8_START = 0x5A  # not 0: a picture of black cells must not be the code of frame 0


def frame_code_region(width_px: int, height_px: int) -> tuple[int, int, int, int]:
    """Return the code with its border as left, top, right, bottom in pixels, to mask it where it must not count."""
    cell = width_px / _CELLS_PER_WIDTH
    left = (_MARGIN_CELLS - _BORDER_CELLS) * cell
    bottom = height_px - (_MARGIN_CELLS - _BORDER_CELLS) * cell
    right = left + (_COLUMNS + 2 * _BORDER_CELLS) * cell
    top = bottom - (_ROWS + 2 * _BORDER_CELLS) * cell
    return int(left), int(top), int(np.ceil(right)), int(np.ceil(bottom))


def draw_frame_code(image: NDArray[np.uint8], number: int) -> None:
    """Draw a frame number into a picture, in place.

    Args:
        image: (H, W, 3) or (H, W) uint8, at least 320 wide.
        number: 0 to `MAX_FRAME_NUMBER`; larger numbers raise ValueError.
    """
    height_px, width_px = image.shape[:2]
    left, top, right, bottom = frame_code_region(width_px, height_px)
    image[top:bottom, left:right] = _GREY
    cell = width_px / _CELLS_PER_WIDTH
    for row, bits in enumerate(_encode(number)):
        y0, y1 = _cell_edges(_row_top(height_px, cell, row), cell)
        for column, bit in enumerate(bits):
            x0, x1 = _cell_edges((_MARGIN_CELLS + column) * cell, cell)
            image[y0:y1, x0:x1] = _WHITE if bit else _BLACK


def read_frame_code(image: NDArray[np.uint8]) -> int | None:
    """Read the frame number of a picture, or None where there is none that can be trusted.

    Args:
        image: The whole picture: (H, W, 3) uint8 of any colour order, or the luma plane (H, W) uint8. It may have
            been scaled, but neither cropped nor stretched.
    """
    height_px, width_px = image.shape[:2]
    cell = width_px / _CELLS_PER_WIDTH
    if cell < _LEAST_CELL_PX or height_px < 6 * cell:
        return None
    levels = np.array(
        [
            [_cell_level(image, _row_top(height_px, cell, row), (_MARGIN_CELLS + column) * cell, cell)
             for column in range(_COLUMNS)]
            for row in range(_ROWS)
        ]
    )  # fmt: skip
    white = (levels[0, 0] + levels[1, -1]) / 2
    black = (levels[0, -1] + levels[1, 0]) / 2
    contrast = white - black
    if contrast < _LEAST_CONTRAST:
        return None
    offsets = (levels - (white + black) / 2) / contrast
    if np.abs(offsets).min() < _LEAST_CERTAINTY:
        return None
    return _decode([[bool(offset > 0) for offset in row] for row in offsets])


def _encode(number: int) -> list[list[bool]]:
    if not 0 <= number <= MAX_FRAME_NUMBER:
        raise ValueError(f"expected a frame number from 0 to {MAX_FRAME_NUMBER}, got {number}")
    word = number << 8 | _crc8(number)
    bits = [bool(word >> shift & 1) for shift in reversed(range(_ROWS * _BITS_PER_ROW))]
    return [[True, *bits[:_BITS_PER_ROW], False], [False, *bits[_BITS_PER_ROW:], True]]


def _decode(rows: list[list[bool]]) -> int | None:
    first, second = rows
    if not first[0] or first[-1] or second[0] or not second[-1]:
        return None
    word = 0
    for bit in first[1:-1] + second[1:-1]:
        word = word << 1 | bit
    number = word >> 8
    return number if _crc8(number) == word & 0xFF else None


def _crc8(number: int) -> int:
    remainder = _CRC8_START
    for byte in number.to_bytes(2, "big"):
        remainder ^= byte
        for _ in range(8):
            remainder = (remainder << 1) ^ (_CRC8_POLYNOMIAL if remainder & 0x80 else 0)
            remainder &= 0xFF
    return remainder


def _row_top(height_px: int, cell: float, row: int) -> float:
    return height_px - (_MARGIN_CELLS + _ROWS - row) * cell


def _cell_edges(start: float, cell: float) -> tuple[int, int]:
    return round(start), round(start + cell)


def _cell_level(image: NDArray[np.uint8], top: float, left: float, cell: float) -> float:
    inset = cell * 0.25
    y0, y1 = round(top + inset), max(round(top + cell - inset), round(top + inset) + 1)
    x0, x1 = round(left + inset), max(round(left + cell - inset), round(left + inset) + 1)
    return float(image[y0:y1, x0:x1].mean())
