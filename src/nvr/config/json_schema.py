"""The configuration file as JSON Schema, by which editors complete, explain and check it; pure."""

from typing import TypeAlias

from pydantic import JsonValue

from nvr.config.site import NvrConfig

Schema: TypeAlias = dict[str, JsonValue]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PLACEHOLDER: JsonValue = {"type": "string", "pattern": r"^\$\{.*\}$"}
_NO_TEXT = frozenset({"integer", "number", "boolean"})


def site_schema() -> Schema:
    """Return the JSON Schema of `NvrConfig`, where `${NAME}` may also stand for a number or a truth value."""
    schema = NvrConfig.model_json_schema()
    sections = [schema, *schema.get("$defs", {}).values()]
    for section in sections:
        for setting in section.get("properties", {}).values():
            _admit_placeholder(setting)
    return {"$schema": _DIALECT, **schema, "title": "nvr.yaml"}


def _admit_placeholder(setting: Schema) -> None:
    kind, choices = setting.get("type"), setting.get("anyOf")
    if kind in _NO_TEXT:
        limits = {name: setting.pop(name) for name in tuple(setting) if name not in {"default", "description", "title"}}
        setting["anyOf"] = [limits, _PLACEHOLDER]
    elif isinstance(choices, list) and any(isinstance(each, dict) and each.get("type") in _NO_TEXT for each in choices):
        choices.append(_PLACEHOLDER)
