"""Small coded loops and the other end of the packetiser, for tests."""

import struct
from dataclasses import dataclass

from nvr.media.access_unit import AccessUnit, EncodedLoop, ParameterSets, VideoCodec

H264_SETS = ParameterSets(sps=(b"\x67\x42\xc0\x1f\xaa",), pps=(b"\x68\xce\x01",))
H265_SETS = ParameterSets(sps=(b"\x42\x01\x02",), pps=(b"\x44\x01\x03",), vps=(b"\x40\x01\x01",))


def make_loop(n_units: int = 10, gop: int = 5, codec: VideoCodec = "h264", size_bytes: int = 3000) -> EncodedLoop:
    key, other = (b"\x65", b"\x41") if codec == "h264" else (b"\x26\x01", b"\x02\x01")
    units = tuple(
        AccessUnit(
            ((key if index % gop == 0 else other) + bytes([index]) * size_bytes,), index * 3600, index % gop == 0
        )
        for index in range(n_units)
    )
    sets = H264_SETS if codec == "h264" else H265_SETS
    return EncodedLoop(codec, sets, 64, 48, 25.0, units, n_units * 3600)


@dataclass(frozen=True, slots=True)
class RtpPacket:
    sequence: int
    timestamp: int
    ssrc: int
    has_marker: bool
    payload: bytes


def parse_rtp(packet: bytes) -> RtpPacket:
    first, second, sequence, timestamp, ssrc = struct.unpack("!BBHII", packet[:12])
    assert first == 0x80
    assert second & 0x7F == 96
    return RtpPacket(sequence, timestamp, ssrc, bool(second & 0x80), packet[12:])


def depacketize(codec: VideoCodec, payloads: list[bytes]) -> list[bytes]:
    """Put NAL units together again, as a receiver does."""
    nals: list[bytes] = []
    for payload in payloads:
        if codec == "h264" and payload[0] & 0x1F == 28:
            header, body, fu = bytes([payload[0] & 0xE0 | payload[1] & 0x1F]), payload[2:], payload[1]
        elif codec == "hevc" and payload[0] >> 1 & 0x3F == 49:
            header, body, fu = (
                bytes([payload[0] & 0x81 | (payload[2] & 0x3F) << 1, payload[1]]),
                payload[3:],
                payload[2],
            )
        else:
            nals.append(payload)
            continue
        if fu & 0x80:
            nals.append(header)
        nals[-1] += body
    return nals
