"""Text on pictures: OpenCV's own scalable font, so that nothing has to be installed and any script shows."""

import cv2

from nvr.media.pixels import Picture
from nvr.wall.layout import Rect
from nvr.wall.palette import Colour
from nvr.wall.pixels import blend

REGULAR = 400
SEMIBOLD = 600
MAX_CHARACTERS = 120


def one_line(text: str, limit: int = MAX_CHARACTERS) -> str:
    """Return a text fit for one line: no control characters, no surrogates, at most `limit` characters."""
    clean = "".join(sign if sign.isprintable() else " " for sign in text[: 4 * limit])
    clean = " ".join(clean.split())
    return clean if len(clean) <= limit else f"{clean[: limit - 1]}…"


class TextPainter:
    """Measures and draws lines of text in one size. Used by one thread at a time."""

    def __init__(self, size_px: int, weight: int = REGULAR) -> None:
        if size_px < 1:
            raise ValueError(f"a font has at least one pixel, got {size_px}")
        self._font = cv2.FontFace("sans")
        self._size_px = size_px
        self._weight = weight
        self._pad_x = max(3, round(size_px * 0.4))
        self._pad_y = max(2, round(size_px * 0.22))

    @property
    def line_height_px(self) -> int:
        """Distance from one line to the next."""
        return round(self._size_px * 1.4)

    @property
    def chip_height_px(self) -> int:
        """Height of every chip: it depends on the font, not on the letters."""
        return self._size_px + 2 * self._pad_y

    def width_px(self, text: str) -> int:
        """Return how wide a line is."""
        left, _, width, _ = cv2.getTextSize((1, 1), text, (0, 0), self._font, self._size_px, self._weight)
        return int(left + width)

    def chip_width_px(self, text: str) -> int:
        """Return how wide a chip with this text is."""
        return self.width_px(text) + 2 * self._pad_x

    def line(self, picture: Picture, text: str, x: int, baseline_y: int, colour: Colour) -> None:
        """Draw one line whose first letter stands at `x` on the baseline; what is outside is cut off."""
        cv2.putText(picture, text, (x, baseline_y), colour, self._font, self._size_px, self._weight)

    def chip(
        self, picture: Picture, text: str, x: int, y: int, *, ink: Colour, ground: Colour, opacity: float = 1.0
    ) -> Rect:
        """Draw a text on a filled ground with its top left at `x`, `y`; return the ground."""
        ground_rect = Rect(x, y, self.chip_width_px(text), self.chip_height_px)
        blend(picture, ground_rect, ground, opacity)
        baseline_y = y + self._pad_y + round(self._size_px * 0.82)
        self.line(picture, text, x + self._pad_x, baseline_y, ink)
        return ground_rect

    def fitted(self, text: str, max_width_px: int) -> str:
        """Return `text`, or its longest beginning with an ellipsis that is not wider than `max_width_px`."""
        if self.width_px(text) <= max_width_px:
            return text
        fits = [n for n in range(len(text)) if self.width_px(f"{text[:n]}…") <= max_width_px]
        return f"{text[: fits[-1]].rstrip()}…" if fits else ""

    def wrapped(self, text: str, max_width_px: int, max_lines: int) -> list[str]:
        """Return `text` as at most `max_lines` lines that are not wider than `max_width_px`."""
        lines: list[str] = []
        words = text.split()
        while words and len(lines) < max_lines:
            n_words = len(words) if len(lines) == max_lines - 1 else self._n_fitting(words, max_width_px)
            lines.append(self.fitted(" ".join(words[:n_words]), max_width_px))
            words = words[n_words:]
        return lines

    def _n_fitting(self, words: list[str], max_width_px: int) -> int:
        n_words = 1
        while n_words < len(words) and self.width_px(" ".join(words[: n_words + 1])) <= max_width_px:
            n_words += 1
        return n_words
