import json

import pytest

from nvr.control.home_assistant.announcer import GRACE_S, Announcer, Message
from nvr.control.home_assistant.discovery import AnnouncedCamera, Site
from nvr.events.protocol import Topics

GATE = AnnouncedCamera(3, "Gate", has_recorder=True)
YARD = AnnouncedCamera(4, "Yard", has_recorder=True)
CONFIG_3 = "homeassistant/device/nvr_default_3/config"
CONFIG_4 = "homeassistant/device/nvr_default_4/config"
STATE_3 = "nvr/homeassistant/3/state"
REMOVED_3 = {CONFIG_3: b"", STATE_3: b""}


def site(name: str, classes: tuple[str, ...] = ("person",)) -> Site:
    return Site(Topics(), name, classes, has_switches=True, has_snapshots=False, version="0.1.0")


class Broker:
    """What is retained, with every instance told of every announcement."""

    def __init__(self) -> None:
        self.retained: dict[str, bytes] = {}
        self.history: list[Message] = []
        self.instances: list[Announcer] = []
        self.now_s = 0.0

    def instance(self, name: str, classes: tuple[str, ...] = ("person",)) -> Announcer:
        announcer = Announcer(site(name, classes), "homeassistant")
        self.instances.append(announcer)
        for topic, payload in self.retained.items():
            self.publish(announcer.heard(topic, payload, self.now_s))
        return announcer

    def publish(self, messages: list[Message]) -> None:
        for message in messages:
            self.history.append(message)
            if message.payload:
                self.retained[message.topic] = message.payload
            else:
                self.retained.pop(message.topic, None)
            for each in self.instances:
                self.publish(each.heard(message.topic, message.payload, self.now_s))

    def wait(self, seconds: float) -> None:
        self.now_s += seconds
        for each in self.instances:
            self.publish(each.take_back(self.now_s))

    def set_cameras(self, announcer: Announcer, *cameras: AnnouncedCamera) -> None:
        self.publish(announcer.set_cameras(cameras, self.now_s))

    def entities(self, topic: str = CONFIG_3) -> set[str]:
        return set(json.loads(self.retained[topic])["components"])

    def owner(self, topic: str = CONFIG_3) -> str:
        owner: str = json.loads(self.retained[topic])["availability"][0]["topic"].rpartition("/")[2]
        return owner


@pytest.fixture
def broker() -> Broker:
    return Broker()


def test_the_instance_is_announced_before_its_cameras(broker: Broker) -> None:
    broker.set_cameras(broker.instance("one"), GATE, YARD)
    assert [message.topic for message in broker.history] == [
        "homeassistant/device/nvr_default_instance_one/config",
        CONFIG_3,
        CONFIG_4,
    ]


def test_what_has_not_changed_is_not_announced_again(broker: Broker) -> None:
    one = broker.instance("one")
    broker.set_cameras(one, GATE)
    before = len(broker.history)
    broker.set_cameras(one, GATE)
    assert len(broker.history) == before
    broker.set_cameras(one, AnnouncedCamera(3, "Front gate", has_recorder=True))
    assert len(broker.history) == before + 1


def test_an_instance_without_cameras_announces_nothing(broker: Broker) -> None:
    one = broker.instance("one")
    broker.set_cameras(one)
    assert one.announce_all() == []
    assert broker.history == []


def test_a_camera_that_is_removed_is_taken_back_with_its_state(broker: Broker) -> None:
    one = broker.instance("one")
    broker.set_cameras(one, GATE, YARD)
    broker.set_cameras(one, YARD)
    broker.wait(GRACE_S - 0.1)
    assert CONFIG_3 in broker.retained
    broker.wait(0.2)
    assert {message.topic: message.payload for message in broker.history[-2:]} == REMOVED_3
    assert CONFIG_4 in broker.retained


def test_a_camera_that_comes_back_in_time_was_never_gone(broker: Broker) -> None:
    one = broker.instance("one")
    broker.set_cameras(one, GATE)
    broker.set_cameras(one)
    broker.wait(5.0)
    broker.set_cameras(one, GATE)
    broker.wait(60.0)
    assert CONFIG_3 in broker.retained
    assert all(message.payload for message in broker.history)


