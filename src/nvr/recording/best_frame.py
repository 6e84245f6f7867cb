"""Which frame of an event shows best what happened; pure."""

from dataclasses import dataclass
from datetime import datetime

from nvr.events.schema import Detection, DetectionEvent

LOOK_S = 3.0
"""So long after its first detection an event's best frame is chosen; what is seen later comes too late for an alert."""

OVER_S = 1.0
"""Without a detection for so long, the choice need not wait any longer."""

_EDGE = 0.005
"""A box that ends within this part of the frame from its edge is cut off there."""
_CUT_OFF = 0.5


@dataclass(frozen=True, slots=True)
class Candidate:
    """A frame and what is seen best in it."""

    captured_at: datetime
    score: float
    class_name: str
    confidence: float


def score(detection: Detection, width: int | None, height: int | None) -> float:
    """Return how well an object is seen: confidence times the part of the frame that its box fills, if it is whole.

    A box that the frame's edge cuts off counts half. Without the frame's size, areas are in pixels.
    """
    box = detection.bbox
    if width is None or height is None:
        return detection.confidence * box.width * box.height
    left, top, right, bottom = box.xyxy_px
    inside_width = max(0.0, min(right, width) - max(left, 0.0))
    inside_height = max(0.0, min(bottom, height) - max(top, 0.0))
    is_whole = (
        left > _EDGE * width and top > _EDGE * height and right < (1 - _EDGE) * width and bottom < (1 - _EDGE) * height
    )
    part = inside_width * inside_height / (width * height)
    return detection.confidence * part * (1.0 if is_whole else _CUT_OFF)


def candidate(event: DetectionEvent) -> Candidate | None:
    """Return the frame of an event with what is seen best in it; None where nothing is."""
    if not event.detections:
        return None
    scores = [score(detection, event.frame_width, event.frame_height) for detection in event.detections]
    best = max(range(len(scores)), key=scores.__getitem__)
    detection = event.detections[best]
    return Candidate(event.timestamp, scores[best], detection.class_name, detection.confidence)


class BestFrame:
    """The best frame of each event of one camera, chosen once; used by one thread at a time.

    Frames are compared by when their detections come, for the clock of a camera may differ from ours.
    """

    def __init__(self, quiet_s: float) -> None:
        """Prepare; an event is over when nothing was detected for `quiet_s`."""
        self.retune(quiet_s)
        self._best: Candidate | None = None
        self._is_chosen = False
        self._first_s = 0.0
        self._last_s: float | None = None

    def retune(self, quiet_s: float) -> None:
        """Let an event be over when nothing was detected for another time."""
        self._quiet_s = max(quiet_s, OVER_S)

    def note(self, found: Candidate, now_s: float) -> None:
        """Take note of a frame with detections, at a monotonic time."""
        if self._last_s is None or now_s - self._last_s >= self._quiet_s:
            self._best, self._is_chosen, self._first_s = None, False, now_s
        self._last_s = now_s
        if not self._is_chosen and (self._best is None or found.score > self._best.score):
            self._best = found

    def choose(self, now_s: float) -> Candidate | None:
        """Return the best frame once it is time; None before, and ever after until the next event."""
        if self._best is None or self._last_s is None or self._is_chosen:
            return None
        if now_s - self._first_s < LOOK_S and now_s - self._last_s < OVER_S:
            return None
        self._is_chosen = True
        return self._best
