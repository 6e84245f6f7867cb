"""Say what pydantic found wrong in one line."""

import re
from collections.abc import Mapping, Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from nvr.core.masking import MASK, mask_credentials

_SECRET_FIELD = re.compile(r"passw|secret|token|key", re.IGNORECASE)

_SPACE = re.compile(r"\s")

_LIST_QUOTED_AT_MOST = 8
_QUOTED_AT_MOST = 10_000
"""Signs of a text that are looked at; a payload may be megabytes of nonsense."""


def first_problem(error: ValidationError) -> str:
    """Return one line for the first problem of a validation: the field, what is wrong, the value given."""
    problems = error.errors(include_url=False, include_context=False)
    first = problems[0]
    field = ".".join(str(part) for part in first["loc"])
    rest = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    problem = f"{describe_problem(first, field)}{rest}"
    return f"{field}: {problem}" if field else problem


def describe_problem(problem: ErrorDetails, field: str) -> str:
    """Return what is wrong with a field, and the value given unless it may be a secret or is told already."""
    said = _in_plain_words(problem)
    if problem["type"] == "value_error" and ", got " in said:
        return said
    value = MASK if _SECRET_FIELD.search(field) else _shorten(problem["input"])
    return f"{said}{'' if value is None else f', got {value}'}"


def _in_plain_words(problem: ErrorDetails) -> str:
    """Return pydantic's sentence without words of Python, or names of ours, that users of a file do not know."""
    match problem["type"]:
        case "model_type" if "instance of" in problem["msg"]:
            words = "expected a section, that is name: value"
        case "tuple_type" if "tuple" in problem["msg"]:
            words = "expected a list"
        case "dict_type":
            words = "expected names or numbers with a value each"
        case "too_short" | "string_too_short" if not problem["input"]:
            words = "must not be empty"
        case "too_short" if problem.get("ctx", {}).get("field_type") == "Value":  # pydantic's word for a secret
            words = "expected at least {min_length} characters, not {actual_length}".format_map(problem["ctx"])
        case "path_type":
            words = "expected the path of a file or folder"
        case _:
            words = problem["msg"].removeprefix("Value error, ")
    return words


def _shorten(value: object, limit: int = 60) -> str | None:
    """Return a value as a person may see it; None for a whole section, which may hold a password."""
    if isinstance(value, Mapping):
        return None
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        # spelt out, a few lines of YAML with anchors can be gigabytes
        is_short = len(value) <= _LIST_QUOTED_AT_MOST and all(isinstance(item, int | float) for item in value)
        return repr(value) if is_short else f"a list of {len(value)}"
    if isinstance(value, str | bytes):
        value = value[:_QUOTED_AT_MOST]
    if isinstance(value, str) and "://" in value:
        value = _SPACE.sub("%20", value)  # a password with a space in it is still one
    # Masked before it is cut: without its "@" a password is not seen to be one.
    text = mask_credentials(repr(value))
    return text if len(text) <= limit else f"{text[:limit]}…"
