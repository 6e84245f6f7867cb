"""Exactly one picture out of coded packets: the one that was captured nearest to a time."""

from collections.abc import Sequence
from datetime import datetime

import av
from av.video.codeccontext import VideoCodecContext

from nvr.core.errors import StreamError, UnsupportedError
from nvr.media.frame import Frame
from nvr.media.packet import MediaPacket

MAX_REORDER_PACKETS = 16
"""Packets behind the wanted one that are decoded at most until it comes out: H.264 and H.265 reorder over 16."""


def nearest_packet(packets: Sequence[MediaPacket], captured_at: datetime) -> MediaPacket | None:
    """Return the packet of video captured nearest to a time; None without any. Pure."""
    video = (packet for packet in packets if packet.kind == "video")
    return min(video, key=lambda packet: abs(packet.captured_at - captured_at), default=None)


def decode_frame_at(source_id: int, packets: Sequence[MediaPacket], captured_at: datetime) -> Frame:
    """Decode the picture captured nearest to a time, with the loop filter and in software: it is for people.

    Args:
        source_id: The camera, which the frame will name.
        packets: In decoding order; before the wanted picture there is the key frame of its GOP.
        captured_at: Aware UTC.

    Raises:
        StreamError: No packet of video is there, or the picture does not come out.
        UnsupportedError: This build of FFmpeg has no decoder for the codec.
    """
    wanted = nearest_packet(packets, captured_at)
    if wanted is None:
        raise StreamError(f"camera {source_id}: no video is there to take a picture of {captured_at.isoformat()} from")
    gop = _gop_of(packets, wanted)
    if not gop:
        raise StreamError(f"camera {source_id}: the key frame before {captured_at.isoformat()} is not there any more")
    context = _open(source_id, wanted)
    for packet in [*gop, None]:
        for picture in _decode(context, packet):
            if picture.pts == wanted.coded.pts:
                return _frame(source_id, wanted, picture)
    raise StreamError(f"camera {source_id}: the picture of {wanted.captured_at.isoformat()} cannot be decoded")


def _gop_of(packets: Sequence[MediaPacket], wanted: MediaPacket) -> list[MediaPacket]:
    """Return what must be decoded: from the last key frame before the picture to what may hold it back."""
    video = [packet for packet in packets if packet.kind == "video" and packet.session == wanted.session]
    place = video.index(wanted)
    start = next((index for index in range(place, -1, -1) if video[index].is_keyframe), None)
    if start is None:
        return []
    if video[place].pts < video[start].pts:
        # a picture shown before its key frame needs the GOP before as well, where that is there
        start = next((index for index in range(start - 1, -1, -1) if video[index].is_keyframe), start)
    return video[start : place + 1 + MAX_REORDER_PACKETS]


def _open(source_id: int, packet: MediaPacket) -> VideoCodecContext:
    parameters = packet.parameters
    try:
        context = av.CodecContext.create(parameters.codec, "r")
    except (av.FFmpegError, ValueError) as error:
        raise UnsupportedError(
            f"camera {source_id}: this build of FFmpeg has no decoder for {parameters.codec}"
        ) from error
    if not isinstance(context, VideoCodecContext):
        raise UnsupportedError(f"camera {source_id}: {parameters.codec} is no video codec")
    context.thread_type = "NONE"
    context.thread_count = 1
    context.extradata = parameters.extradata or None
    return context


def _decode(context: VideoCodecContext, packet: MediaPacket | None) -> list[av.VideoFrame]:
    try:
        return context.decode(None if packet is None else packet.coded)
    except av.FFmpegError:
        return []


def _frame(source_id: int, packet: MediaPacket, picture: av.VideoFrame) -> Frame:
    return Frame(
        source_id=source_id,
        frame_id=packet.sequence,
        captured_at=packet.captured_at,
        timestamp_source=packet.timestamp_source,
        received_s=packet.received_s,
        pts=packet.pts,
        time_base=packet.time_base,
        picture=picture,
        is_replayed=True,
    )
