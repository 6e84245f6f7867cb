"""What the wall needs of a camera: `nvr.media.CameraStream` is one."""

from datetime import datetime
from typing import Protocol

from nvr.media import StreamState, StreamStats
from nvr.media.pixels import ConvertibleFrame


class WallFrame(ConvertibleFrame, Protocol):
    """A decoded picture: what `nvr.media.Frame` offers and the wall uses."""

    @property
    def frame_id(self) -> int:
        """Number of the frame; another one means another picture."""
        ...

    @property
    def captured_at(self) -> datetime:
        """Aware UTC."""
        ...

    @property
    def received_s(self) -> float:
        """Monotonic seconds of its arrival."""
        ...

    @property
    def width(self) -> int:
        """Pixels."""
        ...

    @property
    def height(self) -> int:
        """Pixels."""
        ...


class FrameSource(Protocol):
    """A camera that decodes in a thread of its own and keeps its freshest frame."""

    @property
    def source_id(self) -> int:
        """Number of the camera, the one that its detection events carry."""
        ...

    @property
    def name(self) -> str:
        """Where it is, without credentials."""
        ...

    @property
    def state(self) -> StreamState:
        """What it is doing."""
        ...

    @property
    def stats(self) -> StreamStats:
        """Its counters."""
        ...

    def latest(self) -> WallFrame | None:
        """Return the freshest frame, which stays; None before the first."""
        ...

    def start(self) -> None:
        """Begin, in the background."""
        ...

    def request_stop(self) -> None:
        """Ask its thread to end, without waiting."""
        ...

    def stop(self, timeout_s: float = 1.0) -> bool:
        """End its thread; False where it still hangs after `timeout_s`."""
        ...
