"""When a track begins, is told and ends. The defaults were chosen by `bench/tracking.py`, the same for all videos."""

from dataclasses import dataclass

from nvr.core.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class TrackerOptions:
    """Confidences are those of detections, 0..1."""

    high_confidence: float = 0.5
    """Surer detections choose their tracks first, and only they begin one."""
    min_overlap: float = 0.1
    """IoU of prediction and detection, both grown by how uncertain the prediction is, that makes them one."""
    other_class_overlap: float = 0.6
    """The same for a detection of another class: a class that flickers keeps its box, a person at a car does not."""
    twin_overlap: float = 0.8
    """A detection that covers a surer one so far, as one of another class may, begins no track."""
    confirmed_after: int = 2
    """Detections until a track is told to others, if it is also sure and was seen whole."""
    sure_confidence: float = 0.6
    """Mean of its detections at which a track is sure; a weaker one is, once it has moved by its own height."""
    cut_off_s: float = 2.0
    """What the frame's upper edge cuts off in every look is confirmed so much later: hands, leaves and insects come
    from there; people who are near to a camera are cut off below."""
    lost_s: float = 2.0
    """Seconds that a confirmed track is looked for in vain before it ends."""
    tentative_s: float = 0.5
    """The same for one that is not confirmed."""
    max_gap_s: float = 10.0
    """Tracks end where a camera told nothing for longer, or its time went back further."""
    max_tracks: int = 256
    """While so many live, no further one begins."""
    max_detections: int = 512
    """Of the detections of one frame the surest are used, the rest gets no id: all are compared with all tracks."""

    def __post_init__(self) -> None:
        for name in ("high_confidence", "min_overlap", "other_class_overlap", "twin_overlap", "sure_confidence"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigurationError(f"{name}: expected 0..1, got {getattr(self, name)}")
        for name in ("cut_off_s", "lost_s", "tentative_s", "max_gap_s"):
            if not getattr(self, name) >= 0:
                raise ConfigurationError(f"{name}: expected seconds from 0, got {getattr(self, name)}")
        for name in ("confirmed_after", "max_tracks", "max_detections"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name}: expected 1 or more, got {getattr(self, name)}")
