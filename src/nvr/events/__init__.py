"""The event protocol: what the messages look like and on which topics they travel."""

from nvr.events.protocol import Topics, parse_source_id_from_topic, parse_topic, topic_for_source
from nvr.events.schema import BoundingBox, Detection, DetectionEvent

__all__ = [
    "BoundingBox",
    "Detection",
    "DetectionEvent",
    "Topics",
    "parse_source_id_from_topic",
    "parse_topic",
    "topic_for_source",
]
