"""Which settings there are, read from the models: names that are unknown, and what was probably meant; pure."""

import types
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Annotated, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel

from nvr.config.problems import SettingPath
from nvr.config.site import NvrConfig

Holding: TypeAlias = Literal["one", "list", "by_number"]

_RENAMED = {
    "stream_uris": "cameras",
    "topic_prefix": "broker.topic_prefix",
    "mqtt_enabled": "broker.enabled",
    "instance_id": "processors.instance_prefix",
}
_FORMER_SECTIONS = {"processor": "broker, models, streams, cameras and processors", "recording": "storage"}


def nested_model(annotation: object) -> tuple[Holding, type[BaseModel]] | None:
    """Return the model that a setting holds, and whether it holds one, a list of them, or some by number."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "one", annotation
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is tuple and arguments:
        inner = nested_model(arguments[0])
        return None if inner is None else ("list", inner[1])
    if origin is dict:
        inner = nested_model(arguments[1])
        return None if inner is None else ("by_number", inner[1])
    if origin in {Union, types.UnionType, Annotated}:
        return next((inner for each in arguments if (inner := nested_model(each)) is not None), None)
    return None


def unknown_settings(content: object, model: type[BaseModel] = NvrConfig) -> Iterator[tuple[SettingPath, str]]:
    """Yield every name that is no setting, with what to do about it, in the order of the content."""
    return _unknown(content, model, ())


def without(content: object, paths: set[SettingPath], path: SettingPath = ()) -> object:
    """Return a content without some of its settings."""
    match content:
        case dict():
            kept = {key: value for key, value in content.items() if (*path, key) not in paths}
            return {key: without(value, paths, (*path, key)) for key, value in kept.items()}
        case list():
            return [without(value, paths, (*path, index)) for index, value in enumerate(content)]
        case _:
            return content


def _unknown(content: object, model: type[BaseModel], path: SettingPath) -> Iterator[tuple[SettingPath, str]]:
    if not isinstance(content, dict):
        return
    for name, value in content.items():
        if name in model.model_fields:
            yield from _unknown_within(value, model.model_fields[name].annotation, (*path, name))
        elif model is NvrConfig and name in _FORMER_SECTIONS:
            yield from _former_section(str(name), value)
        else:
            yield (*path, name), f"there is no such setting{_advice(str(name), model)}"


def _unknown_within(value: object, annotation: object, path: SettingPath) -> Iterator[tuple[SettingPath, str]]:
    match nested_model(annotation):
        case ("one", model):
            yield from _unknown(value, model, path)
        case ("list", model) if isinstance(value, list):
            for index, each in enumerate(value):
                yield from _unknown(each, model, (*path, index))
        case ("by_number", model) if isinstance(value, dict):
            for key, each in value.items():
                yield from _unknown(each, model, (*path, key))


def _former_section(section: str, value: object) -> Iterator[tuple[SettingPath, str]]:
    yield (section,), f"there is no such section any more: its settings are in {_FORMER_SECTIONS[section]}"
    for name in value if isinstance(value, dict) else ():
        if (now := _called_now(str(name))) is not None:
            yield (section, name), f"is called {now} now"


def _called_now(name: str) -> str | None:
    if name in _RENAMED:
        return _RENAMED[name]
    if name.startswith("mqtt_"):
        rest = name.removeprefix("mqtt_")
        return f"broker.{rest}" if rest in NvrConfig.model_fields["broker"].default.__class__.model_fields else None
    for section in ("models", "streams", "storage", "processors"):
        if name in type(NvrConfig.model_fields[section].default).model_fields:
            return f"{section}.{name}"
    return None


def _advice(name: str, model: type[BaseModel]) -> str:
    """Return how a sentence about an unknown name goes on: with the nearest that is known."""
    now = _called_now(name)
    if now is None or not name.startswith("mqtt_"):
        near = get_close_matches(name[:80].lower(), model.model_fields, n=1, cutoff=0.6)
        now = near[0] if near else now
    return "" if now is None else f", did you mean {now}?"
