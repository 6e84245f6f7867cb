"""Read the configuration file, with what the environment and the command line put above it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from nvr.config.known_settings import unknown_settings, without
from nvr.config.overrides import Override, effective, with_overrides
from nvr.config.placeholders import fill_in, scrub
from nvr.config.problems import Problem, SettingPath, SettingsError, problems_of
from nvr.config.site import NvrConfig
from nvr.config.yaml_tree import Node, ScalarNode, compose, content_of, key_place, secret_texts, steps
from nvr.core.errors import ConfigurationError

MAX_FILE_BYTES = 1_000_000
MAX_SECRET_BYTES = 64 * 1024
MAX_UNKNOWN = 100
"""Unknown settings that are told: a file with more of them is another sort of file."""

NO_ENVIRONMENT: Mapping[str, str] = MappingProxyType({})

ReadSecret = Callable[[str], str]


@dataclass(frozen=True)
class ReadConfig:
    """A configuration, and where each of its settings comes from."""

    config: NvrConfig
    origin: str
    """The file, as its reader called it."""
    tree: Node | None
    overrides: tuple[Override, ...]

    def place_of(self, path: SettingPath) -> str | None:
        """Return what gives a setting: `nvr.yaml:12:3`, a variable or an option; None for a default."""
        if (override := _override_of(path, self.overrides)) is not None:
            return override.origin
        nodes = steps(self.tree, path)
        return nodes[-1].place if len(nodes) == len(path) + 1 else None

    def secrets_of(self, path: SettingPath) -> tuple[str, ...]:
        """Return the pieces of a setting's text that come from secret files or variables with a secret's name."""
        nodes = steps(self.tree, path)
        is_found = len(nodes) == len(path) + 1 and _override_of(path, self.overrides) is None
        return nodes[-1].secrets if is_found and isinstance(nodes[-1], ScalarNode) else ()


def load_config(
    path: Path, environment: Mapping[str, str] = NO_ENVIRONMENT, *, overrides: Iterable[Override] = ()
) -> NvrConfig:
    """Read a configuration file; an empty one gives the defaults.

    Args:
        path: The file. Names after `!secret` are relative to its folder.
        environment: Fills in `${NAME}`. Its own settings count only as `overrides`, see `overrides.from_environment`.
        overrides: Settings above those of the file, the last of several for one setting wins.

    Raises:
        SettingsError: The file is absent, too large, no YAML, or a setting is unknown or wrong; a
            `ConfigurationError` that says the first problem and holds all of them.
    """
    return read_config(path, environment, overrides=overrides).config


def read_config(
    path: Path | None,
    environment: Mapping[str, str] = NO_ENVIRONMENT,
    *,
    overrides: Iterable[Override] = (),
    on_file: Callable[[Path], None] = lambda _: None,
) -> ReadConfig:
    """As `load_config`, with where each setting comes from; without a file from `overrides` alone.

    `on_file` is called with each file before it is opened: the configuration and those that `!secret` names.
    """
    if path is None:
        return _build({}, None, "settings", tuple(overrides))
    on_file(path)
    return _read(
        _text_of(path),
        str(path),
        environment=environment,
        overrides=tuple(overrides),
        read_secret=lambda name: read_secret(path.parent, name, on_file),
    )


def parse_config(
    source: object,
    origin: str,
    environment: Mapping[str, str] = NO_ENVIRONMENT,
    *,
    overrides: Iterable[Override] = (),
) -> NvrConfig:
    """Validate the text of a configuration file, or its content as dicts and lists; pure.

    Raises:
        SettingsError: A setting is unknown or wrong; names `origin`, the setting and the value.
    """
    if isinstance(source, str):
        return _read(
            source, origin, environment=environment, overrides=tuple(overrides), read_secret=_no_secrets
        ).config
    return _build(source, None, origin, tuple(overrides)).config


def read_secret(folder: Path, name: str, on_file: Callable[[Path], None] = lambda _: None) -> str:
    """Return the content of a file of one secret, without the white space around it.

    Raises:
        ValueError: It is absent, unreadable, empty or too large; names the file and nothing of its content.
    """
    if not name or "\0" in name:
        raise ValueError("!secret names no file")
    path = folder / name
    on_file(path)
    try:
        if path.exists() and not path.is_file():
            raise ValueError(f"the secret file {str(path)[:200]!r} is no file")
        with path.open("rb") as file:
            content = file.read(MAX_SECRET_BYTES + 1)
    except OSError as error:
        raise ValueError(f"cannot read the secret file {str(path)[:200]!r}: {error.strerror}") from None
    if len(content) > MAX_SECRET_BYTES:
        raise ValueError(f"the secret file {str(path)!r} has more than {MAX_SECRET_BYTES} bytes")
    try:
        text = content.decode().strip()
    except UnicodeDecodeError:
        raise ValueError(f"the secret file {str(path)!r} is no UTF-8 text") from None
    if not text:
        raise ValueError(f"the secret file {str(path)!r} is empty")
    return text


def _no_secrets(_name: str) -> str:
    raise ValueError("!secret needs a file to be relative to")


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise SettingsError(
                [Problem((), f"has more than {MAX_FILE_BYTES} bytes, at most so many are read", str(path))]
            )
        return content.decode("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"cannot read the configuration {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingsError([Problem((), "is no UTF-8 text", f"{path}:{line}")]) from error
    except ValueError as error:
        raise ConfigurationError(f"cannot read the configuration {path}: {error}") from error


def _read(
    text: str,
    origin: str,
    *,
    environment: Mapping[str, str],
    overrides: tuple[Override, ...],
    read_secret: ReadSecret,
) -> ReadConfig:
    tree = compose(
        text,
        origin,
        read_text=lambda value: fill_in(value, environment),
        read_secret=lambda name: (secret := read_secret(name), (secret,)),
    )
    return _build(content_of(tree, origin), tree, origin, overrides)


def _build(content: object, tree: Node | None, origin: str, overrides: tuple[Override, ...]) -> ReadConfig:
    content = _without_empty_sections({} if content is None else content)
    unknown = dict(islice(unknown_settings(content), MAX_UNKNOWN))
    overrides = effective(content, overrides)
    content = with_overrides(without(content, set(unknown)), overrides)

    def place_of(path: SettingPath) -> str:
        if (override := _override_of(path, overrides)) is not None:
            return override.origin
        nodes = steps(tree, path)
        return nodes[-1].place if nodes else origin

    problems = [Problem(path, message, key_place(tree, path) or origin) for path, message in unknown.items()]
    if len(problems) == MAX_UNKNOWN:
        raise SettingsError(problems)
    config = NvrConfig()
    try:
        config = NvrConfig.model_validate(content)
    except ValidationError as error:
        problems += problems_of(error, n_written=lambda path: _n_steps(content, path), place_of=place_of)
    if problems:
        secrets = tuple(secret_texts(tree))
        raise SettingsError(
            Problem(problem.path, scrub(problem.message, secrets), problem.place) for problem in problems
        )
    return ReadConfig(config, origin, tree, overrides)


def _without_empty_sections(content: object) -> object:
    """Leave out names of the top level with nothing behind them: a section whose settings are all comments."""
    if not isinstance(content, dict):
        return content
    return {key: value for key, value in content.items() if value is not None or key not in NvrConfig.model_fields}


def _override_of(path: SettingPath, overrides: tuple[Override, ...]) -> Override | None:
    return next((each for each in reversed(overrides) if path[: len(each.path)] == each.path), None)


def _n_steps(content: object, path: SettingPath) -> int:
    for n, step in enumerate(path):
        match content:
            case dict() if step in content:
                content = content[step]
            case list() if isinstance(step, int) and step < len(content):
                content = content[step]
            case _:
                return n
    return len(path)
