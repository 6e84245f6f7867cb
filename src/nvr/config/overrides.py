"""Settings from the environment and the command line, which stand above the file; pure."""

import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr

from nvr.config.known_settings import nested_model
from nvr.config.problems import Problem, SettingPath, SettingsError
from nvr.config.site import NvrConfig
from nvr.config.yaml_tree import compose, content_of

PREFIX = "NVR_"
_SEPARATOR = "__"
_SHOWN_AT_MOST = 120


@dataclass(frozen=True, slots=True)
class Override:
    """One setting from above the file."""

    path: SettingPath
    value: object
    origin: str
    """Which variable or option says so."""
    is_fallback: bool = False
    """It counts only where the file says nothing about the setting; then it stands before those that always count."""


def sections() -> dict[str, type[BaseModel]]:
    """Return the sections that hold settings of their own, which variables and options can set."""
    models = {name: nested_model(field.annotation) for name, field in NvrConfig.model_fields.items()}
    return {name: model[1] for name, model in models.items() if model is not None and model[0] == "one"}


def variable_of(section: str, setting: str) -> str:
    """Return the environment variable of a setting."""
    return f"{PREFIX}{section.upper()}{_SEPARATOR}{setting.upper()}"


def is_setting_variable(name: str) -> bool:
    """Tell whether a variable is written as a setting is: `NVR_<SECTION>__<SETTING>`."""
    return name.startswith(PREFIX) and _SEPARATOR in name


def without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without its settings, for a child whose file has them already."""
    return {name: value for name, value in environment.items() if not is_setting_variable(name)}


def from_environment(environment: Mapping[str, str]) -> tuple[Override, ...]:
    """Return the settings that `NVR_<SECTION>__<SETTING>` variables give.

    Texts are taken as they are; numbers, lists and the like are read as YAML, lists of words also with commas. A
    variable that is set to nothing means null where a setting may be.

    Raises:
        SettingsError: There is no such section or setting, a variable is written otherwise and can only be meant as
            one, or a value is no YAML; holds all such problems.
    """
    known = {
        variable_of(section, setting): (section, setting, field.annotation)
        for section, model in sections().items()
        for setting, field in model.model_fields.items()
    }
    problems, overrides = list[Problem](), list[Override]()
    for name in sorted(environment):
        if name not in known:
            if (mistake := _mistake_in(name, environment[name], known)) is not None:
                problems.append(Problem((), mistake, "environment"))
            continue
        section, setting, annotation = known[name]
        try:
            value = _value(environment[name], annotation, name)
        except SettingsError as error:
            problems += [Problem((section, setting), each.message, name) for each in error.problems]
            continue
        overrides.append(Override((section, setting), value, name))
    if problems:
        raise SettingsError(problems)
    return tuple(overrides)


def effective(content: object, overrides: Iterable[Override]) -> tuple[Override, ...]:
    """Return the overrides without those that the content makes idle."""
    return tuple(each for each in overrides if not (each.is_fallback and _says(content, each.path)))


def _says(content: object, path: SettingPath) -> bool:
    for step in path:
        if not isinstance(content, dict) or step not in content:
            return False
        content = content[step]
    return True


def with_overrides(content: object, overrides: Iterable[Override]) -> object:
    """Return a content with settings in place of what it says itself; what is no section stays as it is."""
    if not isinstance(content, dict):
        return content
    changed: dict[object, object] = dict(content)
    for override in overrides:
        if len(override.path) == 1:
            changed[override.path[0]] = override.value
            continue
        section, setting = override.path
        if isinstance(before := {} if changed.get(section) is None else changed[section], dict):
            changed[section] = {**before, setting: override.value}
    return changed


def _mistake_in(name: str, value: str, known: Iterable[str]) -> str | None:
    """Return what is wrong with a variable that is no setting; None for one that is for something else."""
    if not name.startswith(PREFIX):
        return None
    section = name.removeprefix(PREFIX).partition(_SEPARATOR)[0].lower()
    shown = name[:_SHOWN_AT_MOST] if name.isprintable() else repr(name[:_SHOWN_AT_MOST])
    if section in NvrConfig.model_fields.keys() - sections().keys():
        return f"{shown}: {section} are set in the file only"
    if is_setting_variable(name):
        near = _nearest(name, section, known)
        return f"{shown}: there is no such setting{f', did you mean {near}?' if near else ''}"
    if section in sections():
        example = variable_of(section, next(iter(sections()[section].model_fields)))
        return f"{shown}: names a whole section, and each setting has a variable of its own, such as {example}"
    # Kubernetes and Docker set NVR_BROKER_PORT=tcp://… for a service that is called nvr-broker
    meant = None if "://" in value else next((each for each in known if each.replace("__", "_") == name), None)
    return None if meant is None else f"{shown}: there is no such setting, did you mean {meant}?"


def _nearest(name: str, section: str, known: Iterable[str]) -> str | None:
    within = [each for each in known if each.startswith(f"{PREFIX}{section.upper()}{_SEPARATOR}")]
    near = get_close_matches(name[:_SHOWN_AT_MOST], within or known, n=1, cutoff=0.75)
    return near[0] if near else None


def _value(text: str, annotation: object, name: str) -> object:
    choices = _choices(annotation)
    if not text and type(None) in choices:
        return None
    if {str, SecretStr, Path} & choices:
        return text
    value = content_of(compose(text, name, read_text=_as_it_is, read_secret=_no_secret), name)
    if isinstance(value, str) and tuple in {get_origin(choice) for choice in choices}:
        return [word.strip() for word in value.split(",") if word.strip()]
    return value


def _choices(annotation: object) -> set[object]:
    if get_origin(annotation) in {Union, types.UnionType}:
        return set().union(*map(_choices, get_args(annotation)))
    return _choices(get_args(annotation)[0]) if get_origin(annotation) is Annotated else {annotation}


def _as_it_is(text: str) -> tuple[str, tuple[str, ...]]:
    return text, ()


def _no_secret(_name: str) -> tuple[str, tuple[str, ...]]:
    raise ValueError("!secret is for files only")
