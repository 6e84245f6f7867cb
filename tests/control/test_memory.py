from datetime import timedelta

import pytest

from nvr.control import memory as memory_module
from nvr.control.admission import AHEAD_S
from nvr.control.memory import CommandMemory
from nvr.control.outcomes import Outcome
from nvr.control.refusal import RefusedError
from nvr.core.clock import ManualClock

SKEW_S = 60.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def memory(clock: ManualClock) -> CommandMemory:
    made = CommandMemory(clock=clock)
    clock.advance(AHEAD_S)
    return made


def take(memory: CommandMemory, clock: ManualClock, command_id: str, ago_s: float = -0.001) -> str | None:
    """Return why a signed command that was issued so long ago is refused."""
    try:
        memory.take_signed(command_id, clock.now() - timedelta(seconds=ago_s), SKEW_S)
    except RefusedError as error:
        return f"{error.type}: {error}"
    return None


def test_a_signed_command_is_taken_once_for_as_long_as_its_age_allows(
    memory: CommandMemory, clock: ManualClock
) -> None:
    issued_at = clock.now() + timedelta(seconds=1)
    memory.take_signed("1", issued_at, SKEW_S)
    for _ in range(70):
        with pytest.raises(RefusedError):
            memory.take_signed("1", issued_at, SKEW_S)
        clock.advance(1)


def test_what_may_have_been_taken_before_the_start_is_refused(clock: ManualClock) -> None:
    clock.advance(100)
    memory = CommandMemory(clock=clock)
    assert "sign it again" in str(take(memory, clock, "before", ago_s=0.1))
    # who signed it had a clock that was ahead by as much as is allowed
    assert "sign it again" in str(take(memory, clock, "ahead", ago_s=-AHEAD_S))
    clock.advance(AHEAD_S)
    assert take(memory, clock, "after") is None


def test_more_than_can_be_kept_are_refused_by_their_age(
    memory: CommandMemory, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_module, "MAX_SIGNED", 3)
    issued = []
    for number in range(5):
        clock.advance(1)
        issued.append(clock.now())
        assert take(memory, clock, str(number), ago_s=0) is None
    for number, issued_at in enumerate(issued):
        with pytest.raises(RefusedError):
            memory.take_signed(str(number), issued_at, SKEW_S)
    assert take(memory, clock, "new", ago_s=0.5) is None


def test_a_limit_of_the_age_that_is_raised_lets_none_in_again(memory: CommandMemory, clock: ManualClock) -> None:
    clock.advance(1)
    issued_at = clock.now()
    memory.take_signed("1", issued_at, SKEW_S)
    clock.advance(SKEW_S + 1)
    assert take(memory, clock, "2") is None
    with pytest.raises(RefusedError):
        memory.take_signed("1", issued_at, 3600)


def test_what_came_while_nothing_was_signed_is_refused_afterwards(memory: CommandMemory, clock: ManualClock) -> None:
    clock.advance(1)
    memory.begin_anew()
    assert take(memory, clock, "1", ago_s=0) is not None
    clock.advance(AHEAD_S)
    assert take(memory, clock, "2") is None


def test_outcomes_are_remembered_whatever_agent_asks(memory: CommandMemory) -> None:
    memory.remember("1", Outcome("print", b"{}"))
    assert memory.outcome("1") == Outcome("print", b"{}")
    assert memory.outcome("2") is None
