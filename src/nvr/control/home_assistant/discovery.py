"""What Home Assistant is told of a camera and of an instance so that it makes their devices; pure.

One retained message per device, `{discovery_prefix}/device/{object_id}/config`, which Home Assistant reads since
2024.11: https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload. Keys are spelt out, not
abbreviated, and templates do no more than pick a value, so that a person can read what is on the broker.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, get_args

from pydantic import JsonValue

from nvr.control.home_assistant.naming import (
    ObjectClass,
    camera_object_id,
    device_name,
    instance_object_id,
    object_classes,
)
from nvr.events.instance_status import InstanceState
from nvr.events.protocol import SwitchName, Topics

JsonObject: TypeAlias = dict[str, JsonValue]

MANUFACTURER = "NVR multiplexer"
ORIGIN_NAME = "nvr-multiplexer"

EXPIRE_AFTER_S = 180
"""A figure that was not told again for so long is no longer believed; it is told at least each minute."""

_ICONS = {
    "person": "mdi:account",
    "car": "mdi:car",
    "truck": "mdi:truck",
    "bus": "mdi:bus",
    "bicycle": "mdi:bicycle",
    "motorcycle": "mdi:motorbike",
    "dog": "mdi:dog-side",
    "cat": "mdi:cat",
    "bird": "mdi:bird",
}

_INSTANCE_IS_THERE = "{{ 'offline' if value_json.state == 'offline' else 'online' }}"


@dataclass(frozen=True, slots=True)
class AnnouncedCamera:
    """What the announcement of a camera depends on."""

    source_id: int
    name: str
    """Its name, or its address."""
    has_recorder: bool
    """Whether there is something to be switched by `record`."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where and as whom to announce."""

    topics: Topics
    instance_id: str
    classes: tuple[str, ...]
    has_switches: bool
    has_snapshots: bool
    version: str


def config_topic(discovery_prefix: str, object_id: str) -> str:
    """Return where a device is announced; an empty retained message there removes it."""
    return f"{discovery_prefix}/device/{object_id}/config"


def camera_payload(camera: AnnouncedCamera, site: Site) -> JsonObject:
    """Return the announcement of a camera with all its entities."""
    tenant = site.topics.tenant
    object_id = camera_object_id(tenant, camera.source_id)
    components = _camera_components(camera, site)
    for key, component in components.items():
        component["unique_id"] = f"{object_id}_{key}"
    return {
        "device": {
            "identifiers": [object_id],
            "name": device_name(camera.name, camera.source_id),
            "manufacturer": MANUFACTURER,
            "model": "Camera",
            "sw_version": site.version,
            "via_device": instance_object_id(tenant, site.instance_id),
        },
        "origin": _origin(site.version),
        "availability": [_instance_availability(site), _camera_availability(camera, site)],
        "availability_mode": "all",
        "components": {**components},
    }


def instance_payload(site: Site) -> JsonObject:
    """Return the announcement of the instance that cameras are reached through; its will tells when it is gone."""
    object_id = instance_object_id(site.topics.tenant, site.instance_id)
    status_topic = site.topics.status(site.instance_id)
    return {
        "device": {
            "identifiers": [object_id],
            "name": f"NVR {site.instance_id}",
            "manufacturer": MANUFACTURER,
            "model": "Processor",
            "sw_version": site.version,
        },
        "origin": _origin(site.version),
        "components": {
            "connectivity": {
                "platform": "binary_sensor",
                "unique_id": f"{object_id}_connectivity",
                "name": "Connectivity",
                "device_class": "connectivity",
                "entity_category": "diagnostic",
                "qos": 1,
                "state_topic": status_topic,
                "value_template": "{{ 'OFF' if value_json.state == 'offline' else 'ON' }}",
            },
            "state": {
                "platform": "sensor",
                "unique_id": f"{object_id}_state",
                "name": "State",
                "device_class": "enum",
                "options": list(get_args(InstanceState)),
                "entity_category": "diagnostic",
                "qos": 1,
                "state_topic": status_topic,
                "value_template": "{{ value_json.state }}",
            },
        },
    }


def without(payload: JsonObject, removed: Mapping[str, str]) -> JsonObject:
    """Return an announcement that also takes entities away.

    Args:
        payload: The announcement.
        removed: Platform of each entity that the device had before, by its key.
    """
    components = payload["components"]
    stubs: JsonObject = {key: {"platform": platform} for key, platform in removed.items()}
    return {**payload, "components": {**(components if isinstance(components, dict) else {}), **stubs}}


