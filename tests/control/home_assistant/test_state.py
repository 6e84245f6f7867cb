import json
from itertools import pairwise
from typing import Any

import pytest

from nvr.control.home_assistant.state import CameraState, to_bytes
from nvr.core.clock import ManualClock
from nvr.events.schema import Detection
from tests.control.home_assistant.events import camera, detection, event, track


class Watched:
    """A camera's state with a clock, as Home Assistant would read it."""

    def __init__(self, classes: tuple[str, ...] = ("person", "car"), off_delay_s: float = 5.0) -> None:
        self.clock = ManualClock()
        self.state = CameraState(classes, off_delay_s)
        self.told: dict[str, Any] = {}
        self.times: list[float] = []

    def look(self) -> dict[str, Any]:
        due = self.state.take_due(self.clock.monotonic())
        if due is not None:
            self.times.append(self.clock.monotonic())
            self.told = json.loads(to_bytes(due))
        return self.told

    def status(self, **fields: object) -> dict[str, Any]:
        self.state.note_status(camera(**fields))
        return self.look()

    def see(self, *detections: Detection | str, **fields: object) -> dict[str, Any]:
        self.state.note_event(event(*detections, **fields), self.clock.monotonic())
        return self.look()

    def wait(self, seconds: float) -> dict[str, Any]:
        self.clock.advance(seconds)
        return self.look()


@pytest.fixture
def watched() -> Watched:
    gate = Watched()
    gate.status()
    return gate


def test_nothing_is_told_of_a_camera_whose_state_nobody_knows() -> None:
    gate = Watched()
    gate.state.note_event(event("person"), 0.0)
    assert gate.look() == {}


def test_what_nobody_has_looked_for_is_unknown(watched: Watched) -> None:
    assert watched.told["present"] == {"person": None, "car": None}
    assert watched.told["count"] == {"person": None, "car": None}
    assert (watched.told["motion"], watched.told["total"], watched.told["fps"]) == (None, None, None)


def test_a_person_is_told_at_once_with_the_count(watched: Watched) -> None:
    watched.see()
    watched.clock.advance(0.01)
    told = watched.see("person", "person", "dog")
    assert told["present"] == {"person": "ON", "car": "OFF"}
    assert (told["count"], told["total"]) == ({"person": 2, "car": 0}, 3)
    assert watched.times == [0.0, 0.0, 0.01]


def test_a_person_is_gone_the_delay_after_the_last_sight(watched: Watched) -> None:
    watched.see("person")
    watched.wait(0.2)
    watched.see()
    assert watched.wait(4.75)["present"]["person"] == "ON"
    assert watched.wait(0.06)["present"]["person"] == "OFF"


def test_a_person_who_is_seen_again_within_the_delay_never_was_gone(watched: Watched) -> None:
    watched.see("person")
    for _ in range(10):
        watched.wait(4.0)
        watched.see()
        watched.wait(0.5)
        assert watched.see("person")["present"]["person"] == "ON"


def test_without_a_delay_a_person_is_gone_with_the_first_look_that_sees_none() -> None:
    gate = Watched(off_delay_s=0.0)
    gate.status()
    assert gate.see("person")["present"]["person"] == "ON"
    assert gate.wait(5.0)["present"]["person"] == "ON"
    assert gate.see()["present"]["person"] == "OFF"


def test_somebody_who_stands_still_before_a_sleeping_camera_stays(watched: Watched) -> None:
    watched.see(detection("person", 7, held=True), quiet=True)
    assert watched.wait(10.0)["present"]["person"] == "ON"
    watched.see(detection("person", 7, held=True), quiet=True)
    assert watched.wait(9.9)["present"]["person"] == "ON"
    watched.see(quiet=True)
    assert watched.wait(4.9)["present"]["person"] == "ON"
    assert watched.wait(0.2)["present"]["person"] == "OFF"


def test_after_a_long_silence_nobody_knows_what_is_there(watched: Watched) -> None:
    watched.see("person")
    assert watched.wait(30.0)["present"]["person"] == "ON"
    told = watched.wait(0.1)
    assert (told["present"]["person"], told["total"], told["motion"]) == (None, None, None)
    assert told["availability"] == "online"


def test_counts_follow_each_other_at_most_once_a_second(watched: Watched) -> None:
    watched.see("person")
    begun_s = watched.clock.monotonic()
    for number in range(100):
        watched.clock.advance(0.04)
        watched.see(*["person"] * (1 + number % 3))
    told_after = [time_s for time_s in watched.times if time_s > begun_s]
    assert len(told_after) >= 3
    assert all(later - earlier >= 1.0 for earlier, later in pairwise(told_after))
    assert watched.told["count"]["person"] in (1, 2, 3)


def test_frame_rate_and_latency_are_told_each_ten_seconds_and_carry_nothing_along(watched: Watched) -> None:
    watched.see(fps=5.0, latency_ms=80.0)
    for number in range(99):
        watched.clock.advance(0.1)
        watched.see(fps=5.0 + number / 10, latency_ms=80.0 + number)
    assert (watched.told["fps"], watched.told["latency_ms"]) == (5.0, 80)
    assert watched.see("person", fps=9.9)["fps"] == 5.0
    watched.clock.advance(0.2)
    assert watched.see(fps=9.94, latency_ms=91.4)["fps"] == 9.9
    assert watched.told["latency_ms"] == 91


