"""What a change of a camera's settings costs, and whether a new connection of it has come about."""

from typing import Literal

from nvr.config.camera import CameraConfig
from nvr.media.stream import StreamState
from nvr.processor.camera import Camera

NEEDS_CONNECTION = frozenset({"uri", "detect_uri", "rtsp_transport"})
"""What of a camera cannot be changed while its connection stays; all else is changed between two frames."""


def changed_settings(old: CameraConfig, new: CameraConfig) -> frozenset[str]:
    """Return the names of the settings in which two cameras differ, but for their numbers. Pure."""
    names = CameraConfig.model_fields.keys() - {"source_id"}
    return frozenset(name for name in names if getattr(old, name) != getattr(new, name))


def connection_of(camera: Camera) -> Literal["pending", "made", "failed"]:
    """Tell whether all streams of a camera have delivered something, or one of them could not be read."""
    made = [
        stream.state in {StreamState.RUNNING, StreamState.ENDED} and stream.stats.demuxed.packets > 0
        for stream in camera.streams
    ]
    if all(made):
        return "made"
    has_failed = any(stream.stats.failures > 0 for stream in camera.streams)
    return "failed" if has_failed else "pending"


def why_not(camera: Camera) -> str:
    """Return in words why a camera has no connection."""
    errors = [stream.stats.last_error for stream in camera.streams if stream.stats.last_error is not None]
    return errors[0] if errors else "nothing came of it in time"
