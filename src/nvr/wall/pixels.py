"""Pixel work on BGR pictures: filling, dimming."""

import cv2
import numpy as np

from nvr.media.pixels import Picture
from nvr.wall.layout import Rect
from nvr.wall.palette import Colour

DIMMED = 0.38


def blend(picture: Picture, rect: Rect, colour: Colour, opacity: float = 1.0) -> None:
    """Lay a colour over a part of a picture; what of it is outside is left out."""
    region = picture[max(rect.y, 0) : max(rect.bottom, 0), max(rect.x, 0) : max(rect.right, 0)]
    if region.size == 0 or opacity <= 0:
        return
    if opacity >= 1.0:
        region[:] = colour
        return
    ground = np.empty_like(region)
    ground[:] = colour
    region[:] = cv2.addWeighted(region, 1.0 - opacity, ground, opacity, 0.0)


def dimmed(picture: Picture) -> Picture:
    """Return a darker, paler copy: a picture that is no longer true."""
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    mixed = cv2.addWeighted(picture, DIMMED * 0.5, grey, DIMMED * 0.5, 0.0)
    return np.asarray(mixed, dtype=np.uint8)
