"""Announcements against what Home Assistant documents, and against their own states."""

import json
import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.control.home_assistant.discovery import (
    AnnouncedCamera,
    JsonObject,
    Site,
    camera_payload,
    config_topic,
    instance_payload,
    to_bytes,
    without,
)
from nvr.control.home_assistant.state import CameraState
from nvr.events.protocol import TopicKind, Topics, parse_topic
from tests.control.home_assistant.documented import SCHEMA, problems
from tests.control.home_assistant.events import camera

TEMPLATE = re.compile(r"\{\{ value_json\.(?P<name>\w+)(\['(?P<key>\w+)'\])?( \| tojson)? \}\}")

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", fullmatch=True)
tenants = st.none() | names.filter(lambda name: name not in {kind.value.partition("/")[0] for kind in TopicKind})
classes = st.lists(st.text(max_size=30), max_size=5).map(tuple)


def site(tenant: str | None = None, has_snapshots: bool = True, wanted: tuple[str, ...] = ("person", "car")) -> Site:
    return Site(Topics(tenant), "gate-house", wanted, has_switches=True, has_snapshots=has_snapshots, version="0.1.0")


def announced(has_recorder: bool = True, name: str = "Front door") -> AnnouncedCamera:
    return AnnouncedCamera(3, name, has_recorder)


def read(payload: JsonObject) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(to_bytes(payload))
    return document


def components(
    tenant: str | None = None,
    has_recorder: bool = True,
    has_snapshots: bool = True,
    wanted: tuple[str, ...] = ("person", "car"),
) -> dict[str, dict[str, Any]]:
    document = read(camera_payload(announced(has_recorder), site(tenant, has_snapshots, wanted)))
    found: dict[str, dict[str, Any]] = document["components"]
    return found


@pytest.mark.parametrize("tenant", [None, "acme", "a_c.me"])
@pytest.mark.parametrize("has_recorder", [True, False])
@pytest.mark.parametrize("has_snapshots", [True, False])
def test_every_camera_is_announced_as_home_assistant_documents(
    tenant: str | None, has_recorder: bool, has_snapshots: bool
) -> None:
    wanted = ("person", "car", "traffic light", "Dog", "人")
    payload = camera_payload(announced(has_recorder), site(tenant, has_snapshots, wanted))
    assert problems(read(payload)) == []


def test_the_instance_is_announced_as_home_assistant_documents() -> None:
    assert problems(read(instance_payload(site()))) == []


@given(tenants.filter(lambda name: name != "default"), st.integers(0, 2**63 - 1), st.text(max_size=200), classes)
def test_whatever_cameras_and_classes_are_called_they_are_announced_as_documented(
    tenant: str | None, source_id: int, name: str, wanted: tuple[str, ...]
) -> None:
    payload = read(camera_payload(AnnouncedCamera(source_id, name, has_recorder=True), site(tenant, wanted=wanted)))
    assert problems(payload) == []
    (object_id,) = payload["device"]["identifiers"]
    assert re.fullmatch(r"homeassistant/device/[a-zA-Z0-9_-]+/config", config_topic("homeassistant", object_id))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda c: c["motion"].update(device_class="movement"), "'movement' is not one of"),
        (lambda c: c["motion"].pop("state_topic"), "'state_topic' is a required property"),
        (lambda c: c["motion"].update(retain=True), "('retain' was unexpected)"),
        (lambda c: c["latency"].update(unit_of_measurement="fps"), "'fps' is not one of"),
        (lambda c: c["fps"].update(device_class="enum"), "'options' is a required property"),
        (lambda c: c["detect"].pop("command_topic"), "'command_topic' is a required property"),
        (lambda c: c["record"].pop("unique_id"), "'unique_id' is a required property"),
        (lambda c: c["snapshot"].pop("topic"), "'topic' is a required property"),
        (lambda c: c["total"].update(state_topic="nvr/#"), "does not match"),
    ],
)
def test_the_check_finds_what_home_assistant_would_refuse(
    change: Callable[[dict[str, dict[str, object]]], object], complaint: str
) -> None:
    payload = read(camera_payload(announced(), site()))
    changed = deepcopy(payload)
    change(changed["components"])
    found = problems(changed)
    assert found
    assert complaint in " ".join(found)


