"""What a tracker tells of an object."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One followed object, as it was believed to be at the tracker's last update."""

    track_id: int
    """Positive; unique for the camera over restarts, below 2**53."""
    xyxy_px: NDArray[np.float32]
    """(4,) left, top, right, bottom in pixels of the source frame, smoothed; predicted while it is lost."""
    velocity_px_s: NDArray[np.float32]
    """(2,) of the centre, to the right and down."""
    confidence: float
    """Of its last detection, 0..1."""
    class_id: int
    """The class with the largest sum of confidences so far."""
    class_votes: Mapping[int, float] = field(repr=False)
    """That sum by class id."""
    is_confirmed: bool
    """Seen often enough to be told to others."""
    is_lost: bool
    """Looked for in vain since it was seen last."""
    hits: int
    """Detections that it has had."""
    first_seen_s: float
    """Time of capture of its first detection."""
    last_seen_s: float
    """The same of its latest."""
