"""The quantiser of a coded picture, read from the front of its packet without decoding it.

Under rate control the encoder answers motion with a coarser quantiser in place of more bytes, so that size alone says
little; `nvr.media.packet_activity` puts both together.
"""

from contextlib import suppress

from nvr.core.errors import InvalidInputError
from nvr.media.access_unit import VideoCodec
from nvr.media.bit_reader import MAX_HEADER_BYTES
from nvr.media.slice_header_h264 import H264Headers
from nvr.media.slice_header_hevc import HevcHeaders
from nvr.media.slice_qp import SliceQp

_START_CODE = b"\x00\x00\x01"
_MAX_SEARCH_BYTES = 64 << 10
"""The first slice lies behind a delimiter, parameter sets and messages (SEI), all of them small."""
_MAX_NALS = 32
_TYPICAL_HEADER_BYTES = 48


class SliceQpReader:
    """Reads the quantiser of the first slice of each packet of one H.264 or H.265 stream.

    Broken input never raises: parameter sets that cannot be read are passed over, and so are packets. For one thread at
    a time. It costs 8 to 15 µs of CPU for a packet, whatever its size.
    """

    def __init__(self, codec: VideoCodec, extradata: bytes = b"") -> None:
        """Start with the parameter sets of `StreamParameters.extradata`, Annex-B; those in packets are added."""
        self._headers: H264Headers | HevcHeaders = H264Headers() if codec == "h264" else HevcHeaders()
        self.read(extradata)

    def read(self, packet: bytes) -> SliceQp | None:
        """Return what the first slice of a packet tells, and remember the parameter sets before it.

        Args:
            packet: One picture as Annex-B.

        Returns:
            None where there is no slice in the first 64 KiB, its parameter sets are not known, or it cannot be read.
        """
        headers = self._headers
        start = packet.find(_START_CODE, 0, _MAX_SEARCH_BYTES)
        for _ in range(_MAX_NALS):
            nal = packet[start + 3 : start + 3 + _TYPICAL_HEADER_BYTES]
            if start < 0 or not nal:
                return None
            nal_type = headers.nal_type(nal)
            if nal_type in headers.SLICE_TYPES:
                return self._read_slice(packet, start + 3)
            end = packet.find(_START_CODE, start + 3, _MAX_SEARCH_BYTES)
            if nal_type in {headers.SPS_TYPE, headers.PPS_TYPE}:
                self._learn(nal_type, packet[start + 3 : end if end >= 0 else start + 3 + MAX_HEADER_BYTES])
            start = end
        return None

    def _read_slice(self, packet: bytes, start: int) -> SliceQp | None:
        # A short piece is read in half the time; only lists of weights make a header longer.
        for size in (_TYPICAL_HEADER_BYTES, MAX_HEADER_BYTES):
            try:
                return self._headers.read_slice(packet[start : start + size])
            except InvalidInputError:
                continue
        return None

    def _learn(self, nal_type: int, nal: bytes) -> None:
        with suppress(InvalidInputError):
            if nal_type == self._headers.SPS_TYPE:
                self._headers.learn_sps(nal)
            else:
                self._headers.learn_pps(nal)


def coded_size(packet: bytes) -> int:
    """Return the bytes of a packet without the filler with which an encoder holds a constant bit rate.

    Only filler at its end is found: a NAL unit of 0xff bytes closed by 0x80.
    """
    if not packet.endswith(b"\xff\x80"):
        return len(packet)
    return len(packet[:-1].rstrip(b"\xff"))