@pytest.mark.parametrize("comes_first", [True, False])
def test_a_camera_that_moves_to_another_instance_is_never_taken_back(broker: Broker, comes_first: bool) -> None:
    one, two = broker.instance("one"), broker.instance("two")
    broker.set_cameras(one, GATE)
    if comes_first:
        broker.set_cameras(two, GATE)
        broker.set_cameras(one)
    else:
        broker.set_cameras(one)
        broker.wait(5.0)
        broker.set_cameras(two, GATE)
    broker.wait(60.0)
    assert broker.owner() == "two"
    assert all(message.payload for message in broker.history)
    broker.set_cameras(two)
    broker.wait(60.0)
    assert CONFIG_3 not in broker.retained


def test_a_camera_that_was_removed_while_nothing_ran_is_taken_back(broker: Broker) -> None:
    broker.set_cameras(broker.instance("one"), GATE, YARD)
    broker.instances.clear()
    broker.set_cameras(broker.instance("one"), YARD)
    broker.wait(60.0)
    assert CONFIG_3 not in broker.retained
    assert CONFIG_4 in broker.retained


def test_a_camera_of_another_instance_is_left_alone(broker: Broker) -> None:
    broker.set_cameras(broker.instance("one"), GATE)
    broker.instances.clear()
    broker.set_cameras(broker.instance("two"), YARD)
    broker.wait(60.0)
    assert broker.owner() == "one"


def test_entities_that_are_not_wanted_any_more_are_taken_away(broker: Broker) -> None:
    broker.set_cameras(broker.instance("one", ("person", "dog")), GATE)
    assert "class_dog" in broker.entities()
    broker.instances.clear()
    broker.set_cameras(broker.instance("one"), GATE)
    assert "class_dog" not in broker.entities()
    removing = [json.loads(message.payload) for message in broker.history if message.topic == CONFIG_3][-2]
    assert removing["components"]["class_dog"] == {"platform": "binary_sensor"}
    assert removing["components"]["count_dog"] == {"platform": "sensor"}
    assert len(removing["components"]["class_person"]) > 1


def test_two_instances_with_different_classes_come_to_rest(broker: Broker) -> None:
    one, two = broker.instance("one", ("person",)), broker.instance("two", ("dog",))
    broker.set_cameras(one, GATE)
    broker.set_cameras(two, GATE)
    assert len(broker.history) < 12


def test_a_camera_without_a_recorder_loses_its_switch(broker: Broker) -> None:
    one = broker.instance("one")
    broker.set_cameras(one, GATE)
    broker.set_cameras(one, AnnouncedCamera(3, "Gate", has_recorder=False))
    assert "record" not in broker.entities()
    assert any(b'"record":{"platform":"switch"}' in message.payload for message in broker.history)


def test_a_new_name_takes_the_cameras_along(broker: Broker) -> None:
    one = broker.instance("one")
    broker.set_cameras(one, GATE, YARD)
    broker.set_cameras(one, YARD)
    broker.publish(one.change(site("gate-house")))
    assert broker.owner(CONFIG_4) == "gate-house"
    assert "homeassistant/device/nvr_default_instance_one/config" not in broker.retained
    assert broker.history[-1].payload == b""
    broker.wait(60.0)
    assert CONFIG_3 not in broker.retained


def test_other_classes_take_the_place_of_those_of_before(broker: Broker) -> None:
    one = broker.instance("one", ("person", "dog"))
    broker.set_cameras(one, GATE)
    broker.publish(one.change(site("one", ("car",))))
    assert {"class_car", "count_car"} <= broker.entities()
    assert {"class_person", "class_dog"}.isdisjoint(broker.entities())
    assert any(b'"class_dog":{"platform":"binary_sensor"}' in message.payload for message in broker.history)
    assert "homeassistant/device/nvr_default_instance_one/config" in broker.retained


def test_nothing_is_left_when_nobody_wants_it_any_more(broker: Broker) -> None:
    one = broker.instance("one")
    broker.set_cameras(one, GATE, YARD)
    broker.publish([Message(STATE_3, b"{}")])
    broker.set_cameras(one, GATE)
    broker.publish(one.withdraw())
    assert broker.retained == {}


@pytest.mark.parametrize(
    "topic",
    [
        "homeassistant/device/nvr_default_instance_one/config",
        "homeassistant/device/nvr_acme_3/config",
        "homeassistant/device/zigbee_1/config",
        "homeassistant/sensor/nvr_default_3/config",
        "homeassistant/device/nvr_default_3/state",
        "homeassistant/status",
        "",
    ],
)
def test_what_is_no_announcement_of_a_camera_of_the_tenant_is_passed_over(broker: Broker, topic: str) -> None:
    one = broker.instance("one")
    assert one.heard(topic, b"{}", 0.0) == []
    broker.wait(60.0)
    assert broker.history == []
