"""Small coded videos with known motion in them, and their packets."""

import threading
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from nvr.core.clock import ManualClock
from nvr.media.access_unit import VideoCodec
from nvr.media.demuxer import DemuxCounters, Demuxer, Pace
from nvr.media.encode import EncoderSettings, encode_pictures
from nvr.media.packet import MediaPacket

FPS = 25
SIZE = (320, 192)
NOISE = 1.5


def still_with_events(
    n_frames: int, events: Sequence[tuple[int, int]] = (), size: tuple[int, int] = SIZE, seed: int = 0
) -> Iterator[NDArray[np.uint8]]:
    """Yield pictures of a still scene with sensor noise, in which a square crosses during each event [first, last]."""
    rng = np.random.default_rng(seed)
    width, height = size
    scene = rng.integers(60, 120, (height // 16, width // 16, 3)).repeat(16, 0).repeat(16, 1).astype(np.float32)
    for number in range(n_frames):
        picture = scene + rng.normal(0, NOISE, scene.shape)
        for first, last in events:
            if first <= number <= last:
                left = 8 + 4 * (number - first) % (width - 48)
                picture[height // 3 : height // 3 + 40, left : left + 32] = 220
        yield picture.clip(0, 255).astype(np.uint8)


def make_clip(
    path: Path,
    n_frames: int,
    events: Sequence[tuple[int, int]] = (),
    *,
    gop_s: float = 1.0,
    codec: VideoCodec = "h264",
    size: tuple[int, int] = SIZE,
) -> Path:
    """Write an MP4 of such a scene, as a camera would have coded it, and return its path."""
    settings = EncoderSettings(*size, Fraction(FPS), gop_s=gop_s, codec=codec)
    encode_pictures(still_with_events(n_frames, events, size), path, settings)
    return path


def make_clip_with_b_frames(path: Path, n_frames: int, *, gop: int = 50, is_open_gop: bool = False) -> Path:
    """Write an MP4 with B-frames, closed or open GOPs."""
    with av.open(str(path), "w") as container:
        params = f"keyint={gop}:min-keyint={gop}:scenecut=0:bframes=3:b-adapt=0:open-gop={int(is_open_gop)}"
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "x264-params": params})
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for picture in still_with_events(n_frames, [(0, n_frames)]):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
    return path


def read_packets(
    path: Path,
    *,
    pace: Pace = "fast",
    clock: ManualClock | None = None,
    counters: DemuxCounters | None = None,
    session: int = 0,
    sequence: int = 0,
) -> list[MediaPacket]:
    """Return all packets of a file as the engine hands them on."""
    with av.open(str(path)) as container:
        demuxer = Demuxer(
            container,
            name=path.name,
            clock=clock or ManualClock(),
            ended=threading.Event(),
            pace=pace,
            counters=counters or DemuxCounters(),
            session=session,
            sequence=sequence,
        )
        return [packet for batch in demuxer.batches() for packet in batch]
