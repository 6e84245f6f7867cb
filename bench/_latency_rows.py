"""From what three programs wrote down to how old a box is when it is first on the wall. Pure."""

import bisect
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from bench._rows import Row

MAX_P95_MS = 200.0
MIN_RATE_SHARE = 0.9
"""Of the detections per second and camera at which the latency is promised."""
MAX_UNREAD_PERCENT = 1.0
MAX_NOT_SHOWN_PERCENT = 1.0

Line = Mapping[str, Any]
"""One line of JSON, as `_latency_processor.py` and `_latency_wall.py` describe them."""


class Captures:
    """When the simulator captured which frame. Numbers start again with each round of a camera's loop."""

    def __init__(self, truth: Iterable[Line]) -> None:
        """Read the lines of a truth log."""
        self._times_s: dict[tuple[int, int], list[float]] = defaultdict(list)
        for line in truth:
            captured_at = datetime.fromisoformat(line["captured_at"])
            self._times_s[line["camera"], line["frame_number"]].append(captured_at.timestamp())

    def last_before(self, camera: int, number: int | None, moment_s: float) -> float | None:
        """Return when a frame that was seen at a moment had been captured; None where that is not known."""
        if number is None:
            return None
        times_s = self._times_s.get((camera, number), [])
        index = bisect.bisect_left(times_s, moment_s)
        return times_s[index - 1] if index else None


@dataclass(frozen=True, slots=True)
class Sighting:
    """One analysed frame whose number could be read. Moments are seconds since 1970 of this machine's clock."""

    source_id: int
    captured_at_s: float
    """By the truth of the simulator."""
    timestamp_s: float
    """What the event says of it."""
    made_at_s: float
    """When the event was made."""
    shown_at_s: float | None
    """When its boxes were first in a finished picture of the wall; None: never."""
    picture_captured_at_s: float | None
    """Of the frame that the boxes were drawn on; None where its number could not be read."""
    inference_ms: float
    """Of the batch it was in."""
    n_boxes: int


@dataclass(frozen=True, slots=True)
class Span:
    """The part of a run that counts."""

    start_s: float
    end_s: float

    def has(self, moment_s: float) -> bool:
        """Tell whether a moment lies in it."""
        return self.start_s <= moment_s < self.end_s


def join(captures: Captures, analysed: Iterable[Line], shown: Iterable[Line], span: Span) -> tuple[list[Sighting], int]:
    """Return the frames that were analysed in a span, and of how many more the number could not be read."""
    shown_by_frame = {(line["source_id"], line["frame_id"]): line for line in shown}
    sightings, n_unread = [], 0
    for line in analysed:
        if not span.has(line["made_at_s"]):
            continue
        source_id = line["source_id"]
        captured_at_s = captures.last_before(source_id, line["number"], line["made_at_s"])
        if captured_at_s is None:
            n_unread += 1
            continue
        on_wall = shown_by_frame.get((source_id, line["frame_id"]))
        picture_s = None
        if on_wall is not None:
            picture_s = captures.last_before(source_id, on_wall["picture_number"], on_wall["shown_at_s"])
        sightings.append(
            Sighting(
                source_id=source_id,
                captured_at_s=captured_at_s,
                timestamp_s=line["timestamp_s"],
                made_at_s=line["made_at_s"],
                shown_at_s=None if on_wall is None else on_wall["shown_at_s"],
                picture_captured_at_s=picture_s,
                inference_ms=line["inference_ms"],
                n_boxes=line["n_boxes"],
            )
        )
    return sightings, n_unread


def judge(sightings: Sequence[Sighting], n_unread: int, span: Span, n_cameras: int, rate: float) -> list[Row]:
    """Return the figures; `rate` is how many frames of each camera should be analysed in a second."""
    with_boxes = [sighting for sighting in sightings if sighting.n_boxes]
    shown = [(sighting, sighting.shown_at_s) for sighting in with_boxes if sighting.shown_at_s is not None]
    box_ms = [(shown_at_s - sighting.captured_at_s) * 1e3 for sighting, shown_at_s in shown]
    parts = {
        "capture_to_event": [(sighting.made_at_s - sighting.captured_at_s) * 1e3 for sighting in sightings],
        "event_to_box": [(shown_at_s - sighting.made_at_s) * 1e3 for sighting, shown_at_s in shown],
        "inference": [sighting.inference_ms for sighting in sightings],
        "capture_to_picture": [
            (shown_at_s - sighting.picture_captured_at_s) * 1e3
            for sighting, shown_at_s in shown
            if sighting.picture_captured_at_s is not None
        ],
        "timestamp_error": [abs(sighting.timestamp_s - sighting.captured_at_s) * 1e3 for sighting in sightings],
    }
    rows = []
    if box_ms:
        p95_ms = _percentile(box_ms, 95)
        rows += [
            Row("latency.capture_to_box.p50", _percentile(box_ms, 50), "ms"),
            Row("latency.capture_to_box.p95", p95_ms, "ms", f"< {MAX_P95_MS:g}", None, p95_ms < MAX_P95_MS),
            Row("latency.capture_to_box.max", _percentile(box_ms, 100), "ms"),
        ]
    for name, values in parts.items():
        rows += [Row(f"latency.{name}.p{share}", _percentile(values, share), "ms") for share in (50, 95) if values]
    return rows + _condition_rows(sightings, n_unread, span, n_cameras, rate)


def _condition_rows(sightings: Sequence[Sighting], n_unread: int, span: Span, n_cameras: int, rate: float) -> list[Row]:
    """Return under which conditions the latency was measured: one without load or without bad cases is none."""
    with_boxes = [sighting for sighting in sightings if sighting.n_boxes]
    seconds = span.end_s - span.start_s
    rates = [sum(sighting.source_id == source_id for sighting in sightings) / seconds for source_id in range(n_cameras)]
    least, least_allowed = round(min(rates), 2), rate * MIN_RATE_SHARE
    unread = _percent(n_unread, n_unread + len(sightings))
    not_shown = _percent(sum(sighting.shown_at_s is None for sighting in with_boxes), len(with_boxes))
    return [
        Row("latency.frames_with_boxes", len(with_boxes), "", "> 0", None, len(with_boxes) > 0),
        Row("latency.least_rate", least, "1/s", f">= {least_allowed:g}", None, least >= least_allowed),
        Row("latency.unread", unread, "%", f"< {MAX_UNREAD_PERCENT:g}", None, unread < MAX_UNREAD_PERCENT),
        Row(
            "latency.not_shown", not_shown, "%", f"< {MAX_NOT_SHOWN_PERCENT:g}", None, not_shown < MAX_NOT_SHOWN_PERCENT
        ),
    ]


def _percentile(values: Sequence[float], share: int) -> float:
    return round(float(np.percentile(values, share)), 1)


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 2) if whole else 100.0
