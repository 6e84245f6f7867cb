"""How many frames a camera sends, or has decoded, per second: told right from its first frames on."""

from nvr.core.rate import RateMeter
from nvr.media.packet import MediaPacket


class FrameRate:
    """Frames per second over the last seconds. One thread counts, any may ask.

    A server that hands out the last GOP with each new connection sends two seconds of video in a few milliseconds:
    by arrival alone that would be a rate that no camera has.
    """

    def __init__(self) -> None:
        """Begin without a frame."""
        self._meter = RateMeter()
        self._session: int | None = None

    def count(self, packet: MediaPacket) -> None:
        """Note the frame of a packet."""
        if packet.session != self._session:  # its time stamps have nothing to do with those before
            self._session = packet.session
            self._meter.restart()
        # the rate of a file is that at which it is read
        self._meter.count(packet.received_s, None if packet.timestamp_source == "file" else packet.media_s)

    def per_second(self, now_s: float) -> float:
        """Return the rate at a monotonic time; 0 when no frame has come for five seconds."""
        return self._meter.per_second(now_s)
