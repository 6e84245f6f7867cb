import threading

import pytest

from nvr.control.registry import MAX_STATUS_BYTES, KnownInstance, Presence, ProcessorRegistry
from nvr.core.clock import ManualClock
from nvr.events.instance_status import CameraStatus, InstanceState, InstanceStatus
from tests.control.fakes import Listening


class Watched:
    """A registry with its changes, fed by the test."""

    def __init__(self, max_instances: int = 10, tenant: str | None = None) -> None:
        self.clock = ManualClock()
        self.connection = Listening()
        self.changes: list[tuple[str, str, str]] = []
        self.registry = ProcessorRegistry(
            self.connection, tenant=tenant, on_change=self._note, max_instances=max_instances, clock=self.clock
        )
        self.registry.start()
        assert self.registry.stop(10)  # its thread; the test calls `check`

    def _note(self, known: KnownInstance) -> None:
        self.changes.append((known.instance_id, known.presence, known.status.state))

    def say(self, name: str, state: InstanceState = "running", *source_ids: int, fps: float = 5.0) -> None:
        status = InstanceStatus(
            instance_id=name,
            state=state,
            timestamp=self.clock.now(),
            heartbeat_s=4,
            cameras=tuple(CameraStatus(source_id=key, name=str(key), state="running", fps=fps) for key in source_ids),
            accepts_commands=True,
        )
        self.connection.deliver(f"nvr/status/{name}", status.to_json())

    def presence(self, name: str) -> Presence | None:
        known = self.registry.get(name)
        return None if known is None else known.presence


def test_tells_where_each_camera_runs() -> None:
    watched = Watched()
    watched.say("b", "running", 2, 3)
    watched.say("a", "degraded", 0, 1)
    assert [known.instance_id for known in watched.registry.instances()] == ["a", "b"]
    assert watched.registry.cameras() == {0: "a", 1: "a", 2: "b", 3: "b"}
    [instance] = watched.registry.instances_of(3)
    assert instance.instance_id == "b"
    assert watched.registry.instances_of(4) == ()


def test_of_a_camera_that_moved_the_instance_that_lives_comes_first() -> None:
    watched = Watched()
    watched.say("a", "running", 1)
    watched.clock.advance(11)
    watched.registry.check()
    watched.say("b", "running", 1)
    assert [known.instance_id for known in watched.registry.instances_of(1)] == ["b", "a"]
    assert watched.registry.cameras() == {1: "b"}


def test_an_instance_is_stale_after_two_and_a_half_heartbeats_and_alive_with_the_next() -> None:
    watched = Watched()
    watched.say("a")
    watched.clock.advance(10)
    watched.registry.check()
    assert watched.presence("a") is Presence.ALIVE
    watched.clock.advance(0.1)
    watched.registry.check()
    watched.registry.check()
    assert [known.instance_id for known in watched.registry.stale()] == ["a"]
    watched.say("a")
    assert watched.changes == [("a", "alive", "running"), ("a", "stale", "running"), ("a", "alive", "running")]


def test_what_the_broker_has_kept_since_yesterday_is_no_sign_of_life() -> None:
    watched = Watched()
    status = InstanceStatus(instance_id="a", state="running", timestamp=watched.clock.now(), heartbeat_s=4)
    watched.clock.advance(86_400)
    watched.connection.deliver("nvr/status/a", status.to_json())
    assert watched.presence("a") is Presence.STALE
    watched.connection.deliver("nvr/status/a", status.to_json())  # again, after a reconnect
    assert watched.presence("a") is Presence.STALE
    watched.say("a")
    assert watched.presence("a") is Presence.ALIVE


def test_a_last_will_makes_it_offline_at_once() -> None:
    watched = Watched()
    watched.say("a", "running", 1)
    will = InstanceStatus.offline("a", "processor", "connection lost")
    watched.connection.deliver("nvr/status/a", will.to_json())
    known = watched.registry.get("a")
    assert known is not None
    assert (known.presence, known.status.reason, known.takes_commands) == (Presence.OFFLINE, "connection lost", False)
    assert watched.registry.cameras() == {}


def test_rates_and_times_are_no_news() -> None:
    watched = Watched()
    watched.say("a", "running", 1, fps=5)
    watched.clock.advance(4)
    watched.say("a", "running", 1, fps=6)
    assert len(watched.changes) == 1
    known = watched.registry.get("a")
    assert known is not None
    assert known.status.cameras[0].fps == 6
    watched.say("a", "running", 1, 2)
    assert len(watched.changes) == 2


def test_a_status_that_is_taken_back_is_forgotten() -> None:
    watched = Watched()
    watched.say("a")
    watched.connection.deliver("nvr/status/a", b"")
    watched.connection.deliver("nvr/status/never", b"")
    assert watched.registry.get("a") is None
    assert watched.changes[-1] == ("a", "offline", "offline")
    assert watched.registry.n_bad == 0


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("nvr/status/a", b"{"),
        ("nvr/status/a", b"[]"),
        ("nvr/status/a", b'{"instance_id": "b", "state": "running"}'),
        ("nvr/status/a", b'{"instance_id": "a", "state": "dancing"}'),
        ("nvr/status/a", b'{"instance_id": "a", "state": "running", "schema_version": "2.0"}'),
        ("nvr/status/a b", b'{"instance_id": "a b", "state": "running"}'),
        ("nvr/metrics/a", b'{"instance_id": "a", "state": "running"}'),
        ("nvr/status/a", b'{"instance_id": "a", "state": "running", "x": "' + bytes(MAX_STATUS_BYTES) + b'"}'),
    ],
)
def test_what_is_no_status_is_counted_and_changes_nothing(topic: str, payload: bytes) -> None:
    watched = Watched()
    watched.connection.deliver(topic, payload)
    assert (watched.registry.n_bad, watched.registry.instances(), watched.changes) == (1, (), [])


def test_a_flood_of_names_is_bounded_and_those_offline_give_way() -> None:
    watched = Watched(max_instances=3)
    for name in "abcd":
        watched.say(name)
    assert [known.instance_id for known in watched.registry.instances()] == ["a", "b", "c"]
    assert watched.registry.n_bad == 1
    watched.connection.deliver("nvr/status/b", InstanceStatus.offline("b", "processor", "gone").to_json())
    watched.say("d")
    assert [known.instance_id for known in watched.registry.instances()] == ["a", "c", "d"]


def test_it_listens_to_its_tenant() -> None:
    assert list(Watched(tenant="acme").connection.handlers) == ["nvr/acme/status/+"]


def test_its_thread_ends() -> None:
    registry = ProcessorRegistry(Listening())
    registry.start()
    assert registry.stop(10)
    assert "registry" not in {thread.name for thread in threading.enumerate()}
