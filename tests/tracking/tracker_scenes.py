"""Boxes that move as objects do, for the tests of the tracker."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from nvr.tracking.tracker import Tracker

Box = Sequence[float]

PERSON, CAR, TRUCK = 0, 2, 7


def arrays(
    boxes: Iterable[Box], confidence: float | Sequence[float] = 0.8, class_id: int | Sequence[int] = PERSON
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
    """Return detections as the detector does."""
    xyxy_px = np.array(list(boxes), np.float32).reshape(-1, 4)
    n = len(xyxy_px)
    return (
        xyxy_px,
        np.broadcast_to(np.asarray(confidence, np.float32), n).copy(),
        np.broadcast_to(np.asarray(class_id, np.int32), n).copy(),
    )


def person_at(x: float, y: float = 100.0, height: float = 100.0) -> Box:
    """Return the box of someone whose centre is `x`."""
    return (x - height / 4, y, x + height / 4, y + height)


def walk(
    tracker: Tracker,
    times_s: Iterable[float],
    *,
    from_px: float = 100.0,
    speed_px_s: float = 80.0,
    confidence: float = 0.8,
    class_id: int = PERSON,
) -> list[int]:
    """Let one object walk to the right; return its id in each frame."""
    return [
        int(tracker.update(*arrays([person_at(from_px + speed_px_s * t)], confidence, class_id), t)[0]) for t in times_s
    ]


def look(tracker: Tracker, captured_s: float, *boxes: Box) -> list[int]:
    """Show boxes of persons; return their ids."""
    return tracker.update(*arrays(boxes), captured_s).tolist()  # type: ignore[no-any-return]  # numpy's tolist
