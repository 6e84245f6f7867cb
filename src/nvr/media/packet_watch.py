"""Weigh a camera's packets while nothing is decoded: does one of them say that something moves?"""

from nvr.media.packet import MediaPacket


class PacketWatch:
    """One camera's packets in order; used by one thread."""

    def __init__(self) -> None:
        """Begin knowing nothing of the camera."""

    @property
    def is_usable(self) -> bool:
        """Whether the weight of this camera's packets tells motion."""
        return False

    def restart(self) -> None:
        """Begin anew, after a new connection."""

    def note(self, packet: MediaPacket, *, is_quiet: bool) -> bool:
        """Take a packet; True where it says that something began to move.

        Args:
            packet: Of the video, in order.
            is_quiet: Whether nothing is known to move: what is quiet is learnt from these packets only.
        """
        del packet, is_quiet
        return False
