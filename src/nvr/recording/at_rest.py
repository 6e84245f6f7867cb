"""Which objects are no news, since they stand where they stood: else a parked car would be one endless event; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from nvr.events.schema import Detection, DetectionEvent

REST = timedelta(seconds=3)
"""What was seen in the same place for so long is at rest."""

FORGET = timedelta(seconds=60)
"""What was not seen for so long is news when it is seen again; a whole picture is looked at every 10 s."""

SAME_IOU = 0.6
"""Boxes of one class that overlap so much are one object in one place: detectors tremble less, and who walks is
elsewhere within a second."""

MAX_PLACES = 64
"""Of one camera; of more, those that were not seen for longest are forgotten."""


@dataclass(slots=True)
class _Place:
    class_name: str
    xyxy_px: tuple[float, float, float, float]
    since: datetime
    seen: datetime


class AtRest:
    """The places of one camera in which something stands; times are those of the frames. For one thread at a time.

    Tracks are not asked for: what is too weak to be tracked may be parked as well.
    """

    def __init__(self) -> None:
        self._places: list[_Place] = []

    def news(self, event: DetectionEvent) -> tuple[Detection, ...]:
        """Return what is seen in a frame and is not at rest; what was held, since nothing moved there, is none."""
        at = event.timestamp
        self._places = [place for place in self._places if abs(at - place.seen) <= FORGET]
        news = tuple(detection for detection in event.detections if self._is_news(detection, at))
        if len(self._places) > MAX_PLACES:
            self._places = sorted(self._places, key=lambda place: place.seen)[-MAX_PLACES:]
        return news

    def _is_news(self, detection: Detection, at: datetime) -> bool:
        place = self._place_of(detection)
        if place is None:
            self._places.append(_Place(detection.class_name, detection.bbox.xyxy_px, at, at))
            return not detection.held
        place.seen = max(place.seen, at)
        return not detection.held and at - place.since < REST

    def _place_of(self, detection: Detection) -> _Place | None:
        box = detection.bbox.xyxy_px
        return next(
            (
                place
                for place in self._places
                if place.class_name == detection.class_name and _iou(place.xyxy_px, box) >= SAME_IOU
            ),
            None,
        )


def _iou(one: Sequence[float], other: Sequence[float]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    common = width * height
    return common / ((one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - common)
