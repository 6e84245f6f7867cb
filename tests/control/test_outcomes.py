from nvr.control.outcomes import Outcome, Outcomes, fingerprint
from nvr.events.command import Command
from tests.control.fakes import START


def test_the_oldest_answers_go_first_and_those_asked_for_stay() -> None:
    outcomes = Outcomes(max_outcomes=2)
    outcomes.put("a", Outcome("", b"1"))
    outcomes.put("b", Outcome("", b"2"))
    assert outcomes.get("a") is not None
    outcomes.put("c", Outcome("", b"3"))
    assert outcomes.get("b") is None
    assert [outcomes.get(name) is not None for name in "ac"] == [True, True]


def test_large_answers_are_bounded_together() -> None:
    outcomes = Outcomes(max_bytes=10)
    for name in "abc":
        outcomes.put(name, Outcome("", b"12345"))
    assert len(outcomes) == 2
    outcomes.put("huge", Outcome("", bytes(100)))
    assert (len(outcomes), outcomes.get("huge") is not None) == (1, True)
    outcomes.put("huge", Outcome("", b""))
    outcomes.put("d", Outcome("", bytes(10)))
    assert len(outcomes) == 2


def test_who_asks_and_when_makes_no_other_command() -> None:
    command = Command(command="pause", source_ids=(1,), params={"hang_up": True})
    again = command.model_copy(update={"command_id": "1", "issuer": "me", "issued_at": START, "signature": "ab"})
    assert fingerprint(command) == fingerprint(again)
    others: list[dict[str, object]] = [{"command": "stop"}, {"source_ids": (2,)}, {"source_ids": None}, {"params": {}}]
    for other in others:
        assert fingerprint(command) != fingerprint(command.model_copy(update=other))
