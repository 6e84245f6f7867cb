import json

import pytest

from nvr.control.home_assistant.announcement import MAX_ANNOUNCEMENT_BYTES, read_announcement
from nvr.control.home_assistant.discovery import AnnouncedCamera, Site, camera_payload, to_bytes, without
from nvr.events.protocol import Topics

SITE = Site(Topics(), "gate-house", ("person",), has_switches=True, has_snapshots=False, version="0.1.0")
PAYLOAD = camera_payload(AnnouncedCamera(3, "Gate", has_recorder=False), SITE)


def test_an_announcement_tells_whose_it_is_and_what_it_has() -> None:
    read = read_announcement(to_bytes(PAYLOAD))
    assert read is not None
    assert read.status_topic == "nvr/status/gate-house"
    assert (read.platforms["class_person"], read.platforms["detect"]) == ("binary_sensor", "switch")


def test_what_an_announcement_takes_away_is_none_of_its_entities() -> None:
    read = read_announcement(to_bytes(without(PAYLOAD, {"class_dog": "binary_sensor"})))
    assert read is not None
    assert "class_dog" not in read.platforms
    assert "class_person" in read.platforms


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"origin": {"name": "zigbee2mqtt"}}',
        b'{"origin": {"name": "nvr-multiplexer"}, "availability": [], "components": {}}',
        b'{"origin": {"name": "nvr-multiplexer"}, "availability": [{"topic": 3}], "components": {}}',
        b'{"origin": {"name": "nvr-multiplexer"}, "availability": [{"topic": "a"}], "components": []}',
        b'{"origin":{"name":"nvr-multiplexer"},"availability":[{"topic":""}], "components": {"a": {"b": 1, "c": 2}}}',
        b'{"origin": "nvr-multiplexer"}',
        json.dumps({**PAYLOAD, "padding": "x" * MAX_ANNOUNCEMENT_BYTES}).encode(),
    ],
    ids=lambda payload: repr(payload[:40]),
)
def test_what_is_no_announcement_of_ours_is_none(payload: bytes) -> None:
    assert read_announcement(payload) is None
