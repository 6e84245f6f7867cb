"""When a camera is recorded, and where its recording is cut; pure."""

import math
from datetime import datetime, timedelta
from enum import StrEnum

from nvr.core.errors import ConfigurationError


class RecordingMode(StrEnum):
    """A reason to record; a camera has any number of them, none is `off`."""

    CONTINUOUS = "continuous"
    EVENTS = "events"
    ON_DEMAND = "on_demand"


Modes = frozenset[RecordingMode]

OFF: Modes = frozenset()


def parse_modes(text: str) -> Modes:
    """Return the modes that a setting names: `off`, or some of them joined by `+`, such as `continuous+events`.

    Raises:
        ConfigurationError: A word is none of them.
    """
    if text == "off":
        return OFF
    try:
        return frozenset(RecordingMode(word) for word in text.split("+"))
    except ValueError as error:
        known = ", ".join(RecordingMode)
        raise ConfigurationError(f"recording mode {text[:80]!r} is not off or some of {known} joined by '+'") from error


def modes_text(modes: Modes) -> str:
    """Return modes as a setting names them."""
    return "+".join(mode for mode in RecordingMode if mode in modes) or "off"


def next_boundary(start: datetime, segment_s: float) -> datetime:
    """Return when a segment is due to end: the next multiple of `segment_s` since midnight UTC, or midnight."""
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    whole = math.floor((start - midnight).total_seconds() / segment_s)
    return min(midnight + timedelta(seconds=(whole + 1) * segment_s), midnight + timedelta(days=1))
