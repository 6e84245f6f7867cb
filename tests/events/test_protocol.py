import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.core.errors import ConfigurationError
from nvr.core.names import DEFAULT_TENANT_FOLDER, RESERVED_WORDS
from nvr.events.message import MAX_INT64
from nvr.events.protocol import (
    ParsedTopic,
    TopicKind,
    Topics,
    parse_source_id_from_topic,
    parse_topic,
    topic_for_source,
)

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", fullmatch=True)
tenants = st.none() | names.filter(lambda name: name not in RESERVED_WORDS | {DEFAULT_TENANT_FOLDER})
source_ids = st.integers(0, MAX_INT64)

HOSTILE_NAMES = [
    "",
    "+",
    "#",
    "a/b",
    "a b",
    "/",
    "ä",
    "\u0663",
    "\uff11",
    "a\x00",
    "a\n",
    "-a",
    ".a",
    "$SYS",
    "a" * 64,
    "a" * 10**6,
]


def topic_of(tenant: str | None, kind: TopicKind, source_id: int, name: str) -> tuple[str, str | None]:
    topics = Topics(tenant)
    writers: dict[TopicKind, tuple[str, str | None]] = {
        TopicKind.DETECTIONS: (topics.detections(source_id), str(source_id)),
        TopicKind.TRACKS: (topics.tracks(source_id), str(source_id)),
        TopicKind.RECORDINGS: (topics.recordings(source_id), str(source_id)),
        TopicKind.COMMANDS: (topics.commands, None),
        TopicKind.HOME_ASSISTANT_STATE: (topics.home_assistant_state(source_id), str(source_id)),
        TopicKind.HOME_ASSISTANT_SNAPSHOT: (topics.home_assistant_snapshot(source_id), str(source_id)),
        TopicKind.HOME_ASSISTANT_SET_DETECT: (topics.home_assistant_set(source_id, "detect"), str(source_id)),
        TopicKind.HOME_ASSISTANT_SET_RECORD: (topics.home_assistant_set(source_id, "record"), str(source_id)),
    }
    if kind in writers:
        return writers[kind]
    named = {
        TopicKind.ALERTS: topics.alerts,
        TopicKind.STATUS: topics.status,
        TopicKind.METRICS: topics.metrics,
        TopicKind.ACK: topics.ack,
    }
    return named[kind](name), name


def matches(topic_filter: str, topic: str) -> bool:
    """Tell whether a subscription with `+` receives a topic (MQTT 3.1.1, 4.7.1.3)."""
    levels, wanted = topic.split("/"), topic_filter.split("/")
    return len(levels) == len(wanted) and all(w in ("+", level) for w, level in zip(wanted, levels, strict=True))


@pytest.mark.parametrize(
    ("topic", "kind", "qos", "is_retained"),
    [
        ("detections/{source_id}", TopicKind.DETECTIONS, 0, False),
        ("tracks/{source_id}", TopicKind.TRACKS, 1, False),
        ("recordings/{source_id}", TopicKind.RECORDINGS, 1, False),
        ("alerts/{rule_id}", TopicKind.ALERTS, 1, False),
        ("status/{instance_id}", TopicKind.STATUS, 1, True),
        ("metrics/{instance_id}", TopicKind.METRICS, 0, False),
        ("control/commands", TopicKind.COMMANDS, 1, False),
        ("control/status/{instance_id}/ack", TopicKind.ACK, 1, False),
        ("homeassistant/{source_id}/state", TopicKind.HOME_ASSISTANT_STATE, 1, True),
        ("homeassistant/{source_id}/snapshot", TopicKind.HOME_ASSISTANT_SNAPSHOT, 0, False),
        ("homeassistant/{source_id}/set/detect", TopicKind.HOME_ASSISTANT_SET_DETECT, 1, False),
        ("homeassistant/{source_id}/set/record", TopicKind.HOME_ASSISTANT_SET_RECORD, 1, False),
    ],
)
def test_topics_are_those_of_the_architecture(topic: str, kind: TopicKind, qos: int, is_retained: bool) -> None:
    assert (kind.template, kind.qos, kind.is_retained) == (topic, qos, is_retained)


def test_the_default_tenant_has_no_level_and_a_named_one_has() -> None:
    assert Topics().detections(3) == "nvr/detections/3"
    assert Topics("acme").detections(3) == "nvr/acme/detections/3"
    assert Topics().commands == "nvr/control/commands"
    assert Topics("acme").ack("gate") == "nvr/acme/control/status/gate/ack"


@given(tenant=tenants, kind=st.sampled_from(TopicKind), source_id=source_ids, name=names)
def test_every_topic_returns_to_what_it_was_made_from(
    tenant: str | None, kind: TopicKind, source_id: int, name: str
) -> None:
    topic, key = topic_of(tenant, kind, source_id, name)
    parsed = parse_topic(topic)
    assert parsed == ParsedTopic(tenant, kind, key)
    assert parsed.source_id == (source_id if kind.key_name == "source_id" else None)


