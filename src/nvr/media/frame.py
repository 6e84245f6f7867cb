"""One decoded picture and where it stands in time."""

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nvr.core.errors import FrameError
from nvr.events.schema import TimestampSource

if TYPE_CHECKING:
    import av

_PLANAR_420 = frozenset({"yuv420p", "yuvj420p"})


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
    """In units of `time_base`; None for the first picture of an RTSP session."""
    time_base: Fraction | None
    picture: "av.VideoFrame"
    """YUV planes; shared by all readers, so none may write into them."""

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

    def planes(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]] | None:
        """Return views of the Y (H, W), U and V (ceil(H/2), ceil(W/2)) planes; None where it is not planar 4:2:0.

        The views are read-only and keep the picture alive.
        """
        if self.picture.format.name not in _PLANAR_420:
            return None
        luma, blue, red = (_plane_view(plane) for plane in self.picture.planes)
        return luma, blue, red


def _plane_view(plane: "av.video.plane.VideoPlane") -> NDArray[np.uint8]:
    buffer = memoryview(plane)
    rows: NDArray[np.uint8] = np.frombuffer(buffer, np.uint8).reshape(-1, plane.line_size)
    view = rows[: plane.height, : plane.width]
    view.flags.writeable = False
    return view
