"""What a tracker remembers of one track beside its motion, and when it is sure of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from nvr.tracking.tracker_options import TrackerOptions

_EDGE = 0.01
"""What comes so near to the upper edge, as a share of the frame's height, is cut off by it."""
_SMOOTHING = 0.2
"""Weight of the newest detection in the mean confidence, once there are five."""
_LONGEST_MISS_S = 1.0
"""What one look in vain counts at most: it may come long after the last."""


@dataclass(slots=True)
class LiveTrack:
    """A track that has not ended."""

    track_id: int
    first_seen_s: float
    last_seen_s: float
    looked_for_s: float
    """When it was seen or missed last."""
    confidence: float = 0.0
    """Of its last detection."""
    hits: int = 0
    missed_s: float = 0.0
    """How long it has been looked for in vain."""
    is_lost: bool = False
    is_confirmed: bool = False
    class_votes: dict[int, float] = field(default_factory=dict)
    """Sum of confidences by class id."""
    _mean_confidence: float = 0.0
    _start_px: tuple[float, float] | None = None
    _has_moved: bool = False
    _was_whole: bool = False

    @classmethod
    def begin(cls, track_id: int, captured_s: float) -> "LiveTrack":
        """Return a track that will be seen for the first time."""
        return cls(track_id, captured_s, captured_s, captured_s)

    @property
    def class_id(self) -> int:
        """The class with the most votes, of equals the smallest."""
        return max(self.class_votes, key=lambda class_id: (self.class_votes[class_id], -class_id))

    def see(
        self,
        xyxy_px: Sequence[float],
        confidence: float,
        class_id: int,
        captured_s: float,
        *,
        height_px: int | None,
        options: TrackerOptions,
    ) -> None:
        """Take a detection; `height_px` is that of the frame, None where it is not known."""
        self.first_seen_s = min(self.first_seen_s, captured_s)
        self.last_seen_s = max(self.last_seen_s, captured_s)
        self.looked_for_s = captured_s
        self.confidence = confidence
        self.class_votes[class_id] = self.class_votes.get(class_id, 0.0) + confidence
        self.hits += 1
        self.missed_s, self.is_lost = 0.0, False
        if not self.is_confirmed:
            self._weigh(xyxy_px, height_px)
            self.is_confirmed = self._is_to_be_told(options)

    def miss(self, captured_s: float) -> None:
        """Take that it was looked for and not seen."""
        self.missed_s += min(abs(captured_s - self.looked_for_s), _LONGEST_MISS_S)
        self.looked_for_s = captured_s
        self.is_lost = True

    def is_over(self, options: TrackerOptions) -> bool:
        """Return whether it was looked for long enough."""
        return self.missed_s > (options.lost_s if self.is_confirmed else options.tentative_s)

    def _weigh(self, xyxy_px: Sequence[float], height_px: int | None) -> None:
        left, top, right, bottom = xyxy_px
        centre = ((left + right) / 2, (top + bottom) / 2)
        self._start_px = self._start_px or centre
        self._has_moved |= math.dist(centre, self._start_px) >= bottom - top
        self._mean_confidence += (self.confidence - self._mean_confidence) * max(1 / self.hits, _SMOOTHING)
        self._was_whole |= height_px is None or top > _EDGE * height_px

    def _is_to_be_told(self, options: TrackerOptions) -> bool:
        return (
            self.hits >= options.confirmed_after
            and (self._has_moved or self._mean_confidence >= options.sure_confidence)
            and (self._was_whole or self.last_seen_s - self.first_seen_s >= options.cut_off_s)
        )
