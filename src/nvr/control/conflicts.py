"""Which commands may not be in work at the same time; pure.

A command touches things; two that touch the same thing conflict. What a camera is looked at with, how it is looked at
and what is recorded of it are different things: a pause never waits for a recording.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from pydantic import JsonValue

from nvr.control.parameters import AddStreamParameters, ChangeModelParameters, Parameters, UpdateStreamParameters

Aspect = Literal["everything", "looking", "tuning", "recording", "new camera", "name", "model", "log"]

_CAMERA_ASPECTS: dict[str, tuple[Aspect, ...]] = {
    "pause": ("looking",),
    "resume": ("looking",),
    "set_fps": ("tuning",),
    "set_confidence": ("tuning",),
    "record_start": ("recording",),
    "record_stop": ("recording",),
    "snapshot": (),
    "update_stream": ("looking", "tuning", "recording"),
    "remove_stream": ("looking", "tuning", "recording"),
}
_EVERYTHING = frozenset({"restart", "reload", "rename_instance"})


class Thing(NamedTuple):
    """Something that a command changes."""

    aspect: Aspect
    key: int | str | None = None
    """A camera, a name or a model; None for all."""


def touched(name: str, parameters: Parameters, source_ids: Iterable[int] | None) -> frozenset[Thing]:
    """Return what a command changes; empty for one that asks, and for `stop`, which nothing may hold up."""
    if name in _EVERYTHING:
        return frozenset({Thing("everything")})
    if name == "set_log_level":
        return frozenset({Thing("log")})
    match parameters:
        case ChangeModelParameters():
            return frozenset({Thing("model", parameters.instead_of)})
        case AddStreamParameters():
            source_id, names = parameters.camera.source_id, _names(parameters.camera.name)
            if source_id is None:  # the next free number is its own
                return names | {Thing("new camera")}
            return names | {Thing(aspect, source_id) for aspect in _CAMERA_ASPECTS["update_stream"]}
    names = _names(parameters.changes.get("name")) if isinstance(parameters, UpdateStreamParameters) else frozenset()
    aspects = _CAMERA_ASPECTS.get(name, ())
    keys = (None,) if source_ids is None else tuple(source_ids)
    return names | {Thing(aspect, key) for aspect in aspects for key in keys}


def _names(name: JsonValue) -> frozenset[Thing]:
    """Return the name that a camera is given: two that are given the same at once would both find it free."""
    return frozenset({Thing("name", name)}) if isinstance(name, str) else frozenset()


def do_conflict(first: frozenset[Thing], second: frozenset[Thing]) -> bool:
    """Tell whether two commands change the same thing."""
    if not first or not second:
        return False
    if Thing("everything") in first | second:
        return True
    one, other = _not_shared(first), _not_shared(second)
    if not one.isdisjoint(other):
        return True
    # thousands of cameras may be named, and the connection's thread waits: no camera is compared with each other one
    of_all_in_one, of_all_in_other = _of_all(one), _of_all(other)
    return any(thing.aspect in of_all_in_other for thing in one) or any(
        thing.aspect in of_all_in_one for thing in other
    )


def _not_shared(things: frozenset[Thing]) -> frozenset[Thing]:
    return frozenset(thing for thing in things if thing.aspect != "new camera")  # two new ones get a number each


def _of_all(things: frozenset[Thing]) -> frozenset[Aspect]:
    return frozenset(thing.aspect for thing in things if thing.key is None)
