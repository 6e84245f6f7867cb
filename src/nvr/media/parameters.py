"""What a decoder and a file need to know of a stream before its first packet."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class StreamParameters:
    """Codec parameters as plain values: they outlive the connection they came from, and equal ones are equal."""

    kind: Literal["video", "audio"]
    codec: str
    """FFmpeg's name of the codec: h264, hevc, mjpeg, aac, opus, pcm_mulaw, …"""
    extradata: bytes = b""
    """H.264 and H.265: parameter sets as Annex-B; AAC: the AudioSpecificConfig; empty where there is none."""
    width_px: int = 0
    height_px: int = 0
    sample_rate_hz: int = 0
    channels: int = 0
