"""Pixel work on BGR pictures: from a decoded frame to a small picture, filling, dimming."""

from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from nvr.core.errors import FrameError
from nvr.wall.layout import Rect
from nvr.wall.palette import Colour

Picture = NDArray[np.uint8]
"""(H, W, 3) uint8, BGR."""
Plane = NDArray[np.uint8]
"""(H, W) uint8."""

DIMMED = 0.38


class ConvertibleFrame(Protocol):
    """What a decoded frame must offer to be drawn."""

    def planes(self) -> tuple[Plane, Plane, Plane] | None:
        """Return the Y, U and V planes of a 4:2:0 picture, or None if it is something else."""
        ...

    def to_bgr(self) -> Picture:
        """Return the whole picture as (H, W, 3) uint8, BGR."""
        ...


def shrink_to_bgr(frame: ConvertibleFrame, width_px: int, height_px: int) -> Picture:
    """Return a frame as a BGR picture of an even width and height.

    The planes are resized first and only the small picture is converted: on a 720p camera this costs a tenth of
    converting the whole (measured in the design's facts).

    Raises:
        FrameError: The size asked for is odd or the frame's arrays are not of the promised shape.
    """
    if width_px % 2 or height_px % 2 or min(width_px, height_px) < 2:
        raise FrameError(f"expected an even width and height, got {width_px} x {height_px}")
    planes = frame.planes()
    if planes is None:
        return resized(frame.to_bgr(), width_px, height_px)
    # I420: the rows of Y, then those of U and V with two of their half rows in each full one
    packed = np.empty((height_px * 3 // 2, width_px), np.uint8)
    luma, chroma = packed[:height_px], packed[height_px:].reshape(2, height_px // 2, width_px // 2)
    _resize_into(planes[0], luma)
    _resize_into(planes[1], chroma[0])
    _resize_into(planes[2], chroma[1])
    picture = np.empty((height_px, width_px, 3), np.uint8)
    cv2.cvtColor(packed, cv2.COLOR_YUV2BGR_I420, dst=picture)
    return picture


def _resize_into(plane: Plane, target: Plane) -> None:
    if plane.ndim != 2 or plane.size == 0:
        raise FrameError(f"expected a plane of (H, W), got {plane.shape}")
    cv2.resize(plane, (target.shape[1], target.shape[0]), dst=target, interpolation=cv2.INTER_LINEAR)


def resized(picture: Picture, width_px: int, height_px: int) -> Picture:
    """Return a BGR picture in another size.

    Raises:
        FrameError: It is empty or not (H, W, 3).
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.size == 0:
        raise FrameError(f"expected (H, W, 3), got {picture.shape}")
    target = np.empty((height_px, width_px, 3), np.uint8)
    cv2.resize(picture, (width_px, height_px), dst=target, interpolation=cv2.INTER_LINEAR)
    return target


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
