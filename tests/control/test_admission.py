from datetime import timedelta

import pytest

from nvr.control.admission import Admission, check_expiry
from nvr.control.refusal import RefusedError
from nvr.control.signing import signed
from nvr.events.command import Command
from tests.control.fakes import START

KEY = "0123456789abcdef"
SIGNING = Admission(key=KEY, max_skew_s=60)


def refusal(admission: Admission, command: Command, after_s: float = 0.0) -> tuple[str, str]:
    with pytest.raises(RefusedError) as caught:
        admission.check(command, command.to_json(), START + timedelta(seconds=after_s))
    return caught.value.type, str(caught.value)


def test_a_bare_command_is_taken_where_none_need_be_signed() -> None:
    Admission().check(Command(command="pause"), b"{}", START)


def test_no_command_is_taken_where_commands_are_disabled() -> None:
    with pytest.raises(RefusedError) as caught:
        Admission(is_enabled=False).check_enabled()
    assert caught.value.type == "disabled"
    Admission().check_enabled()


def test_a_command_that_came_too_late_has_expired() -> None:
    command = Command(command="pause", expires_at=START)
    check_expiry(command, START - timedelta(milliseconds=1))
    with pytest.raises(RefusedError) as caught:
        check_expiry(command, START)
    assert caught.value.type == "expired"
    assert str(caught.value) == "it expired at 2026-11-20T09:30:00+00:00, now it is 2026-11-20T09:30:00+00:00"


def test_a_signed_command_is_taken_while_it_is_fresh() -> None:
    command = signed(Command(command="pause", command_id="1", issued_at=START), KEY)
    for after_s in (-2.0, 0.0, 60.0):
        SIGNING.check(command, command.to_json(), START + timedelta(seconds=after_s))
    for after_s, limit in ((-2.1, "no more than 2 s ahead of us"), (60.1, "at most 60 s old")):
        type_, reason = refusal(SIGNING, command, after_s)
        assert type_ == "unauthorised"
        assert limit in reason


def test_without_our_signature_nothing_else_is_told() -> None:
    unsigned = Command(command="dance", command_id="1", issued_at=START, expires_at=START)
    assert refusal(SIGNING, unsigned) == ("unauthorised", "this instance takes signed commands only (control.key)")
    foreign = signed(unsigned, "another key of ours")
    assert "not that of this command and our key" in refusal(SIGNING, foreign)[1]


@pytest.mark.parametrize("absent", ["command_id", "issued_at"])
def test_a_signed_command_that_could_be_replayed_is_refused(absent: str) -> None:
    whole = Command(command="pause", command_id="1", issued_at=START)
    type_, reason = refusal(SIGNING, signed(whole.model_copy(update={absent: None}), KEY))
    assert (type_, "could be replayed" in reason) == ("unauthorised", True)


def test_a_disabled_instance_asks_for_the_signature_first() -> None:
    admission = Admission(is_enabled=False, key=KEY)
    assert refusal(admission, Command(command="pause"))[0] == "unauthorised"
