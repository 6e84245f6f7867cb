"""What is wrong with a configuration: which setting, why, and where it stands."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from pydantic import ValidationError

from nvr.core.errors import ConfigurationError
from nvr.core.masking import mask_credentials
from nvr.core.validation import describe_problem

SettingPath: TypeAlias = tuple[str | int, ...]
"""Keys and positions that lead to a setting, such as `("cameras", 0, "uri")`."""

_SAID_AT_MOST = 500
_NAME_READ_AT_MOST = 2000
_NAME_SHOWN_AT_MOST = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that a person must change."""

    path: SettingPath
    """Of the setting; empty for the whole file."""
    message: str
    """What is wrong, without credentials."""
    place: str
    """Such as `nvr.yaml:12:3`, or the name of an environment variable or option."""

    def __str__(self) -> str:
        where = f"{written(self.path)}: " if self.path else ""
        return f"{where}{self.message} ({self.place})"


def written(path: SettingPath) -> str:
    """Return a path as users write it; names of strangers are cut, kept to one line, and show no password."""
    return ".".join(map(_shown, path))


def _shown(step: str | int) -> str:
    text = mask_credentials(str(step)[:_NAME_READ_AT_MOST])
    return (text if text.isprintable() else repr(text))[:_NAME_SHOWN_AT_MOST]


class SettingsError(ConfigurationError):
    """A configuration is wrong; says the first problem and holds all of them."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
        super().__init__(f"{self.problems[0]}{more}")


def problems_of(
    error: ValidationError, *, n_written: Callable[[SettingPath], int], place_of: Callable[[SettingPath], str]
) -> list[Problem]:
    """Return what pydantic found, one problem for each setting.

    Args:
        error: Of the model of the whole configuration.
        n_written: Tells how many steps of a path lead to something that was written down; what follows are the names
            of the choices that pydantic tried.
        place_of: Tells where a setting stands, or what is around it.
    """
    found: dict[SettingPath, Problem] = {}
    for details in error.errors(include_url=False):
        location = details["loc"]
        path = location[: n_written(location) + (details["type"] == "missing")]
        message = describe_problem(details, ".".join(map(str, path)))
        if (same := found.get(path)) is None:
            found[path] = Problem(path, message, place_of((*path, *_within(details.get("ctx", {})))))
        elif message not in same.message:
            _, got, value = message.rpartition(", got ")
            before = same.message.removesuffix(f"{got}{value}") if got else same.message
            found[path] = Problem(path, f"{before}, or: {message}"[:_SAID_AT_MOST], same.place)
    return list(found.values())


def _within(context: Mapping[str, object]) -> SettingPath:
    """Return where within a shape its first problem is: a shape tells its problems in a sentence of its own."""
    cause = getattr(context.get("error"), "__cause__", None)
    return cause.errors(include_url=False)[0]["loc"] if isinstance(cause, ValidationError) else ()