def to_bytes(payload: JsonObject) -> bytes:
    """Return an announcement as it travels; the same one is always the same bytes."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def _origin(version: str) -> JsonObject:
    return {"name": ORIGIN_NAME, "sw_version": version}


def _instance_availability(site: Site) -> JsonObject:
    return {"topic": site.topics.status(site.instance_id), "value_template": _INSTANCE_IS_THERE}


def _camera_availability(camera: AnnouncedCamera, site: Site) -> JsonObject:
    return {
        "topic": site.topics.home_assistant_state(camera.source_id),
        "value_template": "{{ value_json.availability }}",
    }


def _camera_components(camera: AnnouncedCamera, site: Site) -> dict[str, JsonObject]:
    # what steers a camera, or tells that it is away, is there as long as the instance is
    always: JsonObject = {"availability": [_instance_availability(site)]}
    # stated for each, as Home Assistant does not hand a device's own `qos` on to its entities
    state: JsonObject = {"state_topic": site.topics.home_assistant_state(camera.source_id), "qos": 1}
    components: dict[str, JsonObject] = {}
    for each in object_classes(site.classes):
        components |= _class_components(each, state)
    components["motion"] = {
        "platform": "binary_sensor",
        "name": "Motion",
        "device_class": "motion",
        "expire_after": EXPIRE_AFTER_S,
        **_value("motion"),
        **state,
    }
    components |= _figures(state)
    components["connectivity"] = {
        "platform": "binary_sensor",
        "name": "Connectivity",
        "device_class": "connectivity",
        "entity_category": "diagnostic",
        **_value("connectivity"),
        **state,
        **always,
    }
    components["problem"] = {
        "platform": "binary_sensor",
        "name": "Problem",
        "device_class": "problem",
        "entity_category": "diagnostic",
        "json_attributes_topic": state["state_topic"],
        "json_attributes_template": "{{ value_json.health | tojson }}",
        **_value("problem"),
        **state,
        **always,
    }
    if site.has_switches:
        components["detect"] = {**_switch("detect", "mdi:motion-sensor", camera, site), **state, **always}
    if site.has_switches and camera.has_recorder:
        components["record"] = {**_switch("record", "mdi:record-rec", camera, site), **state, **always}
    if site.has_snapshots:
        components["snapshot"] = {
            "platform": "camera",
            "name": "Snapshot",
            "topic": site.topics.home_assistant_snapshot(camera.source_id),
        }
    return components


def _class_components(each: ObjectClass, state: JsonObject) -> dict[str, JsonObject]:
    return {
        f"class_{each.key}": {
            "platform": "binary_sensor",
            "name": each.title,
            "device_class": "occupancy",
            "expire_after": EXPIRE_AFTER_S,
            **_value(f"present['{each.key}']"),
            **_icon(each.name),
            **state,
        },
        f"count_{each.key}": {
            "platform": "sensor",
            "name": f"{each.title} count",
            "state_class": "measurement",
            "expire_after": EXPIRE_AFTER_S,
            **_value(f"count['{each.key}']"),
            **_icon(each.name),
            **state,
        },
    }


def _figures(state: JsonObject) -> dict[str, JsonObject]:
    return {
        "total": {
            "platform": "sensor",
            "name": "Object count",
            "state_class": "measurement",
            "icon": "mdi:counter",
            "expire_after": EXPIRE_AFTER_S,
            **_value("total"),
            **state,
        },
        "fps": {
            "platform": "sensor",
            "name": "Analysed frames per second",
            "state_class": "measurement",
            "unit_of_measurement": "fps",
            "icon": "mdi:filmstrip",
            "entity_category": "diagnostic",
            "suggested_display_precision": 1,
            "expire_after": EXPIRE_AFTER_S,
            **_value("fps"),
            **state,
        },
        "latency": {
            "platform": "sensor",
            "name": "Latency",
            "device_class": "duration",
            "state_class": "measurement",
            "unit_of_measurement": "ms",
            "entity_category": "diagnostic",
            "enabled_by_default": False,
            "suggested_display_precision": 0,
            "expire_after": EXPIRE_AFTER_S,
            **_value("latency_ms"),
            **state,
        },
    }


def _switch(switch: SwitchName, icon: str, camera: AnnouncedCamera, site: Site) -> JsonObject:
    return {
        "platform": "switch",
        "name": switch.capitalize(),
        "icon": icon,
        "command_topic": site.topics.home_assistant_set(camera.source_id, switch),
        "optimistic": False,
        **_value(switch),
    }


def _value(path: str) -> JsonObject:
    return {"value_template": f"{{{{ value_json.{path} }}}}"}


def _icon(class_name: str) -> JsonObject:
    icon = _ICONS.get(class_name)
    return {} if icon is None else {"icon": icon}
