"""Settings for people: each with its value and where it comes from, without a password; pure."""

import json
from collections.abc import Iterator
from pathlib import PurePath

from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined

from nvr.config.file import ReadConfig
from nvr.config.numbering import number_cameras
from nvr.config.placeholders import scrub
from nvr.config.problems import SettingPath
from nvr.core.masking import MASK, mask_credentials


def show(read: ReadConfig, *, changed_only: bool = False) -> str:
    """Return the settings as YAML, each that is not the default with a comment that says what gives it.

    Args:
        read: The configuration with its origins.
        changed_only: Leave out what is as by default.
    """
    return "".join(f"{line}\n" for line in _lines(read, changed_only))


def _lines(read: ReadConfig, changed_only: bool) -> Iterator[str]:
    numbered, _ = number_cameras(read.config)
    for name in type(numbered).model_fields:
        section = getattr(numbered, name)
        if isinstance(section, BaseModel):
            lines = list(_settings(read, section, (name,), changed_only))
            if lines or not changed_only:
                yield f"{name}:"
            yield from (f"  {line}" for line in lines)
        elif section:
            yield f"{name}:"
            for index, entry in enumerate(section):
                lines = list(_settings(read, entry, (name, index), changed_only=True))
                yield from (f"  {'  ' if n else '- '}{line}" for n, line in enumerate(lines))
        elif not changed_only:
            yield f"{name}: []"


def _settings(read: ReadConfig, section: BaseModel, path: SettingPath, changed_only: bool) -> Iterator[str]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        place = read.place_of((*path, name))
        if place is None and name == "source_id":
            place = "the next free number"
        is_changed = place is not None and value != field.default
        if is_changed or not changed_only or field.default is PydanticUndefined:
            shown = json.dumps(_shown(read, value, (*path, name)), ensure_ascii=False)
            yield f"{name}: {shown}{f'  # {place}' if is_changed else ''}"


def _shown(read: ReadConfig, value: object, path: SettingPath) -> object:
    match value:
        case SecretStr():
            return MASK
        case BaseModel():
            names = [name for name in type(value).model_fields if name in value.model_fields_set]
            return {name: _shown(read, getattr(value, name), (*path, name)) for name in names}
        case dict():
            return {key: _shown(read, each, (*path, key)) for key, each in value.items()}
        case list() | tuple():
            return [_shown(read, each, (*path, index)) for index, each in enumerate(value)]
        case str() | PurePath():
            return scrub(mask_credentials(str(value)), read.secrets_of(path))
        case _:
            return MASK if read.secrets_of(path) else value
