"""The video wall: every camera with its detections, in a window, on a page or as a picture file.

Loads no model: it knows a processor by its messages only. Names are resolved on first use, so that the geometry and
the cache can be had without a decoder or OpenCV.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nvr.config import VideoWallConfig
    from nvr.wall.video_wall import VideoWall

__all__ = ["VideoWall", "VideoWallConfig"]

_HOMES = {"VideoWall": "nvr.wall.video_wall", "VideoWallConfig": "nvr.config"}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)