def test_a_camera_has_the_entities_that_its_settings_say() -> None:
    always = {"motion", "total", "fps", "latency", "connectivity", "problem", "detect"}
    of_classes = {"class_person", "count_person", "class_car", "count_car"}
    assert set(components()) == always | of_classes | {"record", "snapshot"}
    assert set(components(has_recorder=False, has_snapshots=False, wanted=())) == always


def test_a_camera_that_may_not_be_switched_has_no_switches() -> None:
    may_not = replace(site(), has_switches=False)
    payload = read(camera_payload(announced(), may_not))
    assert problems(payload) == []
    assert set(components()) - set(payload["components"]) == {"detect", "record"}


def test_every_template_picks_a_value_that_the_state_has() -> None:
    state = CameraState(("person", "traffic light"), 5.0)
    state.note_status(camera(record_mode="events"))
    told = state.take_due(0.0)
    assert told is not None
    of_cameras = components(wanted=("person", "traffic light"))
    for key, component in of_cameras.items():
        for option in ("value_template", "json_attributes_template"):
            if option in component:
                picked = TEMPLATE.fullmatch(component[option])
                assert picked is not None, component[option]
                value = told[picked["name"]]
                assert picked["key"] is None or (isinstance(value, dict) and picked["key"] in value), key


def test_every_topic_is_one_of_ours() -> None:
    for tenant in (None, "acme"):
        kinds = {
            (key, option): parse_topic(value)
            for key, component in components(tenant=tenant).items()
            for option, value in component.items()
            if option.endswith("topic")
        }
        assert all(parsed is not None and parsed.tenant == tenant for parsed in kinds.values())
        assert all(parsed is not None and parsed.source_id == 3 for parsed in kinds.values())
        assert kinds["detect", "command_topic"] == parse_topic(Topics(tenant).home_assistant_set(3, "detect"))
        assert kinds["record", "command_topic"] == parse_topic(Topics(tenant).home_assistant_set(3, "record"))


def test_what_is_seen_needs_instance_and_camera_what_steers_it_the_instance_only() -> None:
    payload = read(camera_payload(announced(), site()))
    assert payload["availability_mode"] == "all"
    assert [each["topic"] for each in payload["availability"]] == ["nvr/status/gate-house", "nvr/homeassistant/3/state"]
    for key in ("detect", "record", "connectivity", "problem"):
        assert [each["topic"] for each in payload["components"][key]["availability"]] == ["nvr/status/gate-house"]
    assert all(
        "availability" not in payload["components"][key] for key in ("motion", "class_person", "fps", "snapshot")
    )


def test_a_camera_hangs_on_the_device_of_its_instance() -> None:
    instance = read(instance_payload(site()))["device"]["identifiers"]
    assert [read(camera_payload(announced(), site()))["device"]["via_device"]] == instance


def test_a_camera_keeps_its_ids_when_it_is_renamed_or_moves_to_another_instance() -> None:
    barn = Site(Topics(), "barn", ("person", "car"), has_switches=True, has_snapshots=True, version="0.2.0")
    here, there = read(camera_payload(announced(), site())), read(camera_payload(announced(name="Yard"), barn))
    ids = [
        {key: component["unique_id"] for key, component in payload["components"].items()} for payload in (here, there)
    ]
    assert ids[0] == ids[1]
    assert len(set(ids[0].values())) == len(ids[0])
    assert here["device"]["identifiers"] == there["device"]["identifiers"]


def test_an_entity_is_taken_away_by_its_platform_alone() -> None:
    payload = camera_payload(announced(), site())
    reduced = read(without(payload, {"class_dog": "binary_sensor", "count_dog": "sensor"}))
    assert problems(reduced) == []
    assert reduced["components"]["class_dog"] == {"platform": "binary_sensor"}
    assert "class_dog" not in read(payload)["components"]


def test_the_schema_names_the_page_of_each_platform() -> None:
    for platform in ("binary_sensor", "sensor", "switch", "camera"):
        assert f"{platform}.mqtt/" in SCHEMA["$defs"][platform]["$comment"]
