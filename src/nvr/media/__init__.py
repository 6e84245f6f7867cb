"""Video in: packets, frames and their time; the only package that imports PyAV."""

from nvr.media.frame import Frame
from nvr.media.freshest import FreshestFrames
from nvr.media.stream import CameraStream, IngestSettings, StreamState, StreamStats

__all__ = ["CameraStream", "Frame", "FreshestFrames", "IngestSettings", "StreamState", "StreamStats"]
