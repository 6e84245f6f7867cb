"""One picture of the wall as a file."""

from pathlib import Path

from nvr.core.clock import Clock, SystemClock
from nvr.core.errors import StreamError
from nvr.wall.camera_view import CameraView, TileState
from nvr.wall.encoding import format_of, write_picture
from nvr.wall.video_wall import VideoWall

PATIENCE_S = 20.0
"""How long to wait for cameras that show nothing."""
POLL_S = 0.05


def take_snapshot(
    wall: VideoWall,
    path: Path,
    *,
    after_s: float | None = None,
    patience_s: float = PATIENCE_S,
    clock: Clock | None = None,
) -> int:
    """Write the picture of a started wall to a file; return how many cameras are live in it.

    Args:
        wall: Is not stopped here.
        path: `.png` or `.jpg`.
        after_s: Take the picture after so many seconds; None: as soon as every camera shows a picture, or after
            `patience_s`.
        patience_s: Longest wait where `after_s` is None.
        clock: For the waiting.

    Raises:
        ConfigurationError: The file cannot be written.
        StreamError: No camera delivered a picture; nothing was written.
    """
    format_of(path)
    clock = clock or SystemClock()
    deadline_s = clock.monotonic() + (patience_s if after_s is None else after_s)
    while clock.monotonic() < deadline_s and not (after_s is None and _all_live(wall.look())):
        if wall.join(min(POLL_S, max(0.0, deadline_s - clock.monotonic()))):
            break
    cameras = wall.look()
    if all(camera.frame is None for camera in cameras):
        raise StreamError(f"no picture to take: {_reasons(cameras)}")
    write_picture(wall.compose(), path)
    return sum(camera.state is TileState.LIVE for camera in cameras)


def _all_live(cameras: tuple[CameraView, ...]) -> bool:
    return all(camera.state is TileState.LIVE for camera in cameras)


def _reasons(cameras: tuple[CameraView, ...]) -> str:
    first = cameras[0]
    told = f"{first.title} {first.reason or first.notice or 'shows nothing'}"
    return told if len(cameras) == 1 else f"none of {len(cameras)} cameras delivered one; {told}"
