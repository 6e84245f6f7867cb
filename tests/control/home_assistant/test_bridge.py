"""The bridge with its thread, over a broker in memory."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from nvr.config.operations import HomeAssistantConfig
from nvr.control.audit import AuditEntry
from nvr.control.home_assistant import announcer
from nvr.control.home_assistant.bridge import HomeAssistantBridge
from tests.control.home_assistant.documented import problems
from tests.control.home_assistant.events import camera, event, track
from tests.control.home_assistant.fakes import MemoryCameras, MemoryConnection
from tests.waiting import wait_until

CONFIG = HomeAssistantConfig(enabled=True, switches=True, off_delay_s=0.0)
CONFIG_3, CONFIG_4 = (f"homeassistant/device/nvr_default_{key}/config" for key in (3, 4))
STATE_3 = "nvr/homeassistant/3/state"
SNAPSHOT_3 = "nvr/homeassistant/3/snapshot"


class House:
    """A bridge that runs, and what Home Assistant would see of it."""

    def __init__(self, config: HomeAssistantConfig = CONFIG, *, is_connected: bool = True) -> None:
        self.connection = MemoryConnection()
        self.cameras = MemoryCameras(3, 4)
        self.written: list[AuditEntry] = []
        self.bridge = HomeAssistantBridge(config, self.connection, self.cameras, write_down=self.written.append)
        self.connection.is_connected = is_connected
        self.bridge.start()

    @property
    def state(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.connection.retained.get(STATE_3, b"{}"))
        return told

    def wait_for(self, what: str, expected: object) -> None:
        def is_so() -> bool:
            value: Any = self.state
            for name in what.split("."):
                value = value.get(name) if isinstance(value, dict) else None
            return bool(value == expected)

        wait_until(is_so, f"{what} is {expected}")

    def wait_announced(self, topic: str = CONFIG_3) -> None:
        wait_until(lambda: topic in self.connection.retained, f"{topic} is retained")


@contextmanager
def running(config: HomeAssistantConfig = CONFIG, *, is_connected: bool = True) -> Iterator[House]:
    house = House(config, is_connected=is_connected)
    try:
        yield house
    finally:
        has_ended = house.bridge.stop(30.0)
    assert has_ended
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith("home-assistant")]
    assert left == []


def test_cameras_are_announced_as_documented_and_told_of() -> None:
    with running() as house:
        house.wait_announced(CONFIG_4)
        house.wait_for("connectivity", "ON")
        for topic in (CONFIG_3, CONFIG_4, "homeassistant/device/nvr_default_instance_gate-house/config"):
            assert problems(json.loads(house.connection.retained[topic])) == []


def test_who_is_seen_is_told_and_who_goes_too() -> None:
    with running() as house:
        house.wait_for("detect", "ON")
        house.bridge.on_event(event("person"))
        house.wait_for("present.person", "ON")
        house.bridge.on_event(track(7))
        house.bridge.on_event(event())
        house.wait_for("present.person", "OFF")
        assert house.bridge.report.dropped == 0


def test_events_of_unknown_cameras_are_passed_over() -> None:
    with running() as house:
        house.wait_for("detect", "ON")
        house.bridge.on_event(event("person", source_id=99))
        house.bridge.on_event(track(7, source_id=99))
        house.bridge.on_event(event("person"))
        house.wait_for("present.person", "ON")
        assert "nvr/homeassistant/99/state" not in house.connection.retained


def test_a_switch_is_done_and_told() -> None:
    with running() as house:
        house.wait_for("detect", "ON")
        house.connection.publish("nvr/homeassistant/3/set/detect", b"OFF")
        house.wait_for("detect", "OFF")
        house.connection.publish("nvr/homeassistant/3/set/record", b"OFF")
        house.wait_for("record", "OFF")
        house.connection.publish("nvr/homeassistant/3/set/record", b"maybe")
        house.connection.publish("nvr/homeassistant/3/set/record", b"ON")
        house.wait_for("record", "ON")
        assert house.cameras.calls == [("pause", (3,)), ("off", 3), ("events", 3)]
        assert house.bridge.report.ignored_commands == 1
        told = [(each.outcome, each.source_ids, each.params) for each in house.written]
        assert told == [
            (outcome, (3,), {"topic": f"nvr/homeassistant/3/set/{switch}", "payload": payload})
            for outcome, switch, payload in (
                ("completed", "detect", "OFF"),
                ("completed", "record", "OFF"),
                ("invalid", "record", "maybe"),
                ("completed", "record", "ON"),
            )
        ]
        assert {(each.issuer, each.is_signed) for each in house.written} == {("home_assistant", False)}


def test_a_flood_of_what_cannot_be_switched_does_not_fill_the_audit_log() -> None:
    with running() as house:
        house.wait_for("detect", "ON")
        for _ in range(100):
            house.connection.publish("nvr/homeassistant/3/set/detect", b"maybe")
        wait_until(lambda: house.bridge.report.ignored_commands == 100, "all are counted")
        assert 1 <= len(house.written) < 100


def test_a_switch_that_comes_while_no_processor_runs_is_done_and_told_afterwards() -> None:
    with running() as house:
        house.wait_for("detect", "ON")
        house.cameras.is_known = False
        house.connection.publish("nvr/homeassistant/3/set/detect", b"OFF")
        house.bridge.on_event(event("person"))
        house.wait_for("present.person", "ON")
        house.cameras.is_known = True
        house.bridge.cameras_changed()
        house.wait_for("detect", "OFF")
        assert house.cameras.calls == [("pause", (3,))]


def test_a_switch_that_nothing_ran_for_is_written_down_at_the_end() -> None:
    with running() as house:
        house.wait_for("detect", "ON")
        house.cameras.is_known = False
        house.connection.publish("nvr/homeassistant/3/set/detect", b"OFF")
        house.bridge.on_event(event("person"))
        house.wait_for("present.person", "ON")
    assert [each.outcome for each in house.written] == ["timeout"]


@pytest.mark.parametrize("before", [None, CONFIG])
def test_without_switches_none_is_announced_and_none_is_done(before: HomeAssistantConfig | None) -> None:
    without = CONFIG.model_copy(update={"switches": False})
    with running(before or without) as house:
        house.wait_for("detect", "ON")
        house.bridge.reconfigure(without)
        wait_until(lambda: b"command_topic" not in house.connection.retained[CONFIG_3], "there are no switches")
        house.connection.publish("nvr/homeassistant/3/set/detect", b"OFF")
        house.bridge.on_event(event("person"))
        house.wait_for("present.person", "ON")
        assert house.cameras.calls == []
        assert [each.outcome for each in house.written] == ([] if before is None else ["disabled"])
        house.bridge.reconfigure(CONFIG)
        wait_until(lambda: b"command_topic" in house.connection.retained[CONFIG_3], "they are there again")
        house.connection.publish("nvr/homeassistant/3/set/detect", b"OFF")
        house.wait_for("detect", "OFF")


def test_a_switch_that_is_retained_is_not_done_again() -> None:
    with running() as house:
        house.wait_for("detect", "ON")
        house.connection.retained["nvr/homeassistant/3/set/detect"] = b"OFF"
        house.connection.connect()
        house.connection.publish("nvr/homeassistant/4/set/detect", b"OFF")
        wait_until(lambda: ("pause", (4,)) in house.cameras.calls, "camera 4 is paused")
        assert house.state["detect"] == "ON"


def test_a_change_that_a_command_made_shows_on_the_switch() -> None:
    with running() as house:
        house.wait_for("detect", "ON")
        house.cameras.pause((3,))
        house.wait_for("detect", "OFF")
        house.cameras.resume((3,))
        house.bridge.cameras_changed()
        house.wait_for("detect", "ON")


def test_nothing_is_lost_when_the_broker_comes_late_or_forgets() -> None:
    with running(is_connected=False) as house:
        house.bridge.on_event(event("person"))
        house.connection.connect()
        house.wait_announced()
        house.bridge.on_event(event("person"))
        house.wait_for("present.person", "ON")
        house.connection.connect(forgets=True)
        house.wait_announced()
        house.wait_for("present.person", "ON")


def test_all_is_told_again_when_home_assistant_starts() -> None:
    with running() as house:
        house.wait_for("detect", "ON")
        before = house.connection.count(CONFIG_3), house.connection.count(STATE_3)
        house.connection.publish("homeassistant/status", b"offline")
        house.connection.publish("homeassistant/status", b"online")
        wait_until(lambda: house.connection.count(CONFIG_3) > before[0], "announced again")
        wait_until(lambda: house.connection.count(STATE_3) > before[1], "told again")


def test_a_camera_that_is_added_is_announced_and_one_that_is_removed_is_taken_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(announcer, "GRACE_S", 0.0)
    with running() as house:
        house.wait_for("detect", "ON")
        house.cameras.by_id[5] = camera(source_id=5)
        house.bridge.cameras_changed()
        house.wait_announced("homeassistant/device/nvr_default_5/config")
        del house.cameras.by_id[3]
        wait_until(lambda: CONFIG_3 not in house.connection.retained, "camera 3 is taken back")
        wait_until(lambda: STATE_3 not in house.connection.retained, "its state, too")
        assert CONFIG_4 in house.connection.retained


def test_while_nobody_knows_the_cameras_they_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcer, "GRACE_S", 0.0)
    with running() as house:
        house.wait_for("detect", "ON")
        house.cameras.is_known = False
        house.bridge.cameras_changed()
        house.bridge.on_event(event("person"))
        house.wait_for("present.person", "ON")
        assert CONFIG_3 in house.connection.retained


def test_devices_stay_when_the_instance_stops() -> None:
    with running() as house:
        house.wait_for("detect", "ON")
    assert {CONFIG_3, CONFIG_4, STATE_3} <= set(house.connection.retained)


def test_switched_off_it_takes_everything_back_and_on_again_it_announces() -> None:
    with running() as house:
        house.wait_for("detect", "ON")
        house.bridge.reconfigure(HomeAssistantConfig())
        wait_until(lambda: not house.connection.retained, "nothing is retained")
        house.bridge.on_event(event("person"))
        house.bridge.reconfigure(CONFIG)
        house.wait_announced()
        house.wait_for("detect", "ON")


def test_another_prefix_moves_the_devices() -> None:
    with running() as house:
        house.wait_for("detect", "ON")
        house.bridge.reconfigure(CONFIG.model_copy(update={"discovery_prefix": "ha"}))
        house.wait_announced("ha/device/nvr_default_3/config")
        assert CONFIG_3 not in house.connection.retained


def test_other_classes_are_announced_and_told() -> None:
    with running() as house:
        house.wait_for("detect", "ON")
        house.bridge.reconfigure(CONFIG.model_copy(update={"classes": ("dog",)}))
        house.bridge.on_event(event("dog"))
        wait_until(lambda: "dog" in house.state.get("present", {}), "dogs are told of")
        components = json.loads(house.connection.retained[CONFIG_3])["components"]
        assert "class_dog" in components
        assert "class_person" not in components


def test_a_new_name_of_the_instance_is_followed() -> None:
    with running() as house:
        house.wait_for("detect", "ON")
        house.connection.instance_id = "barn"
        house.wait_announced("homeassistant/device/nvr_default_instance_barn/config")
        wait_until(lambda: b"nvr/status/barn" in house.connection.retained[CONFIG_3], "announced under the new name")
        wait_until(
            lambda: "homeassistant/device/nvr_default_instance_gate-house/config" not in house.connection.retained,
            "the old device is gone",
        )


def test_pictures_are_shown_only_where_they_are_wanted_and_of_cameras_that_are_looked_at() -> None:
    config = CONFIG.model_copy(update={"snapshots": True, "snapshot_interval_s": 1.0})
    with running(config) as house:
        house.cameras.pictures = {3: b"\xff\xd8gate", 4: b"\xff\xd8yard"}
        house.cameras.pause((4,))
        wait_until(lambda: house.connection.count(SNAPSHOT_3) >= 2, "two pictures")
        assert house.connection.count("nvr/homeassistant/4/snapshot") == 0
        assert SNAPSHOT_3 not in house.connection.retained
        house.bridge.reconfigure(CONFIG)
        wait_until(lambda: b'"snapshot"' not in house.connection.retained[CONFIG_3], "the camera entity is gone")


def test_what_goes_wrong_with_the_cameras_does_not_end_the_bridge(caplog: pytest.LogCaptureFixture) -> None:
    with running() as house:
        house.wait_for("detect", "ON")
        whole, house.cameras.by_id = house.cameras.by_id, {3: None}  # type: ignore[dict-item]  # what must never be
        wait_until(lambda: "the bridge to Home Assistant failed" in caplog.text, "it is told")
        house.cameras.by_id = whole
        house.bridge.on_event(event("person"))
        house.wait_for("present.person", "ON")
