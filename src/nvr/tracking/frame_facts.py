"""What must be known of a frame to tell of the tracks in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from nvr.events.schema import TimestampSource


@dataclass(frozen=True, slots=True)
class FrameFacts:
    """The frame that a tracker was updated with."""

    frame_id: int
    captured_at: datetime
    """Aware."""
    captured_s: float
    """The time of the same capture that the tracker was told."""
    size_px: tuple[int, int]
    """Width and height of the source frame."""
    model_id: str
    class_names: Sequence[str]
    """Names by class id; an id beyond them is named by its number."""
    timestamp_source: TimestampSource | None = None

    def class_name(self, class_id: int) -> str:
        """Return the name of a class."""
        return self.class_names[class_id] if 0 <= class_id < len(self.class_names) else str(class_id)

    def at(self, time_s: float) -> datetime:
        """Return the wall time of a moment that is not after this frame, from the tracker's time of it."""
        elapsed_s = self.captured_s - time_s
        return self.captured_at - timedelta(seconds=elapsed_s) if elapsed_s > 0 else self.captured_at
