"""What a camera's address names: a file, a device, or something on the network; pure."""

from pathlib import Path
from urllib.parse import unquote

_V4L2 = "v4l2://"
_DEVICES = "/dev/video"


def is_device(uri: str) -> bool:
    """Tell whether a URI names a V4L2 device, such as a USB camera."""
    return uri.lower().startswith(_V4L2) or uri.startswith(_DEVICES)


def is_file(uri: str) -> bool:
    """Tell whether a URI names a file on this machine rather than a device or something on the network."""
    return ("://" not in uri and not is_device(uri)) or uri.lower().startswith("file://")


def file_path(uri: str) -> Path:
    """Return the path that a `file:` URI or a plain path names."""
    return Path(unquote(uri[len("file://") :])) if uri.lower().startswith("file://") else Path(uri)


def device_path(uri: str) -> str:
    """Return the path of the V4L2 device that a URI names."""
    return uri[len(_V4L2) :] if uri.lower().startswith(_V4L2) else uri
