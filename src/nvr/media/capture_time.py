"""When a packet's picture was captured: the camera's RTCP sender reports, else its arrival."""

import struct
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from nvr.events.schema import TimestampSource

if TYPE_CHECKING:
    import av

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WALLCLOCK_US = struct.Struct("=q")

PLAUSIBLE_SKEW = timedelta(hours=24)
"""A camera whose clock was never set sends 1970 or its build date: arrival is nearer to the truth than that."""


def capture_time(packet: "av.Packet[av.VideoStream]", arrived_at: datetime) -> tuple[datetime, TimestampSource]:
    """Return when the picture of a packet was captured, aware UTC, and how that is known.

    Args:
        packet: From an RTSP session it carries FFmpeg's producer reference time (`AVProducerReferenceTime`,
            microseconds since 1970) from the first sender report on.
        arrived_at: Aware UTC at which the packet was read.
    """
    if packet.has_sidedata("prft"):
        side_data = bytes(packet.get_sidedata("prft"))
        if len(side_data) >= _WALLCLOCK_US.size:
            captured_at = _EPOCH + timedelta(microseconds=_WALLCLOCK_US.unpack_from(side_data)[0])
            if abs(captured_at - arrived_at) < PLAUSIBLE_SKEW:
                return captured_at, "rtcp"
    return arrived_at, "arrival"
