"""One decoded picture and where it stands in time."""

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nvr.core.errors import FrameError
from nvr.events.schema import TimestampSource

if TYPE_CHECKING:
    import av

Plane: TypeAlias = NDArray[np.uint8]

_PLANAR_420 = frozenset({"yuv420p", "yuvj420p"})
_SEMI_PLANAR_420 = "nv12"
_LUMA_FIRST = _PLANAR_420 | {"yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "gray", "nv12", "nv16", "nv24"}
"""Pixel formats of 8 bit whose first plane is the luma."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A picture as the decoder left it; colours are converted only for who asks."""

    source_id: int
    """The camera."""
    frame_id: int
    """Number of the frame since the stream object was made; grows over reconnects too."""
    captured_at: datetime
    """Aware UTC."""
    timestamp_source: TimestampSource
    """How `captured_at` was obtained."""
    received_s: float
    """Monotonic seconds at which its packet arrived."""
    pts: int | None
    """In units of `time_base`; None for a picture that was not in a stream."""
    time_base: Fraction | None
    picture: "av.VideoFrame"
    """YUV planes; shared by all readers, so none may write into them."""
    is_replayed: bool = False
    """Decoded late, from the packets of the past: what it shows was noticed after it had happened."""
    is_quiet: bool = False
    """Nothing moves: what it shows holds until the camera's next frame, which may be a GOP away."""
    decoded_s: float | None = None
    """Monotonic seconds at which the decoder handed it on; None where nobody noted it."""

    @property
    def width(self) -> int:
        """Pixels."""
        return self.picture.width

    @property
    def height(self) -> int:
        """Pixels."""
        return self.picture.height

    def to_bgr(self) -> NDArray[np.uint8]:
        """Return a new (H, W, 3) uint8 array, BGR.

        Raises:
            FrameError: The pixel format cannot be converted.
        """
        try:
            # PyAV 17 and later would start and end a thread per core for each picture, at twice the CPU time
            return self.picture.to_ndarray(format="bgr24", threads=1).astype(np.uint8, copy=False)
        except ValueError as error:
            raise FrameError(f"camera {self.source_id}: cannot convert {self.picture.format.name} to BGR") from error

    def planes(self) -> tuple[Plane, Plane, Plane] | None:
        """Return views of the Y (H, W), U and V (ceil(H/2), ceil(W/2)) planes; None where it is not 4:2:0 of 8 bit.

        The views are read-only and keep the picture alive. Those of U and V may have gaps between their pixels.
        """
        name = self.picture.format.name
        if name in _PLANAR_420:
            luma, blue, red = (_plane_view(plane) for plane in self.picture.planes)
            return luma, blue, red
        if name == _SEMI_PLANAR_420:  # as hardware decoders deliver it
            rows = _plane_rows(self.picture.planes[1])
            end = (self.picture.width + 1) // 2 * 2
            return _plane_view(self.picture.planes[0]), rows[:, 0:end:2], rows[:, 1:end:2]
        return None


def luma_rows(picture: "av.VideoFrame") -> Plane | None:
    """Return the (H, stride) rows of a picture's luma as they lie in memory, padding included; no copy.

    None where its pixel format has no plane of 8-bit luma.
    """
    if picture.format.name not in _LUMA_FIRST:
        return None
    return _plane_rows(picture.planes[0])


def _plane_rows(plane: "av.video.plane.VideoPlane") -> Plane:
    rows: Plane = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    rows.flags.writeable = False
    return rows[: plane.height]


def _plane_view(plane: "av.video.plane.VideoPlane") -> Plane:
    return _plane_rows(plane)[:, : plane.width]
