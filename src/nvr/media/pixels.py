"""From a decoded frame to a small BGR picture, for a network or a screen.

The one file of `nvr.media` that uses OpenCV, see docs/adr/0006.
"""

from typing import Protocol, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from nvr.core.errors import FrameError

Picture: TypeAlias = NDArray[np.uint8]
"""(H, W, 3) uint8, BGR."""
Plane: TypeAlias = NDArray[np.uint8]
"""(H, W) uint8."""


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
