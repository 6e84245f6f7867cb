"""Coded pictures as plain values, and how files store them: NAL units, Annex-B, length prefixes.

Pure bytes in, values out: no PyAV here, so that the RTSP server of the simulator can be handed these values.
Sources: ISO/IEC 14496-10 (H.264) annex B, ISO/IEC 14496-15 (the `avcC` and `hvcC` records).
"""

import re
from dataclasses import dataclass
from typing import Literal

from nvr.core.errors import InvalidInputError

VideoCodec = Literal["h264", "hevc"]

RTP_CLOCK_HZ = 90_000
"""Ticks per second of RTP video timestamps, used here for all media time."""

_START_CODE = re.compile(rb"\x00\x00\x01")


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """All NAL units of one coded picture."""

    nals: tuple[bytes, ...]
    """Without start codes or length prefixes; without parameter sets and delimiters."""
    pts_90k: int
    """Time since the start of the loop."""
    is_keyframe: bool
    """Decoding may start here."""
    delay_90k: int = 0
    """How long after its time it leaves the coder, which waits for what it refers to; 0 without B-frames."""

    @property
    def sent_90k(self) -> int:
        """Return when it leaves the coder: rises in decoding order."""
        return self.pts_90k + self.delay_90k


@dataclass(frozen=True, slots=True)
class ParameterSets:
    """What a decoder needs before the first picture."""

    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]
    vps: tuple[bytes, ...] = ()
    """Only H.265 has these."""

    def in_order(self) -> tuple[bytes, ...]:
        """Return all of them in the order a decoder wants them."""
        return self.vps + self.sps + self.pps


@dataclass(frozen=True, slots=True)
class EncodedLoop:
    """A piece of coded video that can be sent again and again: it starts with a key frame."""

    codec: VideoCodec
    parameter_sets: ParameterSets
    width_px: int
    height_px: int
    fps: float
    """Average frame rate, for a person and for SDP; the units' times rule."""
    units: tuple[AccessUnit, ...]
    """In decoding order; without B-frames that is showing order."""
    duration_90k: int
    """When the next round starts: larger than the time of any unit."""

    @property
    def duration_s(self) -> float:
        """Return the length of one round in seconds."""
        return self.duration_90k / RTP_CLOCK_HZ

    @property
    def bitrate_bps(self) -> int:
        """Return the average bit rate of one round."""
        size_bytes = sum(len(nal) for unit in self.units for nal in unit.nals)
        return round(size_bytes * 8 / self.duration_s)


@dataclass(frozen=True, slots=True)
class NalLayout:
    """How a container delimits NAL units: told by its codec record, never guessed from a packet."""

    length_bytes: int | None
    """Size of the length before each NAL unit; None = Annex-B start codes."""
    parameter_sets: ParameterSets
    """Those of the codec record; empty where they only travel with the pictures."""

    def split(self, packet: bytes) -> tuple[bytes, ...]:
        """Return the NAL units of a packet; InvalidInputError when its lengths do not add up."""
        if self.length_bytes is None:
            return split_annex_b(packet)
        return split_length_prefixed(packet, self.length_bytes)


def read_codec_record(codec: VideoCodec, extradata: bytes) -> NalLayout:
    """Read the codec record ("extradata") of a stream.

    A record of ISO/IEC 14496-15 starts with its version, 1; the Annex-B form starts with a zero byte. So this first
    byte of the record decides, once per stream. No packet is asked: a length of 256-511 looks like a start code.

    Raises:
        InvalidInputError: the record is cut off.
    """
    if not extradata or extradata[0] == 0:
        return NalLayout(None, sort_parameter_sets(codec, split_annex_b(extradata)))
    try:
        return _read_avcc(extradata) if codec == "h264" else _read_hvcc(extradata)
    except IndexError as error:
        raise InvalidInputError(f"the {codec} codec record of {len(extradata)} bytes is cut off") from error


def split_annex_b(data: bytes) -> tuple[bytes, ...]:
    """Split at start codes. A NAL unit never ends with a zero byte, so such bytes are padding."""
    starts = [match.end() for match in _START_CODE.finditer(data)]
    ends = [start - 3 for start in starts[1:]] + [len(data)]
    nals = (data[start:end].rstrip(b"\x00") for start, end in zip(starts, ends, strict=False))
    return tuple(nal for nal in nals if nal)


def split_length_prefixed(data: bytes, length_bytes: int) -> tuple[bytes, ...]:
    """Split where each NAL unit is preceded by its length; InvalidInputError when the lengths do not add up."""
    nals = []
    position = 0
    while position < len(data):
        start = position + length_bytes
        position = start + int.from_bytes(data[start - length_bytes : start], "big")
        if position > len(data):
            raise InvalidInputError(f"a NAL unit ends at byte {position} of a packet of {len(data)} bytes")
        if position > start:
            nals.append(data[start:position])
    return tuple(nals)


def nal_type(codec: VideoCodec, nal: bytes) -> int:
    """Return the type in the header of a NAL unit."""
    return nal[0] & 0x1F if codec == "h264" else (nal[0] >> 1) & 0x3F


def sort_parameter_sets(codec: VideoCodec, nals: tuple[bytes, ...]) -> ParameterSets:
    """Pick the parameter sets out of NAL units, each once."""
    vps_type, sps_type, pps_type = (None, 7, 8) if codec == "h264" else (32, 33, 34)

    def of_type(wanted: int | None) -> tuple[bytes, ...]:
        return tuple(dict.fromkeys(nal for nal in nals if nal_type(codec, nal) == wanted))

    return ParameterSets(sps=of_type(sps_type), pps=of_type(pps_type), vps=of_type(vps_type))


def strip_parameter_sets(codec: VideoCodec, nals: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Leave out parameter sets and access unit delimiters: RTP marks the end of a picture itself."""
    left_out = (7, 8, 9) if codec == "h264" else (32, 33, 34, 35)
    return tuple(nal for nal in nals if nal_type(codec, nal) not in left_out)


def _read_avcc(record: bytes) -> NalLayout:
    length_bytes = (record[4] & 3) + 1
    sps, position = _read_nals(record, 6, record[5] & 0x1F)
    pps, _ = _read_nals(record, position + 1, record[position])
    return NalLayout(length_bytes, ParameterSets(sps=sps, pps=pps))


def _read_hvcc(record: bytes) -> NalLayout:
    length_bytes = (record[21] & 3) + 1
    position = 23
    nals: tuple[bytes, ...] = ()
    for _ in range(record[22]):
        count = record[position + 1] << 8 | record[position + 2]
        found, position = _read_nals(record, position + 3, count)
        nals += found
    return NalLayout(length_bytes, sort_parameter_sets("hevc", nals))


def _read_nals(record: bytes, position: int, count: int) -> tuple[tuple[bytes, ...], int]:
    nals = []
    for _ in range(count):
        size = record[position] << 8 | record[position + 1]
        position += 2 + size
        if size == 0 or position > len(record):
            raise IndexError
        nals.append(record[position - size : position])
    return tuple(nals), position
