"""What Home Assistant shows of one camera, from what was seen of it and how it does; pure, time is handed in.

What is not known is `null`, which Home Assistant shows as unknown: with `detect` off nobody can say that no person is
there. Whether something is there is told at once, figures at most once a second, rates each ten seconds.
"""

import json
from collections.abc import Iterable
from typing import Literal, TypeAlias

from pydantic import JsonValue

from nvr.control.home_assistant.naming import object_classes
from nvr.events.instance_status import CameraStatus
from nvr.events.schema import DetectionEvent
from nvr.events.track_event import TrackEvent

JsonObject: TypeAlias = dict[str, JsonValue]

FIGURES_S = 1.0
"""Counts follow each other no faster."""

RATES_S = 10.0
"""Frames per second and latency always differ a little: Home Assistant keeps each change in its database."""

REPEAT_S = 60.0
"""The state is told so often though nothing changed, so that it does not expire."""

SILENCE_S = 30.0
"""Longer without an event, and nobody knows what is there: even a quiet camera has one each 10 s."""

MAX_MOVING = 1024
"""Moving tracks that are remembered; the oldest go first, should their ends be lost."""

_AWAY = frozenset({"connecting", "stalled", "offline", "ended", "stopped"})
_UNWELL = frozenset({"degraded", "frozen", "black", "stalled", "offline"})

_SWITCH_KEYS = ("availability", "connectivity", "problem", "health", "detect", "record", "motion", "present")
_FIGURE_KEYS = ("count", "total")
_RATE_KEYS = ("fps", "latency_ms")

OnOff: TypeAlias = Literal["ON", "OFF"]