@given(tenant=tenants, other=tenants, kind=st.sampled_from(TopicKind), source_id=source_ids, name=names)
def test_a_filter_receives_its_kind_and_tenant_only(
    tenant: str | None, other: str | None, kind: TopicKind, source_id: int, name: str
) -> None:
    topic, _ = topic_of(tenant, kind, source_id, name)
    for each_tenant in {tenant, other}:
        for each_kind in TopicKind:
            is_received = matches(Topics(each_tenant).filter(each_kind), topic)
            assert is_received == ((each_tenant, each_kind) == (tenant, kind))


@given(source_ids, names)
def test_a_source_returns_from_its_topic(source_id: int, prefix: str) -> None:
    assert parse_source_id_from_topic(topic_for_source(source_id)) == source_id
    assert parse_source_id_from_topic(topic_for_source(source_id, f"cams/{prefix}")) == source_id


@pytest.mark.parametrize(
    "topic",
    [
        "nvr/detections/front-door",
        "nvr/detections/",
        "nvr/detections",
        "nvr/detections/3/",
        "nvr/detections/-3",
        "nvr/detections/+3",
        "nvr/detections/03",
        "nvr/detections/3.0",
        "nvr/detections/1e3",
        "nvr/detections/1_000",
        "nvr/detections/ 3",
        "nvr/detections/3\n",
        "nvr/detections/\u0663",
        "nvr/detections/\uff13",
        "nvr/detections/²",
        "nvr/detections/0x3",
        f"nvr/detections/{MAX_INT64 + 1}",
        "nvr/detections/" + "9" * 10_000,
        "nvr/detections/+",
        "nvr/detections/#",
        "3",
        "/3",
        "",
    ],
    ids=lambda topic: repr(topic[:40]),
)
def test_what_is_no_source_id_gives_none(topic: str) -> None:
    assert parse_source_id_from_topic(topic) is None


@given(st.text())
def test_any_text_gives_a_source_that_writes_it_or_none(topic: str) -> None:
    source_id = parse_source_id_from_topic(topic)
    assert source_id is None or topic.endswith(f"/{source_id}")


@given(st.text(alphabet="nvr/detcionskq+#0123abu ", max_size=40))
def test_any_text_parses_to_what_it_says_or_to_none(topic: str) -> None:
    parsed = parse_topic(topic)
    if parsed is not None:
        written, _ = topic_of(parsed.tenant, parsed.kind, parsed.source_id or 0, parsed.key or "")
        assert written == topic


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "nvr",
        "nvr/",
        "nvr/detections",
        "nvr/detections/x",
        "nvr/detections/3/4",
        "NVR/detections/3",
        "other/detections/3",
        "nvr//detections/3",
        "nvr/a/b/detections/3",
        "nvr/+/detections/3",
        "nvr/detections/detections/3",
        "nvr/status/detections/3",
        "nvr/control/commands/x",
        "nvr/control/status/gate",
        "nvr/control/status/gate/nack",
        "nvr/control/status/+/ack",
        "nvr/status/#",
        "nvr/homeassistant/3",
        "nvr/homeassistant/3/set",
        "nvr/homeassistant/3/set/siren",
        "nvr/homeassistant/x/state",
        "nvr/homeassistant/03/state",
        "$SYS/broker/uptime",
    ],
)
def test_a_topic_that_is_none_of_ours_gives_none(topic: str) -> None:
    assert parse_topic(topic) is None


@pytest.mark.parametrize("word", sorted(RESERVED_WORDS))
def test_no_tenant_may_have_a_reserved_name(word: str) -> None:
    with pytest.raises(ConfigurationError, match=f"tenant '{word}' is a reserved word"):
        Topics(word)


def test_no_tenant_may_share_the_folder_of_the_unnamed_one() -> None:
    with pytest.raises(ConfigurationError, match="leave the tenant out"):
        Topics("default")


def test_the_first_level_of_every_kind_is_reserved() -> None:
    assert {kind.value.partition("/")[0] for kind in TopicKind} == RESERVED_WORDS


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=lambda name: repr(name[:12]))
def test_hostile_names_are_refused_and_quoted_shortly(name: str) -> None:
    for write in (Topics, Topics().alerts, Topics().status, Topics().metrics, Topics().ack):
        with pytest.raises(ConfigurationError, match="is not a valid name") as refused:
            write(name)
        assert len(str(refused.value)) < 400


@pytest.mark.parametrize("source_id", [-1, MAX_INT64 + 1])
def test_a_source_outside_its_range_has_no_topic(source_id: int) -> None:
    with pytest.raises(ValueError, match=f"source id must be 0 to {MAX_INT64}, got {source_id}"):
        topic_for_source(source_id)


@pytest.mark.parametrize("prefix", ["", "nvr/+", "#", "nvr/\0"])
def test_nobody_publishes_below_a_wildcard(prefix: str) -> None:
    with pytest.raises(ValueError, match="topic prefix must not be empty nor hold"):
        topic_for_source(0, prefix)
