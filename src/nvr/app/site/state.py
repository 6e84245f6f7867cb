"""What an installation remembers from one start to the next: the number of each camera, and the broker's port."""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nvr.core.errors import ConfigurationError
from nvr.core.validation import first_problem

STATE_FILE = "state.json"
MAX_STATE_BYTES = 10_000_000


class SiteState(BaseModel):
    """Written after each change, whole or not at all."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    numbers: dict[str, Annotated[int, Field(ge=0)]] = {}
    """Source id of each camera that was ever seen, by its identity."""
    broker_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Of the private broker, where there was one."""


def read_state(folder: Path) -> SiteState:
    """Return what was remembered; nothing at the first start.

    Raises:
        ConfigurationError: The file is damaged: without it cameras would change their numbers, which a person decides.
    """
    path = folder / STATE_FILE
    try:
        with path.open("rb") as file:
            return SiteState.model_validate_json(file.read(MAX_STATE_BYTES))
    except FileNotFoundError:
        return SiteState()
    except ValidationError as error:
        raise ConfigurationError(
            f"the state {path} is damaged ({first_problem(error)}): "
            "restore it, or remove it to have cameras numbered anew"
        ) from error
    except OSError as error:
        raise ConfigurationError(f"cannot read the state {path}: {error}") from error


def write_state(folder: Path, state: SiteState) -> None:
    """Remember a state.

    Raises:
        ConfigurationError: The folder cannot be written.
    """
    write_atomically(folder / STATE_FILE, state.model_dump_json(indent=1))


def write_atomically(path: Path, text: str) -> None:
    """Replace a file that only its owner may read; a reader, or a crash, sees the old content or the new one.

    Raises:
        ConfigurationError: It cannot be written.
    """
    write_all({path: text})


def write_all(texts: Mapping[Path, str]) -> None:
    """Replace several files as `write_atomically` does; where one cannot be written, as on a full disk, none is.

    Raises:
        ConfigurationError: One cannot be written; says which.
    """
    parts: dict[Path, Path] = {}
    try:
        for path, text in texts.items():
            parts[path] = part = path.with_name(f".{path.name}.part")
            _write_new(part, text)
        for path, part in parts.items():
            part.replace(path)
    except OSError as error:
        for part in parts.values():
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
        raise ConfigurationError(f"cannot write {path}: {error}") from error


def _write_new(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
