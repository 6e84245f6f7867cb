"""RTCP sender reports, pure: they tell a client which wall time an RTP timestamp is.

Source: RFC 3550, sections 6.4.1 and 6.5.
"""

import struct
from datetime import UTC, datetime

_NTP_EPOCH = datetime(1900, 1, 1, tzinfo=UTC)
_SENDER_REPORT = 200
_SOURCE_DESCRIPTION = 202
_CNAME = 1


def sender_report(
    *, ssrc: int, captured_at: datetime, rtp_timestamp: int, packets_sent: int, payload_bytes_sent: int, cname: str
) -> bytes:
    """Return a sender report with the source description that must go with it.

    Args:
        ssrc: The sender.
        captured_at: Aware wall time of the picture with `rtp_timestamp`.
        rtp_timestamp: Any size; the lower 32 bits are sent.
        packets_sent: RTP packets so far; the lower 32 bits are sent.
        payload_bytes_sent: Their bytes without headers; the lower 32 bits are sent.
        cname: Name of the sender, at most 255 bytes.
    """
    seconds, fraction = ntp_time(captured_at)
    mask = 0xFFFFFFFF
    report = struct.pack(
        "!BBHIIIIII",
        0x80,
        _SENDER_REPORT,
        6,
        ssrc,
        seconds,
        fraction,
        rtp_timestamp & mask,
        packets_sent & mask,
        payload_bytes_sent & mask,
    )
    name = cname.encode()
    chunk = struct.pack("!IBB", ssrc, _CNAME, len(name)) + name + b"\x00"
    chunk += b"\x00" * (-len(chunk) % 4)
    return report + struct.pack("!BBH", 0x81, _SOURCE_DESCRIPTION, len(chunk) // 4) + chunk


def ntp_time(moment: datetime) -> tuple[int, int]:
    """Return an aware time as NTP seconds since 1900 and 2^-32 fractions; wraps in 2036 as NTP does."""
    elapsed = moment - _NTP_EPOCH
    seconds = elapsed.days * 86_400 + elapsed.seconds
    return seconds & 0xFFFFFFFF, (elapsed.microseconds << 32) // 1_000_000
