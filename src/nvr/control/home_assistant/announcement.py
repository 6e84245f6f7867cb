"""What the broker holds of an announcement: whose it is and which entities it has; pure.

Each instance reads what it and others have announced, so that a camera that moved to another instance is not taken
away by the one that had it, and entities that are not wanted any more are.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nvr.control.home_assistant.discovery import ORIGIN_NAME

MAX_ANNOUNCEMENT_BYTES = 256 * 2**10
"""A camera with hundreds of classes takes less; more is none of ours."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """What is known of the announcement of one device."""

    status_topic: str
    """Where the instance that made it tells its state."""
    platforms: Mapping[str, str]
    """Platform of each entity by its key, without those that it only removes."""


def read_announcement(payload: bytes) -> Announcement | None:
    """Return what an announcement says; None where it is empty, broken, or not made by a program like this."""
    if not payload or len(payload) > MAX_ANNOUNCEMENT_BYTES:
        return None
    try:
        document: Any = json.loads(payload)
        if document["origin"]["name"] != ORIGIN_NAME:
            return None
        status_topic = document["availability"][0]["topic"]
        platforms = {
            key: component["platform"] for key, component in document["components"].items() if len(component) > 1
        }
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return None
    if not all(isinstance(text, str) for text in (status_topic, *platforms.values())):
        return None
    return Announcement(status_topic, platforms)
