import pytest

from nvr.control import overlap as overlap_module
from nvr.control.overlap import Overlap

OLD, NEW = object(), object()


def taken(overlap: Overlap, *heard: tuple[object, bytes]) -> list[bytes]:
    return [payload for who, payload in heard if overlap.admits(who, "t", payload, is_current=who is OLD)]


def test_what_both_hear_is_taken_from_the_first() -> None:
    assert taken(Overlap(), (OLD, b"a"), (NEW, b"b"), (NEW, b"a"), (OLD, b"b")) == [b"a", b"b"]


def test_what_one_of_them_hears_is_taken() -> None:
    assert taken(Overlap(), (OLD, b"before"), (NEW, b"after")) == [b"before", b"after"]


def test_two_equal_messages_stay_two() -> None:
    assert taken(Overlap(), (OLD, b"a"), (OLD, b"a"), (NEW, b"a"), (NEW, b"a")) == [b"a", b"a"]
    assert taken(Overlap(), (OLD, b"a"), (NEW, b"a"), (OLD, b"a"), (NEW, b"a")) == [b"a", b"a"]


def test_a_flood_is_taken_from_the_connection_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap_module, "MAX_MESSAGES", 1)
    assert taken(Overlap(), (OLD, b"a"), (NEW, b"b"), (OLD, b"b"), (OLD, b"c")) == [b"a", b"b", b"c"]
