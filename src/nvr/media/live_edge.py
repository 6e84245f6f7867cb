"""Tell whether a reader has fallen behind its camera."""

WAITED_MIN_S = 0.003
"""A read that took longer found nothing buffered: the reader is at the live edge."""


class LiveEdge:
    """Estimates how much video lies between the reader and the camera, in seconds.

    While the reader keeps up, its reads wait for the network, and the difference between arrival and media time at
    that moment is the base. Packets read without waiting come from a buffer; how much their difference exceeds the
    base is how old they are. The base is renewed by each read that waited, so a pause, a jump of the media time or a
    drifting clock heals by itself.
    """

    def __init__(self) -> None:
        self._base_s: float | None = None

    def lag_s(self, media_s: float, arrival_s: float, waited_s: float) -> float:
        """Return the lag of a packet.

        Args:
            media_s: Its presentation time in seconds.
            arrival_s: Monotonic seconds at which it was read.
            waited_s: How long the read took.
        """
        offset_s = arrival_s - media_s
        if self._base_s is None or waited_s >= WAITED_MIN_S:
            self._base_s = offset_s
            return 0.0
        self._base_s = min(self._base_s, offset_s)
        return offset_s - self._base_s
