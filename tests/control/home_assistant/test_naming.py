import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.control.home_assistant.naming import (
    camera_object_id,
    class_key,
    device_name,
    instance_object_id,
    object_classes,
    source_id_of,
)

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", fullmatch=True).filter(lambda name: name != "default")
tenants = st.none() | names
source_ids = st.integers(0, 2**63 - 1)


@given(tenants, source_ids, names)
def test_ids_hold_what_home_assistant_allows_in_a_topic(tenant: str | None, source_id: int, instance: str) -> None:
    for object_id in (camera_object_id(tenant, source_id), instance_object_id(tenant, instance)):
        assert re.fullmatch(r"[a-zA-Z0-9_-]+", object_id)


@given(tenants, tenants, source_ids, source_ids, names)
def test_no_two_devices_share_an_id(
    tenant: str | None, other: str | None, source_id: int, other_id: int, instance: str
) -> None:
    same = camera_object_id(tenant, source_id) == camera_object_id(other, other_id)
    assert same == ((tenant, source_id) == (other, other_id))
    assert instance_object_id(other, instance) != camera_object_id(tenant, source_id)


@given(tenants, tenants, source_ids)
def test_a_camera_is_found_by_its_id_in_its_own_tenant_only(
    tenant: str | None, other: str | None, source_id: int
) -> None:
    object_id = camera_object_id(tenant, source_id)
    assert source_id_of(tenant, object_id) == source_id
    assert other == tenant or source_id_of(other, object_id) is None


@pytest.mark.parametrize(
    "object_id", ["", "nvr_default_", "nvr_default_x", "nvr_default_03", "nvr_default_instance_3", "zigbee_3", "3"]
)
def test_what_is_no_camera_of_ours_is_none(object_id: str) -> None:
    assert source_id_of(None, object_id) is None


@given(st.lists(st.text(min_size=1, max_size=20), max_size=6, unique=True))
def test_classes_have_different_keys_of_plain_letters(wanted: list[str]) -> None:
    keys = [class_key(name) for name in wanted]
    assert len(set(keys)) == len(keys)
    assert all(re.fullmatch(r"[a-zA-Z0-9_]+", key) for key in keys)


def test_usual_classes_keep_their_names() -> None:
    assert [each.key for each in object_classes(["person", "traffic light", "person", ""])] == [
        "person",
        "traffic_light",
    ]
    assert [each.title for each in object_classes(["person", "traffic light"])] == ["Person", "Traffic light"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Front door", "Front door"),
        (" Yard ", "Yard"),
        ("rtsp://***@192.0.2.7/live", "Camera 3"),
        ("/dev/video0", "Camera 3"),
        ("./gate.mp4", "Camera 3"),
        ("", "Camera 3"),
        ("  ", "Camera 3"),
        ("x" * 300, "x" * 100),
    ],
)
def test_a_camera_without_a_name_is_called_by_its_number(name: str, shown: str) -> None:
    assert device_name(name, 3) == shown