def test_an_unchanged_state_is_told_each_minute(watched: Watched) -> None:
    watched.see("person")
    for _ in range(600):
        watched.clock.advance(0.5)
        watched.see("person")
    assert watched.times[:2] == [0.0, 0.0]
    assert watched.times[2:] == [60.0, 120.0, 180.0, 240.0, 300.0]


def test_all_is_told_anew_when_the_broker_may_have_lost_it(watched: Watched) -> None:
    before = watched.see("person")
    watched.told = {}
    assert watched.wait(1.0) == {}
    watched.state.forget_published()
    assert watched.look() == before


def test_with_detect_off_nobody_claims_that_nobody_is_there(watched: Watched) -> None:
    watched.see("person")
    told = watched.status(is_detecting=False)
    assert (told["detect"], told["present"]["person"], told["count"]["person"]) == ("OFF", None, None)
    assert told["availability"] == told["connectivity"].replace("ON", "online")


def test_what_was_seen_before_a_pause_is_forgotten(watched: Watched) -> None:
    watched.see("person")
    watched.status(is_detecting=False)
    told = watched.status(is_detecting=True)
    assert (told["detect"], told["present"]["person"]) == ("ON", None)
    assert watched.see()["present"]["person"] == "OFF"


@pytest.mark.parametrize(
    ("state", "fps", "connectivity", "problem", "availability"),
    [
        ("running", 25.0, "ON", "OFF", "online"),
        ("degraded", 25.0, "ON", "ON", "online"),
        ("frozen", 25.0, "ON", "ON", "online"),
        ("black", 25.0, "ON", "ON", "online"),
        ("connecting", 0.0, "OFF", "OFF", "offline"),
        ("stalled", 0.0, "OFF", "ON", "offline"),
        ("offline", 0.0, "OFF", "ON", "offline"),
        ("ended", 0.0, "OFF", "OFF", "offline"),
        ("paused", 25.0, "ON", "OFF", "online"),
        ("paused", 0.0, "OFF", "OFF", "offline"),
        ("of the future", 25.0, "ON", "OFF", "online"),
    ],
)
def test_a_camera_is_connected_well_and_available_by_its_state(
    state: str, fps: float, connectivity: str, problem: str, availability: str
) -> None:
    told = Watched().status(state=state, fps=fps, reason="why")
    assert (told["connectivity"], told["problem"], told["availability"]) == (connectivity, problem, availability)
    assert told["health"] == {"camera_state": state, "reason": "why"}


@pytest.mark.parametrize(
    ("mode", "switch"),
    [(None, None), ("off", "OFF"), ("continuous", "ON"), ("continuous+events", "ON"), ("on_demand", "ON")],
)
def test_record_is_on_while_there_is_a_reason_to_record(mode: str | None, switch: str | None) -> None:
    assert Watched().status(record_mode=mode)["record"] == switch


def test_a_camera_that_can_sleep_and_is_awake_sees_motion(watched: Watched) -> None:
    assert watched.see()["motion"] == "OFF"
    watched.see(quiet=True)
    assert watched.see()["motion"] == "ON"
    watched.wait(0.2)
    watched.see(quiet=True)
    assert watched.wait(4.7)["motion"] == "ON"
    assert watched.wait(0.2)["motion"] == "OFF"


def test_a_camera_that_never_sleeps_sees_motion_where_a_tracked_object_moves(watched: Watched) -> None:
    watched.state.note_track(track(7, "start"))
    watched.state.note_track(track(8, "start", "stationary"))
    assert watched.see(detection("car", 8))["motion"] == "OFF"
    assert watched.see(detection("car", 8), detection("person", 7))["motion"] == "ON"
    watched.state.note_track(track(7, state="stationary"))
    watched.see(detection("car", 8), detection("person", 7))
    assert watched.wait(5.1)["motion"] == "OFF"


def test_what_the_motion_detector_finds_is_motion(watched: Watched) -> None:
    assert watched.see("motion")["motion"] == "ON"


def test_the_end_of_a_track_ends_its_motion(watched: Watched) -> None:
    watched.state.note_track(track(7))
    watched.state.note_track(track(7, "end"))
    assert watched.see(detection("person", 7))["motion"] == "OFF"


def test_tracks_whose_ends_are_lost_do_not_fill_the_memory(watched: Watched) -> None:
    for number in range(3000):
        watched.state.note_track(track(number))
    assert watched.see(detection("person", 0))["motion"] == "OFF"
    assert watched.see(detection("person", 2999))["motion"] == "ON"


def test_classes_are_told_apart_by_keys_that_templates_can_hold() -> None:
    gate = Watched(("traffic light", "Car", "car", "人", "items"))
    gate.status()
    told = gate.see("traffic light", "car")
    keys = list(told["present"])
    assert all(key.isascii() and key.replace("_", "").isalnum() for key in keys)
    assert [told["present"][key] for key in keys] == ["ON", "OFF", "ON", "OFF", "OFF"]
