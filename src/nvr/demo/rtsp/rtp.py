"""Coded pictures to RTP packets, pure.

Sources: RFC 3550 section 5.1 (header), RFC 6184 (H.264: single NAL units and FU-A), RFC 7798 (H.265: the same idea).
"""

import struct
from collections.abc import Sequence

from nvr.media.access_unit import AccessUnit, EncodedLoop, VideoCodec

PAYLOAD_TYPE = 96
MAX_PAYLOAD_BYTES = 1388
"""With the 12 bytes of the RTP header 1400: fits an Ethernet frame with room for tunnels."""

_HEADER = struct.Struct("!BBHII")
_VERSION_2 = 0x80
_MARKER = 0x80
_H264_FU_A = 28
_H265_FU = 49


def packetize_unit(loop: EncodedLoop, unit: AccessUnit, max_bytes: int = MAX_PAYLOAD_BYTES) -> tuple[bytes, ...]:
    """Return the RTP payloads of a picture; a key frame carries its parameter sets, for those who missed the SDP."""
    nals = loop.parameter_sets.in_order() + unit.nals if unit.is_keyframe else unit.nals
    return tuple(payload for nal in nals for payload in packetize_nal(loop.codec, nal, max_bytes))


def packetize_nal(codec: VideoCodec, nal: bytes, max_bytes: int = MAX_PAYLOAD_BYTES) -> list[bytes]:
    """Return the payloads of one NAL unit: itself, or its fragments."""
    if len(nal) <= max_bytes:
        return [nal]
    if codec == "h264":
        prefix = bytes([nal[0] & 0xE0 | _H264_FU_A])
        kind, body = nal[0] & 0x1F, nal[1:]
    else:
        prefix = bytes([nal[0] & 0x81 | _H265_FU << 1, nal[1]])
        kind, body = nal[0] >> 1 & 0x3F, nal[2:]
    step = max_bytes - len(prefix) - 1
    pieces = [body[start : start + step] for start in range(0, len(body), step)]
    last = len(pieces) - 1
    return [
        prefix + bytes([(index == 0) << 7 | (index == last) << 6 | kind]) + piece for index, piece in enumerate(pieces)
    ]


def rtp_packets(payloads: Sequence[bytes], sequence: int, timestamp: int, ssrc: int) -> list[bytes]:
    """Return the packets of one picture; the last one bears the marker."""
    last = len(payloads) - 1
    return [
        _HEADER.pack(
            _VERSION_2,
            PAYLOAD_TYPE | (_MARKER if index == last else 0),
            (sequence + index) & 0xFFFF,
            timestamp & 0xFFFFFFFF,
            ssrc,
        )
        + payload
        for index, payload in enumerate(payloads)
    ]
