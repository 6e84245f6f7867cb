"""Packets of a camera as the engine hands them out: made up ones for decisions, coded ones for files."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, cast

import av
import numpy as np

from nvr.media.packet import MediaPacket
from nvr.media.parameters import StreamParameters

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

TICKS = 90_000
NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
VIDEO = StreamParameters("video", "h264", b"\x00", width_px=64, height_px=48)


def at(seconds: float) -> datetime:
    """Return a moment after `NOON`."""
    return NOON + timedelta(seconds=seconds)


def made_up(
    sequence: int,
    fps: float = 5.0,
    gop: int = 10,
    *,
    session: int = 1,
    parameters: StreamParameters = VIDEO,
    captured_at: datetime | None = None,
    received_s: float | None = None,
    is_keyframe: bool | None = None,
) -> MediaPacket:
    """Return a packet without bytes: picture `sequence` of a stream that began at `NOON`, monotonic second 0."""
    time_s = sequence / fps
    return MediaPacket(
        kind=parameters.kind,
        coded=cast("Packet[VideoStream]", None),
        parameters=parameters,
        session=session,
        sequence=sequence,
        pts=round(time_s * TICKS),
        dts=round(time_s * TICKS),
        duration=round(TICKS / fps),
        time_base=Fraction(1, TICKS),
        is_keyframe=sequence % gop == 0 if is_keyframe is None else is_keyframe,
        size_bytes=1000,
        captured_at=at(time_s) if captured_at is None else captured_at,
        timestamp_source="arrival",
        received_s=time_s if received_s is None else received_s,
    )


def coded_video(
    n_frames: int, fps: int = 25, gop: int = 25, size: tuple[int, int] = (160, 96), *, is_noise: bool = False
) -> Iterator[tuple["Packet[VideoStream]", bytes]]:
    """Yield coded pictures as Annex-B whose grey is their number, with the parameter sets; noise makes them large."""
    context = av.CodecContext.create("libx264", "w")
    assert isinstance(context, av.video.codeccontext.VideoCodecContext)
    context.width, context.height = size
    context.pix_fmt = "yuv420p"
    context.time_base = Fraction(1, fps)
    context.framerate = Fraction(fps)
    context.gop_size = gop
    context.max_b_frames = 0
    context.thread_count = 1
    context.options = {"preset": "ultrafast", "tune": "zerolatency", "x264-params": f"keyint={gop}:scenecut=0"}
    for number in range(n_frames):
        grey = np.full((size[1] * 3 // 2, size[0]), 128, np.uint8)
        grey[: size[1]] = 16 + number % 220
        if is_noise:
            grey[:8] = np.random.default_rng(number).integers(0, 255, (8, size[0]), np.uint8)
        frame = av.VideoFrame.from_ndarray(grey, format="yuv420p")
        frame.pts = number
        frame.time_base = context.time_base
        for packet in context.encode(frame):
            yield cast("Packet[VideoStream]", packet), context.extradata or b""


def camera_packets(
    n_frames: int,
    fps: int = 25,
    gop: int = 25,
    *,
    size: tuple[int, int] = (160, 96),
    start: datetime = NOON,
    first_sequence: int = 0,
    session: int = 1,
    is_noise: bool = False,
) -> list[MediaPacket]:
    """Return coded packets of a stream whose pictures are captured from `start` on, and received then."""
    packets = []
    for number, (coded, extradata) in enumerate(coded_video(n_frames, fps, gop, size, is_noise=is_noise)):
        captured_at = start + timedelta(seconds=number / fps)
        ticks = round(number / fps * TICKS)
        coded.pts = coded.dts = ticks
        packets.append(
            MediaPacket(
                kind="video",
                coded=coded,
                parameters=StreamParameters("video", "h264", extradata, width_px=size[0], height_px=size[1]),
                session=session,
                sequence=first_sequence + number,
                pts=ticks,
                dts=ticks,
                duration=round(TICKS / fps),
                time_base=Fraction(1, TICKS),
                is_keyframe=bool(coded.is_keyframe),
                size_bytes=coded.size,
                captured_at=captured_at,
                timestamp_source="arrival",
                received_s=(captured_at - NOON).total_seconds(),
            )
        )
    return packets
