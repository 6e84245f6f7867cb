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


class Converted:
    """A frame whose BGR picture is there already."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture

    def planes(self) -> None:
        """See `ConvertibleFrame`."""
        return

    def to_bgr(self) -> Picture:
        """See `ConvertibleFrame`; the same array each time."""
        return self._picture


Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels of the frame."""


def shrink_to_bgr(frame: ConvertibleFrame, width_px: int, height_px: int) -> Picture:
    """Return a frame as a BGR picture of an even width and height.

    The planes are resized first and only the small picture is converted: on a 720p camera this costs a tenth of
    converting the whole (measured in the design's facts).

    Raises:
        FrameError: The size asked for is odd or the frame's arrays are not of the promised shape.
    """
    return cut_to_bgr(frame, None, width_px, height_px)


def cut_to_bgr(frame: ConvertibleFrame, box: Box | None, width_px: int, height_px: int) -> Picture:
    """Return a rectangle of a frame as a BGR picture of an even width and height; only what is used is converted.

    Args:
        frame: The whole frame.
        box: What to cut out, of even left and top, inside the frame; None for all of it.
        width_px: Of the picture, even.
        height_px: Of the picture, even.

    Raises:
        FrameError: The size or the box is not such, or the frame's arrays are not of the promised shape.
    """
    if width_px % 2 or height_px % 2 or min(width_px, height_px) < 2:
        raise FrameError(f"expected an even width and height, got {width_px} x {height_px}")
    planes = frame.planes()
    if planes is None:
        return resized(_cut(frame.to_bgr(), box), width_px, height_px)
    half_box = None if box is None else (box[0] // 2, box[1] // 2, -(-box[2] // 2), -(-box[3] // 2))
    # I420: the rows of Y, then those of U and V with two of their half rows in each full one
    packed = np.empty((height_px * 3 // 2, width_px), np.uint8)
    luma, chroma = packed[:height_px], packed[height_px:].reshape(2, height_px // 2, width_px // 2)
    _resize_into(_cut(planes[0], box), luma)
    _resize_into(_cut(planes[1], half_box), chroma[0])
    _resize_into(_cut(planes[2], half_box), chroma[1])
    picture = np.empty((height_px, width_px, 3), np.uint8)
    cv2.cvtColor(packed, cv2.COLOR_YUV2BGR_I420, dst=picture)
    return picture


def small_luma(frame: ConvertibleFrame, width_px: int) -> Plane:
    """Return the luma of a frame, at most so wide and in proportion; may be a view of the frame, so not to be changed.

    Args:
        frame: The whole frame.
        width_px: Most columns of the answer.

    Raises:
        FrameError: The frame's arrays are not of the promised shape.
    """
    planes = frame.planes()
    luma = cv2.cvtColor(frame.to_bgr(), cv2.COLOR_BGR2GRAY) if planes is None else planes[0]
    small = np.asarray(luma, np.uint8)
    # halving is the one exact mean that OpenCV has a fast way for
    while small.shape[1] >= 2 * width_px and small.shape[0] >= 4:
        small = _resized_plane(small, small.shape[1] // 2, small.shape[0] // 2)
    if small.shape[1] > width_px:
        small = _resized_plane(small, width_px, max(1, round(small.shape[0] * width_px / small.shape[1])))
    return small


def _cut(array: NDArray[np.uint8], box: Box | None) -> NDArray[np.uint8]:
    if box is None:
        return array
    left, top, right, bottom = box
    if not (0 <= left < right <= array.shape[1] and 0 <= top < bottom <= array.shape[0]):
        raise FrameError(f"expected a box inside {array.shape[1]} x {array.shape[0]}, got {box}")
    return array[top:bottom, left:right]


def _resized_plane(plane: Plane, width_px: int, height_px: int) -> Plane:
    target = np.empty((height_px, width_px), np.uint8)
    _resize_into(plane, target)
    return target


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
