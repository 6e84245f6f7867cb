"""A small JPEG of a camera's newest key frame: the cheapest picture there is, one frame is decoded for it."""

from dataclasses import replace

import av

from nvr.core.errors import FrameError
from nvr.media.frame import Frame
from nvr.media.frame_at import decode_frame_at
from nvr.media.jpeg import encode_jpeg
from nvr.media.packet_ring import PacketRing

QUALITY = 75


def newest_thumbnail(source_id: int, ring: PacketRing, width_px: int) -> bytes | None:
    """Return the newest key frame of a camera as a small JPEG; it is at most a GOP old.

    Args:
        source_id: The camera.
        ring: The newest packets of one of its streams.
        width_px: Of the picture; a smaller one stays as it is.

    Returns:
        None where no key frame is there.

    Raises:
        StreamError: It cannot be decoded.
        UnsupportedError: This build of FFmpeg has no decoder for the stream.
        FrameError: Its pixels are of a kind that cannot be coded.
    """
    start = ring.newest_gop_start
    if start is None:
        return None
    _, packets = ring.slice_from(start, 1)
    if not packets:
        return None
    return encode_jpeg(shrink(decode_frame_at(source_id, packets, packets[0].captured_at), width_px), QUALITY)


def shrink(frame: Frame, width_px: int) -> Frame:
    """Return a frame that is no wider than asked for and looks the same; even sides, the frame itself if it is small.

    Raises:
        FrameError: Its pixels are of a kind that cannot be scaled.
    """
    if frame.width <= width_px:
        return frame
    width = max(2, width_px // 2 * 2)
    height = max(2, round(frame.height * width / frame.width / 2) * 2)
    try:
        picture = frame.picture.reformat(width=width, height=height, interpolation="AREA", threads=1)
    except (av.FFmpegError, ValueError) as error:
        raise FrameError(
            f"camera {frame.source_id}: cannot shrink {frame.width}x{frame.height} {frame.picture.format.name}"
        ) from error
    return replace(frame, picture=picture)
