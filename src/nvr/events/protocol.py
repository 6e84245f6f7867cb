"""Topics, both directions: from what a message is about to its topic, and back.

`{root}` is `nvr` for the default tenant and `nvr/{tenant}` for a named one.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from nvr.core.names import RESERVED_WORDS, check_name, check_tenant, is_name

ROOT = "nvr"
DEFAULT_DETECTIONS_PREFIX = "nvr/detections"


class TopicKind(StrEnum):
    """What a topic carries; the value is its path below the root, before the key."""

    DETECTIONS = "detections"
    TRACKS = "tracks"
    RECORDINGS = "recordings"
    ALERTS = "alerts"
    STATUS = "status"
    METRICS = "metrics"
    COMMANDS = "control/commands"
    ACK = "control/status"


_SOURCE_KINDS = frozenset({TopicKind.DETECTIONS, TopicKind.TRACKS, TopicKind.RECORDINGS})
_CANONICAL_INT = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class ParsedTopic:
    """What a topic says."""

    tenant: str | None
    """None for the default tenant."""
    kind: TopicKind
    key: str | None
    """Source, rule or instance; None for `control/commands`."""

    @property
    def source_id(self) -> int | None:
        """The source, where the key of this kind is one."""
        if self.kind not in _SOURCE_KINDS or self.key is None:
            return None
        return int(self.key)


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one tenant."""

    tenant: str | None = None

    def __post_init__(self) -> None:
        if self.tenant is not None:
            check_tenant(self.tenant)

    @property
    def root(self) -> str:
        """First level or levels of all topics of this tenant."""
        return ROOT if self.tenant is None else f"{ROOT}/{self.tenant}"

    def prefix(self, kind: TopicKind) -> str:
        """Return everything before the key of a kind of topic."""
        return f"{self.root}/{kind.value}"

    def detections(self, source_id: int) -> str:
        """Return where the DetectionEvents of a source are published."""
        return topic_for_source(source_id, self.prefix(TopicKind.DETECTIONS))

    def tracks(self, source_id: int) -> str:
        """Return where the TrackEvents of a source are published."""
        return topic_for_source(source_id, self.prefix(TopicKind.TRACKS))

    def recordings(self, source_id: int) -> str:
        """Return where the SegmentEvents of a source are published."""
        return topic_for_source(source_id, self.prefix(TopicKind.RECORDINGS))

    def alerts(self, rule_id: str) -> str:
        """Return where the alerts of a rule are published."""
        return f"{self.prefix(TopicKind.ALERTS)}/{check_name(rule_id, 'rule')}"

    def status(self, instance_id: str) -> str:
        """Return where the retained state of an instance stands."""
        return f"{self.prefix(TopicKind.STATUS)}/{check_name(instance_id, 'instance')}"

    def metrics(self, instance_id: str) -> str:
        """Return where an instance publishes its counters."""
        return f"{self.prefix(TopicKind.METRICS)}/{check_name(instance_id, 'instance')}"

    @property
    def commands(self) -> str:
        """Where commands are sent."""
        return self.prefix(TopicKind.COMMANDS)

    def ack(self, instance_id: str) -> str:
        """Return where an instance acknowledges commands."""
        return f"{self.prefix(TopicKind.ACK)}/{check_name(instance_id, 'instance')}/ack"

    def filter(self, kind: TopicKind) -> str:
        """Return the subscription that receives every topic of a kind of this tenant."""
        if kind is TopicKind.COMMANDS:
            return self.commands
        return f"{self.prefix(kind)}/+/ack" if kind is TopicKind.ACK else f"{self.prefix(kind)}/+"


def topic_for_source(source_id: int, prefix: str = DEFAULT_DETECTIONS_PREFIX) -> str:
    """Return the topic of a source below a prefix; a negative source raises ValueError."""
    if source_id < 0:
        raise ValueError(f"source id must not be negative, got {source_id}")
    return f"{prefix}/{source_id}"


def detections_prefix(tenant: str | None, override: str | None = None) -> str:
    """Return the topic of detections without the source id: `override` where given, else that of the tenant."""
    return Topics(tenant).prefix(TopicKind.DETECTIONS) if override is None else override.rstrip("/")


def parse_source_id_from_topic(topic: str) -> int | None:
    """Return the source that a topic ends with, or None where its last level is no source id.

    Only the form that `topic_for_source` writes counts: no sign, space, underscore or leading zero.
    """
    prefix, slash, last = topic.rpartition("/")
    if not slash or not prefix or not _CANONICAL_INT.fullmatch(last):
        return None
    return int(last)


def parse_topic(topic: str) -> ParsedTopic | None:
    """Return what a topic says, or None where it is none of ours."""
    root, _, path = topic.partition("/")
    if root != ROOT or not path:
        return None
    first, _, rest = path.partition("/")
    if first in RESERVED_WORDS:
        return _parse_below_root(None, path)
    if not is_name(first):
        return None
    return _parse_below_root(first, rest)


def _parse_below_root(tenant: str | None, path: str) -> ParsedTopic | None:
    if path == TopicKind.COMMANDS.value:
        return ParsedTopic(tenant, TopicKind.COMMANDS, None)
    levels = path.split("/")
    match levels:
        case ["control", "status", instance, "ack"] if is_name(instance):
            return ParsedTopic(tenant, TopicKind.ACK, instance)
        case [("detections" | "tracks" | "recordings") as kind, source] if _CANONICAL_INT.fullmatch(source):
            return ParsedTopic(tenant, TopicKind(kind), source)
        case [("alerts" | "status" | "metrics") as kind, key] if is_name(key):
            return ParsedTopic(tenant, TopicKind(kind), key)
        case _:
            return None
