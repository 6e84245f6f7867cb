"""Pictures to an H.264 or H.265 file, as a camera would have coded them."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import av.container
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from nvr.core.errors import ConfigurationError, FrameError
from nvr.media.access_unit import VideoCodec

_ENCODERS: dict[VideoCodec, Literal["libx264", "libx265"]] = {"h264": "libx264", "hevc": "libx265"}
_REFERENCE_BPS_PER_PIXEL = 2_000_000 / (1280 * 720)
_LEAST_BITRATE_BPS = 500_000
_VBR_CRF = 25
_CBR_BUFFER_S = 0.25
_MAX_B_FRAMES = 4

RateControl = Literal["abr", "cbr", "vbr"]
"""`abr`: the average is held over seconds. `cbr`: each quarter of a second has its share, whatever happens in the
picture, without filler as in cameras. `vbr`: the quality is held, packets grow with what moves, up to the bit rate."""


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """How to code a stream; fixed are: no look-ahead, no scene-cut key frames, 8 bit 4:2:0."""

    width_px: int
    height_px: int
    fps: Fraction
    gop_s: float = 2.0
    """Seconds from key frame to key frame, exactly."""
    bitrate_bps: int = 0
    """0 = 2 Mbit/s at 1280x720 and in proportion to the area, at least 0.5 Mbit/s. With `vbr` the most there is."""
    codec: VideoCodec = "h264"
    rate_control: RateControl = "abr"
    b_frames: int = 0
    """Between two other frames, always as many; 0 to 4. Few cameras have them."""
    has_open_gops: bool = False
    """The B-frames before a key frame need the GOP before it: only with `b_frames`."""

    def __post_init__(self) -> None:
        if self.width_px % 2 or self.height_px % 2 or min(self.width_px, self.height_px) < 16:
            raise ConfigurationError(
                f"expected an even picture size of at least 16x16 px, got {self.width_px}x{self.height_px}"
            )
        if not 0 < self.fps <= 240 or not self.gop_s > 0 or self.bitrate_bps < 0:
            raise ConfigurationError(
                f"expected 0 < fps <= 240, gop > 0 s and bitrate >= 0, got {self.fps}, {self.gop_s}, {self.bitrate_bps}"
            )
        if not 0 <= self.b_frames <= _MAX_B_FRAMES or (self.has_open_gops and not self.b_frames):
            raise ConfigurationError(
                f"expected 0 to {_MAX_B_FRAMES} B-frames, and some where GOPs are open, got {self.b_frames}"
            )

    @property
    def gop_frames(self) -> int:
        """Return the frames from key frame to key frame."""
        return max(1, round(self.gop_s * self.fps))

    @property
    def target_bps(self) -> int:
        """Return the bit rate the encoder is told."""
        area_bps = round(_REFERENCE_BPS_PER_PIXEL * self.width_px * self.height_px)
        return self.bitrate_bps or max(area_bps, _LEAST_BITRATE_BPS)


def encode_pictures(pictures: Iterable[NDArray[np.uint8]], path: Path, settings: EncoderSettings) -> None:
    """Code pictures to an MP4 file at a constant frame rate.

    Args:
        pictures: Each (height_px, width_px, 3) uint8, BGR. May be reused by the caller once the next is asked for.
        path: Appears complete or not at all; its folder is made.
        settings: Size, rate and bit rate.

    Raises:
        FrameError: a picture is not of the promised shape.
        ConfigurationError: nothing can be written to the folder, or not enough.
    """
    expected = (settings.height_px, settings.width_px, 3)

    def frames() -> Iterator[VideoFrame]:
        for picture in pictures:
            if picture.shape != expected:
                raise FrameError(f"expected a picture of shape {expected}, got {picture.shape}")
            yield VideoFrame.from_ndarray(picture, format="bgr24")

    encode_frames(frames(), path, settings)


def encode_frames(frames: Iterable[VideoFrame], path: Path, settings: EncoderSettings) -> None:
    """Code decoded frames to an MP4 file at a constant frame rate, scaled to the size of the settings."""
    with _appearing_whole(path) as unfinished, av.open(str(unfinished), "w", format="mp4") as container:
        stream = _add_stream(container, settings)
        for index, frame in enumerate(frames):
            ready = frame.reformat(settings.width_px, settings.height_px, "yuv420p")
            ready.pts = index
            ready.time_base = 1 / settings.fps
            ready.pict_type = 0
            container.mux(stream.encode(ready))
        container.mux(stream.encode(None))


def _add_stream(container: av.container.OutputContainer, settings: EncoderSettings) -> VideoStream:
    options = {"preset": "veryfast", "tune": "zerolatency"}  # as cameras do: no look-ahead
    options |= _codec_options(settings)
    stream = container.add_stream(_ENCODERS[settings.codec], rate=settings.fps, options=options)
    stream.width = settings.width_px
    stream.height = settings.height_px
    stream.pix_fmt = "yuv420p"
    stream.bit_rate = 0 if settings.rate_control == "vbr" else settings.target_bps
    stream.gop_size = settings.gop_frames
    stream.max_b_frames = settings.b_frames
    stream.codec_context.thread_count = 1
    return stream


def _codec_options(settings: EncoderSettings) -> dict[str, str]:
    gop, target_kbps = settings.gop_frames, settings.target_bps // 1000
    buffer_kbit = round(target_kbps * _CBR_BUFFER_S) if settings.rate_control == "cbr" else target_kbps
    own: dict[str, int | str] = {
        "keyint": gop,
        "min-keyint": gop,
        "scenecut": 0,
        "bframes": settings.b_frames,
        "b-adapt": 0,
        "open-gop": int(settings.has_open_gops),
        "vbv-maxrate": target_kbps,
        "vbv-bufsize": buffer_kbit,
    }
    if settings.rate_control == "vbr":
        own["crf"] = _VBR_CRF
    if settings.codec == "hevc":
        own |= {"log-level": "error", "pools": "none"}
        if settings.b_frames:
            own["rc-lookahead"] = settings.b_frames + 1  # the least that x265 takes
    text = ":".join(f"{name}={value}" for name, value in own.items())
    return {"x264-params" if settings.codec == "h264" else "x265-params": text}


@contextmanager
def _appearing_whole(path: Path) -> Iterator[Path]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=".part")
        unfinished = Path(name)
        try:
            yield unfinished
            os.fsync(descriptor)  # a rename may reach the disk before the content does
            unfinished.replace(path)
        finally:
            os.close(descriptor)
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{path.parent}: coded video cannot be kept there: {error.strerror}") from error
