"""One client that plays: it begins with a key frame, and if it reads too slowly it loses frames, not others theirs."""

from collections.abc import Sequence
from typing import Protocol

from nvr.core.clock import Clock

MAX_BACKLOG_BYTES = 1 << 20
"""What may wait for a slow client over TCP: 4 s of 2 Mbit/s."""
MAX_STALL_S = 10.0
"""A client whose backlog stays above the limit for so long is cut off."""


class MediaSink(Protocol):
    """The way to one client; no method waits."""

    def send_rtp(self, packets: Sequence[bytes]) -> None:
        """Send the packets of one frame."""
        ...

    def send_rtcp(self, packet: bytes) -> None:
        """Send one RTCP packet."""
        ...

    def backlog_bytes(self) -> int:
        """Return how much waits to be sent."""
        ...

    def abort(self) -> None:
        """Cut the connection."""
        ...


class Player:
    """The state of one playing client; used in the server's loop only."""

    def __init__(self, sink: MediaSink, clock: Clock) -> None:
        self.sink = sink
        self._clock = clock
        self._needs_keyframe = True
        self._stalled_since_s: float | None = None
        self.has_report = False
        """Whether it got a sender report since it began."""
        self.frames_dropped = 0

    def require_keyframe(self) -> None:
        """Send nothing more until the next key frame."""
        self._needs_keyframe = True

    def wants(self, *, is_keyframe: bool) -> bool:
        """Tell whether the next frame is for this client; cuts it off when it has stalled for too long."""
        if self.sink.backlog_bytes() > MAX_BACKLOG_BYTES:
            self._note_stall()
            return False
        self._stalled_since_s = None
        if self._needs_keyframe and not is_keyframe:
            self.frames_dropped += 1
            return False
        self._needs_keyframe = False
        return True

    def _note_stall(self) -> None:
        self._needs_keyframe = True
        self.frames_dropped += 1
        now_s = self._clock.monotonic()
        if self._stalled_since_s is None:
            self._stalled_since_s = now_s
        elif now_s - self._stalled_since_s > MAX_STALL_S:
            self.sink.abort()