class CameraState:
    """One camera. Called from one thread, with one monotonic clock."""

    def __init__(self, classes: Iterable[str], off_delay_s: float) -> None:
        """Begin without knowing anything.

        Args:
            classes: Names of the classes that are told of one by one.
            off_delay_s: How long something counts as present after the last look that saw it.
        """
        self._classes = object_classes(classes)
        self._names = frozenset(each.name for each in self._classes)
        self._off_delay_s = off_delay_s
        self._status: CameraStatus | None = None
        self._event: DetectionEvent | None = None
        self._event_s = 0.0
        self._seen: frozenset[str] = frozenset()
        self._present_until_s: dict[str, float] = {}
        self._moving_tracks: dict[int, None] = {}
        self._is_moving = False
        self._moving_until_s = 0.0
        self._sleeps = False
        self._published: JsonObject | None = None
        self._figures_s = 0.0
        self._rates_s = 0.0
        self._published_s = 0.0

    def note_status(self, status: CameraStatus) -> None:
        """Take note of how the camera does."""
        if not _is_looking(status):
            self._forget_what_was_seen()
        self._status = status

    def note_event(self, event: DetectionEvent, now_s: float) -> None:
        """Take note of what was seen in a frame. What is held, or stands still, is as present as what moves."""
        seen = self._names & {detection.class_name for detection in event.detections}
        # what an event of a sleeping camera tells holds until the next one, any other only for its own frame
        before_s = now_s if self._event is not None and self._event.quiet else self._event_s
        for gone in self._seen - seen:
            self._present_until_s[gone] = before_s + self._off_delay_s
        is_moving = self._tells_motion(event)
        if self._is_moving and not is_moving:
            self._moving_until_s = self._event_s + self._off_delay_s
        self._sleeps = self._sleeps or event.quiet is True
        self._event, self._event_s, self._seen, self._is_moving = event, now_s, seen, is_moving

    def note_track(self, event: TrackEvent) -> None:
        """Take note of whether an object moves."""
        if event.kind == "end" or event.state != "moving":
            self._moving_tracks.pop(event.track_id, None)
            return
        self._moving_tracks[event.track_id] = None
        while len(self._moving_tracks) > MAX_MOVING:
            del self._moving_tracks[next(iter(self._moving_tracks))]

    def forget_published(self) -> None:
        """Tell everything anew with the next `take_due`: the broker or Home Assistant may have lost it."""
        self._published = None

    def take_due(self, now_s: float) -> JsonObject | None:
        """Return the state if it must be published now; None while there is nothing worth telling."""
        if self._status is None:
            return None
        state, before = self._view(self._status, now_s), self._published
        if before is None or now_s - self._published_s >= REPEAT_S:
            takes_figures = takes_rates = True
        else:
            has_switched = _differ(state, before, _SWITCH_KEYS)
            knows_otherwise = (state["total"] is None) != (before["total"] is None)
            takes_figures = _differ(state, before, _FIGURE_KEYS) and (
                has_switched or now_s - self._figures_s >= FIGURES_S
            )
            takes_rates = _differ(state, before, _RATE_KEYS) and (knows_otherwise or now_s - self._rates_s >= RATES_S)
            if not (has_switched or takes_figures or takes_rates):
                return None
            # what is not due stays as it was told, or each change of one thing would carry all others along
            state |= {} if takes_figures else {key: before[key] for key in _FIGURE_KEYS}
            state |= {} if takes_rates else {key: before[key] for key in _RATE_KEYS}
        self._published, self._published_s = state, now_s
        self._figures_s = now_s if takes_figures else self._figures_s
        self._rates_s = now_s if takes_rates else self._rates_s
        return state

    def _view(self, status: CameraStatus, now_s: float) -> JsonObject:
        event = self._event
        is_known = event is not None and _is_looking(status) and now_s - self._event_s <= SILENCE_S
        counts: dict[str, int | None] = {each.key: None for each in self._classes}
        present: dict[str, OnOff | None] = {each.key: None for each in self._classes}
        if event is not None and is_known:
            names = [detection.class_name for detection in event.detections]
            counts = {each.key: names.count(each.name) for each in self._classes}
            present = {each.key: _on_off(self._is_present(each.name, now_s)) for each in self._classes}
        return {
            "availability": "offline" if _is_away(status) else "online",
            "connectivity": _on_off(not _is_away(status)),
            "problem": _on_off(status.state in _UNWELL),
            # attributes of an entity; Home Assistant drops one that is called `state`
            "health": {"camera_state": status.state, "reason": status.reason},
            "detect": _on_off(status.is_detecting),
            "record": None if status.record_mode is None else _on_off(status.record_mode != "off"),
            "motion": _on_off(self._is_moving or now_s < self._moving_until_s) if is_known else None,
            "present": {**present},
            "count": {**counts},
            "total": len(event.detections) if event is not None and is_known else None,
            "fps": _rounded(event.fps, 1) if event is not None and is_known else None,
            "latency_ms": _rounded(event.latency_ms, 0) if event is not None and is_known else None,
        }

    def _is_present(self, class_name: str, now_s: float) -> bool:
        return class_name in self._seen or now_s < self._present_until_s.get(class_name, now_s)

    def _tells_motion(self, event: DetectionEvent) -> bool:
        if event.quiet:
            return False
        if self._sleeps:  # its decoder sleeps while nothing moves: awake says that something does, or just did
            return True
        return any(
            detection.class_name == "motion" or detection.tracker_id in self._moving_tracks
            for detection in event.detections
        )

    def _forget_what_was_seen(self) -> None:
        self._event = None
        self._seen = frozenset()
        self._present_until_s.clear()
        self._moving_tracks.clear()
        self._is_moving = False
        self._moving_until_s = 0.0


def to_bytes(state: JsonObject) -> bytes:
    """Return a state as it travels."""
    return json.dumps(state, ensure_ascii=False, separators=(",", ":")).encode()


def _is_away(status: CameraStatus) -> bool:
    return status.state in _AWAY or (status.state == "paused" and not status.fps)


def _is_looking(status: CameraStatus) -> bool:
    return status.is_detecting and not _is_away(status)


def _on_off(is_on: bool) -> OnOff:
    return "ON" if is_on else "OFF"


def _differ(state: JsonObject, before: JsonObject, keys: Iterable[str]) -> bool:
    return any(state[key] != before[key] for key in keys)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
