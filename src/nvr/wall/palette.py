"""Colours: the dark ground of the wall, and a stable one for each class or track."""

import colorsys
import zlib
from functools import lru_cache

Colour = tuple[int, int, int]
"""Blue, green, red, 0-255 each."""

BACKGROUND: Colour = (20, 16, 14)
CARD: Colour = (38, 31, 28)
LETTERBOX: Colour = (14, 11, 10)
TEXT: Colour = (240, 236, 232)
MUTED: Colour = (170, 158, 150)
AMBER: Colour = (66, 176, 245)
RED: Colour = (92, 92, 240)
GREEN: Colour = (128, 200, 94)
BLACK: Colour = (12, 10, 8)

_HUES = 18
_SHADES = ((0.62, 1.0), (0.78, 0.92), (0.48, 0.98))
"""Saturation and value; all bright enough for a dark picture, none as pale as a white wall."""


@lru_cache(maxsize=4096)
def colour_of(key: str) -> Colour:
    """Return the colour of a key: the same in every process and on every machine."""
    value = zlib.crc32(key.encode("utf-8", "surrogatepass"))
    saturation, brightness = _SHADES[value // _HUES % len(_SHADES)]
    red, green, blue = colorsys.hsv_to_rgb(value % _HUES / _HUES, saturation, brightness)
    return round(blue * 255), round(green * 255), round(red * 255)


def colour_of_object(class_name: str, tracker_id: int | None) -> Colour:
    """Return the colour of a track if there is one, else of the class."""
    return colour_of(f"class:{class_name}" if tracker_id is None else f"track:{tracker_id}")


def readable_on(colour: Colour) -> Colour:
    """Return black or white, whichever has the higher contrast on `colour` (WCAG 2 relative luminance)."""
    luminance = relative_luminance(colour)
    return (0, 0, 0) if (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) else (255, 255, 255)


def relative_luminance(colour: Colour) -> float:
    """Return 0 for black to 1 for white, as WCAG 2 defines it for sRGB."""
    blue, green, red = (_linear(channel / 255) for channel in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.03928 else ((channel + 0.055) / 1.055) ** 2.4
