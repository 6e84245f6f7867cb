"""Somebody on the broker who does what Home Assistant does: finds devices, reads their templates, switches."""

import json
import re
import threading
import time
from typing import Any

from nvr.bus.connection import MqttConnection
from nvr.bus.local_broker import LocalBroker
from nvr.config.broker import BrokerConfig
from tests.control.home_assistant.documented import problems
from tests.waiting import DEADLINE_S, wait_until

PICK = re.compile(r"\{\{ value_json\.(?P<name>\w+)(\['(?P<key>\w+)'\])?(?P<json> \| tojson)? \}\}")
CHOOSE = re.compile(
    r"\{\{ '(?P<yes>\w+)' if value_json\.(?P<name>\w+) == '(?P<value>\w+)' else '(?P<no>\w+)' \}\}",
)


def render(template: str, payload: bytes) -> str:
    """Render what our templates are made of, as Jinja does; none of them does more."""
    document = json.loads(payload)
    if chosen := CHOOSE.fullmatch(template):
        return str(chosen["yes"] if document.get(chosen["name"]) == chosen["value"] else chosen["no"])
    picked = PICK.fullmatch(template)
    assert picked is not None, template
    value = document[picked["name"]]
    value = value if picked["key"] is None else value[picked["key"]]
    return json.dumps(value) if picked["json"] else str(value)


class Home:
    """Knows the last message of each topic, and when it came."""

    def __init__(self, broker: LocalBroker) -> None:
        self._lock = threading.Lock()
        self.last: dict[str, bytes] = {}
        self.times: dict[str, list[float]] = {}
        self.connection = MqttConnection(BrokerConfig(host=broker.host, port=broker.port))
        for topic_filter in ("homeassistant/#", "nvr/#"):
            self.connection.subscribe(topic_filter, self._take, qos=1)
        self.connection.start()
        assert self.connection.wait_connected(DEADLINE_S)

    def _take(self, topic: str, payload: bytes) -> None:
        with self._lock:
            self.last[topic] = payload
            self.times.setdefault(topic, []).append(time.monotonic())

    def forget(self) -> None:
        """Begin anew, as after a start."""
        with self._lock:
            self.last.clear()

    def count(self, topic: str) -> int:
        """Return how many messages came."""
        with self._lock:
            return len(self.times.get(topic, ()))

    def device(self, source_id: int) -> dict[str, Any] | None:
        """Return the announcement of a camera; None where there is none."""
        payload = self.last.get(f"homeassistant/device/nvr_default_{source_id}/config")
        if not payload:
            return None
        device: dict[str, Any] = json.loads(payload)
        assert problems(device) == []
        return device

    def state(self, source_id: int, key: str) -> str | None:
        """Return what an entity shows; None where there is no such entity, or no state yet."""
        device = self.device(source_id)
        component = None if device is None else device["components"].get(key)
        if device is None or component is None:
            return None
        for place in component.get("availability", device["availability"]):
            payload = self.last.get(place["topic"])
            if not payload or render(place["value_template"], payload) != "online":
                return "unavailable"
        payload = self.last.get(component["state_topic"])
        return render(component["value_template"], payload) if payload else None

    def wait_for(self, source_id: int, key: str, *states: str) -> None:
        """Wait until an entity shows one of these states."""
        wait_until(
            lambda: self.state(source_id, key) in states,
            f"{key} of camera {source_id} is {states}",
            deadline_s=2 * DEADLINE_S,
        )

    def switch(self, source_id: int, key: str, payload: bytes) -> None:
        """Do what a person does with a switch."""
        device = self.device(source_id)
        assert device is not None
        self.connection.publish(device["components"][key]["command_topic"], payload, qos=1)
