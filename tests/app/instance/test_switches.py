"""Home Assistant's switches on a whole program, over a real broker, while its settings change."""

import json
from pathlib import Path
from typing import Any

import pytest

from nvr.processor.stream_processor import StreamProcessor
from tests.app.instance.running_program import Site
from tests.waiting import wait_until

pytestmark = [pytest.mark.broker, pytest.mark.camera]

KEY = "0123456789abcdef"
ON = {"enabled": True}
SET_DETECT = "nvr/homeassistant/0/set/detect"


class HomeAssistant:
    """What is retained for it of camera 0, and what was written down."""

    def __init__(self, site: Site, audit_path: Path) -> None:
        self.site = site
        self.audit_path = audit_path
        self.device: dict[str, Any] = {}
        self.state: dict[str, Any] = {}
        connection = site.heard.connection
        connection.subscribe("homeassistant/device/nvr_default_0/config", self._take_device, 1)
        connection.subscribe("nvr/homeassistant/0/state", self._take_state, 1)

    def _take_device(self, _topic: str, payload: bytes) -> None:
        self.device = json.loads(payload or b"{}")

    def _take_state(self, _topic: str, payload: bytes) -> None:
        self.state = json.loads(payload or b"{}")

    def control(self, **settings: object) -> dict[str, object]:
        return {"audit_path": str(self.audit_path), **settings}

    def switch(self, payload: bytes) -> None:
        self.site.heard.connection.publish(SET_DETECT, payload, 1)

    def wait_for_detect(self, state: str) -> None:
        wait_until(lambda: self.state.get("detect") == state, f"detect is {state}")

    def wait_for_switches(self, *, are_there: bool) -> None:
        wait_until(
            lambda: bool(self.device) and ("detect" in self.device["components"]) is are_there,
            f"switches are announced: {are_there}",
        )

    def written(self) -> list[tuple[object, ...]]:
        text = self.audit_path.read_text(encoding="utf-8") if self.audit_path.exists() else ""
        lines = [json.loads(line) for line in text.splitlines()]
        return [(line["command"], line["issuer"], line.get("params"), line["outcome"]) for line in lines]


@pytest.fixture
def house(site: Site, tmp_path: Path) -> HomeAssistant:
    return HomeAssistant(site, tmp_path / "audit.jsonl")


def done(payload: str, outcome: str = "completed") -> tuple[object, ...]:
    return ("switch", "home_assistant", {"topic": SET_DETECT, "payload": payload}, outcome)


def test_each_switch_is_done_and_written_down(site: Site, house: HomeAssistant) -> None:
    site.write(0, home_assistant=ON, control=house.control())
    site.start()
    house.wait_for_detect("ON")
    house.switch(b"OFF")
    house.wait_for_detect("OFF")
    house.switch(b"maybe")
    house.switch(b"ON")
    house.wait_for_detect("ON")
    wait_until(lambda: len(house.written()) >= 3, "all are written down")
    assert house.written() == [done("OFF"), done("maybe", "invalid"), done("ON")]


@pytest.mark.parametrize("control", [{"enabled": False}, {"key": KEY}])
def test_who_takes_no_commands_or_only_signed_ones_is_not_switched(
    site: Site, house: HomeAssistant, control: dict[str, object]
) -> None:
    site.write(0, home_assistant=ON, control=house.control(**control))
    program = site.start()
    house.wait_for_detect("ON")
    house.wait_for_switches(are_there=False)
    house.switch(b"OFF")
    site.heard.wait_for_events(0)
    site.write(0, home_assistant=ON, control=house.control())
    program.reload()
    house.wait_for_switches(are_there=True)
    house.switch(b"OFF")
    house.wait_for_detect("OFF")
    house.switch(b"ON")
    house.wait_for_detect("ON")
    site.write(0, home_assistant=ON, control=house.control(**control))
    program.reload()
    house.wait_for_switches(are_there=False)
    house.switch(b"OFF")
    wait_until(lambda: len(house.written()) >= 3, "the refusal is written down")
    site.heard.wait_for_events(0)
    assert house.written() == [done("OFF"), done("ON"), done("OFF", "disabled")]


def test_beside_a_key_switches_are_taken_where_that_is_said(site: Site, house: HomeAssistant) -> None:
    site.write(0, home_assistant={**ON, "switches": True}, control=house.control(key=KEY))
    site.start()
    house.wait_for_switches(are_there=True)
    house.wait_for_detect("ON")
    house.switch(b"OFF")
    house.wait_for_detect("OFF")


def test_a_switch_while_the_processor_begins_anew_is_done_by_the_next(
    site: Site, house: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = StreamProcessor.start

    def switched_before_it_began(processor: StreamProcessor) -> None:
        house.switch(b"OFF")
        heard_before = len(site.heard.statuses)
        program._services.look()
        wait_until(lambda: len(site.heard.statuses) > heard_before, "the broker has handed it over")
        start(processor)

    site.write(0, home_assistant=ON, control=house.control())
    program = site.start()
    house.wait_for_detect("ON")
    site.heard.wait_for_events(0)
    with monkeypatch.context() as patch:
        patch.setattr(StreamProcessor, "start", switched_before_it_began)
        program.restart()
    house.wait_for_detect("OFF")
    wait_until(lambda: done("OFF") in house.written(), "it is written down")
    running = program._running
    assert running is not None
    assert [camera.is_detecting for camera in running.processor.cameras] == [False]


def test_other_settings_of_home_assistant_hold_also_where_the_processor_begins_anew_for_others(
    site: Site, house: HomeAssistant
) -> None:
    site.write(0, home_assistant=ON)
    program = site.start()
    house.wait_for_switches(are_there=True)
    site.write(0, home_assistant={**ON, "switches": False}, models={"model_id": "motion", "multiplex": "frames"})
    program.reload()
    house.wait_for_switches(are_there=False)
