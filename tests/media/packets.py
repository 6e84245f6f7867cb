"""Packets made by hand, for tests of what happens to packets."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import av

from nvr.media.packet import MediaKind, MediaPacket
from nvr.media.parameters import StreamParameters

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
VIDEO = StreamParameters("video", "h264", width_px=64, height_px=48)
AUDIO = StreamParameters("audio", "aac", sample_rate_hz=48_000, channels=1)
TIME_BASE = Fraction(1, 90_000)


def make_packet(
    sequence: int,
    *,
    is_keyframe: bool = False,
    media_s: float | None = None,
    size_bytes: int = 1000,
    kind: MediaKind = "video",
    session: int = 0,
    fps: float = 25.0,
) -> MediaPacket:
    """Return a packet that was captured and arrived `media_s` (by default its turn at `fps`) after the epoch."""
    at_s = sequence / fps if media_s is None else media_s
    ticks = round(at_s * 90_000)
    coded: av.Packet[Any] = av.Packet(bytes(size_bytes))
    return MediaPacket(
        kind=kind,
        coded=coded,
        parameters=VIDEO if kind == "video" else AUDIO,
        session=session,
        sequence=sequence,
        pts=ticks,
        dts=ticks,
        duration=0,
        time_base=TIME_BASE,
        is_keyframe=is_keyframe or kind == "audio",
        size_bytes=size_bytes,
        captured_at=EPOCH + timedelta(seconds=at_s),
        timestamp_source="arrival",
        received_s=at_s,
    )


def gops(n_gops: int, length: int, *, first: int = 0, size_bytes: int = 1000) -> Iterator[MediaPacket]:
    """Yield GOPs of a length in packets, at 25 fps."""
    for sequence in range(first, first + n_gops * length):
        yield make_packet(sequence, is_keyframe=(sequence - first) % length == 0, size_bytes=size_bytes)
