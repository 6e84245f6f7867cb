"""What Home Assistant documents of its discovery, and a check of payloads against it."""

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError  # type: ignore[import-untyped]  # the lock has no stubs

SCHEMA = json.loads((Path(__file__).parent / "schema" / "device_discovery.json").read_text(encoding="utf-8"))
_VALIDATOR = Draft202012Validator(SCHEMA)


def problems(payload: dict[str, Any]) -> list[str]:
    """Return what is wrong with an announcement, each with its place; empty where it is as documented."""
    found = []
    for error in _VALIDATOR.iter_errors(payload):
        place = list(error.absolute_path)
        of_platform = payload["components"].get(place[1], {}) if place[:1] == ["components"] and len(place) > 1 else {}
        nearest = _of_its_platform(error, of_platform.get("platform"))
        found += [f"{'/'.join(map(str, each.absolute_path))}: {each.message[:200]}" for each in nearest]
    return found


def _of_its_platform(error: ValidationError, platform: str | None) -> list[ValidationError]:
    """Return what the schema of the entity's own platform says, in place of `is not valid under any of these`."""
    own = f"#/$defs/{platform}"
    branches = [index for index, branch in enumerate(error.validator_value or []) if branch == {"$ref": own}]
    return [each for each in error.context if each.relative_schema_path[0] in branches] or [error]
