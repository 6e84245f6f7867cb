"""Topics, both directions: from what a message is about to its topic, and back.

`{root}` is `nvr` for the default tenant and `nvr/{tenant}` for a named one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from nvr.core.names import RESERVED_WORDS, check_name, check_tenant, is_name
from nvr.events.message import MAX_INT64

ROOT = "nvr"
DEFAULT_DETECTIONS_PREFIX = "nvr/detections"

_HOME_ASSISTANT = "homeassistant"

SwitchName = Literal["detect", "record"]
"""What Home Assistant may switch of a camera."""


class TopicKind(StrEnum):
    """What a topic carries; the value is its path below the root, without the key."""

    DETECTIONS = "detections"
    TRACKS = "tracks"
    RECORDINGS = "recordings"
    ALERTS = "alerts"
    STATUS = "status"
    METRICS = "metrics"
    COMMANDS = "control/commands"
    ACK = "control/status"
    HOME_ASSISTANT_STATE = "homeassistant/state"
    HOME_ASSISTANT_SNAPSHOT = "homeassistant/snapshot"
    HOME_ASSISTANT_SET_DETECT = "homeassistant/set/detect"
    HOME_ASSISTANT_SET_RECORD = "homeassistant/set/record"

    @property
    def key_name(self) -> Literal["source_id", "rule_id", "instance_id"] | None:
        """What the key of such a topic names; None for `control/commands`, which has none."""
        match self:
            case TopicKind.DETECTIONS | TopicKind.TRACKS | TopicKind.RECORDINGS:
                return "source_id"
            case TopicKind.ALERTS:
                return "rule_id"
            case TopicKind.COMMANDS:
                return None
            case TopicKind.STATUS | TopicKind.METRICS | TopicKind.ACK:
                return "instance_id"
            case _:
                return "source_id"

    @property
    def before_key(self) -> str:
        """The levels below the root before the key."""
        return _HOME_ASSISTANT if self.is_for_home_assistant else self.value

    @property
    def after_key(self) -> str:
        """What follows the key, with its slash; empty for most."""
        if self is TopicKind.ACK:
            return "/ack"
        return self.value.removeprefix(_HOME_ASSISTANT) if self.is_for_home_assistant else ""

    @property
    def template(self) -> str:
        """The topic below the root, its key in braces: `detections/{source_id}`."""
        key = "" if self.key_name is None else f"/{{{self.key_name}}}"
        return f"{self.before_key}{key}{self.after_key}"

    @property
    def qos(self) -> Literal[0, 1]:
        """The QoS to publish with: what is soon followed by a newer one may be lost, all else arrives."""
        return 0 if self in {TopicKind.DETECTIONS, TopicKind.METRICS, TopicKind.HOME_ASSISTANT_SNAPSHOT} else 1

    @property
    def is_retained(self) -> bool:
        """Whether the broker keeps the last message for those who subscribe later."""
        return self in {TopicKind.STATUS, TopicKind.HOME_ASSISTANT_STATE}

    @property
    def is_for_home_assistant(self) -> bool:
        """Whether it carries what Home Assistant wants, which is no message of `nvr.events`."""
        return self.value.startswith(f"{_HOME_ASSISTANT}/")


SWITCH_KINDS: Mapping[SwitchName, TopicKind] = {
    "detect": TopicKind.HOME_ASSISTANT_SET_DETECT,
    "record": TopicKind.HOME_ASSISTANT_SET_RECORD,
}

_NOT_IN_TOPICS = frozenset("+#\0")
_HOME_ASSISTANT_KINDS = {kind.after_key[1:]: kind for kind in TopicKind if kind.is_for_home_assistant}
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
        if self.kind.key_name != "source_id" or self.key is None:
            return None
        return _source_id(self.key)


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
        return f"{self.root}/{kind.before_key}"

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
        return f"{self.prefix(TopicKind.ACK)}/{check_name(instance_id, 'instance')}{TopicKind.ACK.after_key}"

    def home_assistant_state(self, source_id: int) -> str:
        """Return where the retained state of a camera stands for Home Assistant."""
        return self._of_source(TopicKind.HOME_ASSISTANT_STATE, source_id)

    def home_assistant_snapshot(self, source_id: int) -> str:
        """Return where small pictures of a camera are published, if at all."""
        return self._of_source(TopicKind.HOME_ASSISTANT_SNAPSHOT, source_id)

    def home_assistant_set(self, source_id: int, switch: SwitchName) -> str:
        """Return where Home Assistant asks to switch something of a camera on or off."""
        return self._of_source(SWITCH_KINDS[switch], source_id)

    def filter(self, kind: TopicKind) -> str:
        """Return the subscription that receives every topic of a kind of this tenant."""
        return self.commands if kind.key_name is None else f"{self.prefix(kind)}/+{kind.after_key}"

    def _of_source(self, kind: TopicKind, source_id: int) -> str:
        return topic_for_source(source_id, self.prefix(kind)) + kind.after_key


def topic_for_source(source_id: int, prefix: str = DEFAULT_DETECTIONS_PREFIX) -> str:
    """Return the topic of a source below a prefix.

    Raises:
        ValueError: The source is negative or needs more than 64 bits, or nobody may publish below the prefix.
    """
    if not 0 <= source_id <= MAX_INT64:
        raise ValueError(f"source id must be 0 to {MAX_INT64}, got {source_id}")
    if not prefix or not _NOT_IN_TOPICS.isdisjoint(prefix):
        raise ValueError(f"topic prefix must not be empty nor hold '+', '#' or NUL, got {prefix[:80]!r}")
    return f"{prefix}/{source_id:d}"


def detections_prefix(tenant: str | None, override: str | None = None) -> str:
    """Return the topic of detections without the source id: `override` where given, else that of the tenant."""
    return Topics(tenant).prefix(TopicKind.DETECTIONS) if override is None else override.rstrip("/")


def parse_source_id_from_topic(topic: str) -> int | None:
    """Return the source that a topic ends with, or None where its last level is no source id.

    Only the form that `topic_for_source` writes counts: no sign, space, underscore or leading zero.
    """
    prefix, slash, last = topic.rpartition("/")
    if not slash or not prefix:
        return None
    return _source_id(last)


def _source_id(level: str) -> int | None:
    if not _CANONICAL_INT.fullmatch(level):
        return None
    source_id = int(level)
    return source_id if source_id <= MAX_INT64 else None


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
        case [("detections" | "tracks" | "recordings") as kind, source] if _source_id(source) is not None:
            return ParsedTopic(tenant, TopicKind(kind), source)
        case [("alerts" | "status" | "metrics") as kind, key] if is_name(key):
            return ParsedTopic(tenant, TopicKind(kind), key)
        case ["homeassistant", source, *rest] if _source_id(source) is not None:
            kind_of_rest = _HOME_ASSISTANT_KINDS.get("/".join(rest))
            return None if kind_of_rest is None else ParsedTopic(tenant, kind_of_rest, source)
        case _:
            return None
