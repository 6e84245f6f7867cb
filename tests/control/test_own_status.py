from datetime import timedelta

import pytest

from nvr.control.own_status import MAX_LIVES, OwnStatus
from nvr.core.clock import ManualClock
from nvr.events.instance_status import InstanceStatus

HEARTBEAT_S = 2.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def own(clock: ManualClock) -> OwnStatus:
    made = OwnStatus(clock)
    status = said(clock, pid=1)
    made.note(status, status.to_json())
    return made


def said(clock: ManualClock, pid: int, host: str = "attic") -> InstanceStatus:
    return InstanceStatus(
        instance_id="gate", state="running", timestamp=clock.now(), heartbeat_s=HEARTBEAT_S, host=host, pid=pid
    )


def test_who_says_two_things_under_our_name_lives(
    own: OwnStatus, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("ERROR", "nvr")
    first = said(clock, pid=2, host="cellar")
    own.hear(first.to_json())
    own.hear(first.to_json())  # the broker repeats what it has kept
    assert own.namesake is None
    for _ in range(2):
        clock.advance(1)
        assert not own.hear(said(clock, pid=2, host="cellar").to_json())
    assert own.namesake == "process 2 on 'cellar'"
    assert len(caplog.records) == 1
    assert "process 2 on 'cellar' is also called gate" in caplog.text


def test_a_namesake_that_falls_silent_is_gone(own: OwnStatus, clock: ManualClock) -> None:
    for _ in range(2):
        clock.advance(1)
        own.hear(said(clock, pid=2).to_json())
    clock.advance(2.4 * HEARTBEAT_S)
    assert own.namesake is not None
    clock.advance(HEARTBEAT_S)
    assert own.namesake is None


def test_what_we_say_ourselves_is_nobody_else(own: OwnStatus, clock: ManualClock) -> None:
    for _ in range(3):
        clock.advance(1)
        assert not own.hear(said(clock, pid=1).to_json())
    assert own.namesake is None


@pytest.mark.parametrize(
    "payload", [b"", b"{", InstanceStatus.offline("gate", "processor", "connection lost").to_json()]
)
def test_what_says_that_we_are_gone_is_to_be_overwritten(own: OwnStatus, payload: bytes) -> None:
    assert own.hear(payload)


def test_what_was_kept_before_we_said_anything_is_of_the_past(clock: ManualClock) -> None:
    assert not OwnStatus(clock).hear(b"")


def test_many_that_are_made_up_fill_no_memory(own: OwnStatus, clock: ManualClock) -> None:
    for pid in range(2, 10 * MAX_LIVES):
        own.hear(said(clock, pid=pid).to_json())
    assert len(own._others) == MAX_LIVES
    clock.advance(timedelta(hours=1).total_seconds())
    for _ in range(2):
        clock.advance(1)
        own.hear(said(clock, pid=9999).to_json())
    assert own.namesake == "process 9999 on 'attic'", "those that are gone make room"
