"""What a processor asks of whatever records its cameras; `nvr.app` joins the two."""

from typing import Protocol

from nvr.events.schema import DetectionEvent
from nvr.media.packet_ring import PacketRing


class CameraRecorder(Protocol):
    """Records cameras from their rings: `nvr.recording.service.RecordingService` is one. Only `stop` waits."""

    def start(self) -> None:
        """Begin, in the background; cameras follow."""
        ...

    def add_camera(self, source_id: int, ring: PacketRing, mode: str | None = None) -> None:
        """Record a camera from now on, as `mode` says; None for the usual mode."""
        ...

    def remove_camera(self, source_id: int, timeout_s: float = 1.0) -> bool:
        """Finish what is recorded of a camera and forget it; False if that takes longer."""
        ...

    def set_mode(self, source_id: int, mode: str | None) -> None:
        """Record a camera as another mode says; None for the usual one."""
        ...

    def rename(self, instance_id: str) -> None:
        """Announce what is recorded under another name of the processor."""
        ...

    def note_detections(self, event: DetectionEvent) -> None:
        """Take note of what was seen in a frame."""
        ...

    def troubles(self, source_id: int) -> tuple[str, ...]:
        """Return in words what keeps a camera from being recorded; empty while nothing does."""
        ...

    def request_stop(self) -> None:
        """Let everything be finished and ended, without waiting."""
        ...

    def stop(self, timeout_s: float) -> bool:
        """Wait for that; False if it takes longer."""
        ...
