"""`nvr config`: check, show and describe the configuration file; `init`, which makes one, is in `config_init`."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nvr.cli.config_init import init
from nvr.cli.settings import DEFAULT_FILE

if TYPE_CHECKING:
    from nvr.config.file import ReadConfig
    from nvr.config.overrides import Override
    from nvr.config.problems import Problem, SettingPath

app = typer.Typer(name="config", help="Make, check, show and describe the configuration file.", no_args_is_help=True)
app.command()(init)

EXIT_WRONG = 2

File = Annotated[Path, typer.Argument(help="The configuration file.")]


@app.command()
def check(
    file: File = DEFAULT_FILE,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
) -> None:
    """Tell every mistake of the file and the environment with line and column, and what is worth a word.

    The exit status is 2 where something is wrong.
    """
    read, problems = _try(file, dict(os.environ))
    for problem in problems:
        typer.echo(_line(problem.place, "error", problem.path, problem.message))
    if read is None or problems:
        raise typer.Exit(EXIT_WRONG)
    warnings = _warnings(file, read)
    for line in warnings:
        typer.echo(line)
    if warnings and strict:
        raise typer.Exit(EXIT_WRONG)
    n = sum(camera.enabled for camera in read.config.cameras)
    typer.echo(f"{file} is understood: {n} camera{'' if n == 1 else 's'}")


@app.command()
def show(
    file: File = DEFAULT_FILE,
    changed: Annotated[bool, typer.Option("--changed", help="Leave out what is as by default.")] = False,
) -> None:
    """Show the settings that hold, those of the environment included, and where each comes from; passwords as ***."""
    from nvr.config import show as rendering

    typer.echo(rendering.show(_read(file), changed_only=changed), nl=False)


@app.command()
def schema(
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of the standard output.")] = None,
) -> None:
    """Describe the configuration file as JSON Schema, by which editors complete, explain and check it.

    A file that begins with `# yaml-language-server: $schema=nvr.schema.json` is checked while it is written.
    """
    from nvr.config.json_schema import site_schema
    from nvr.core.errors import ConfigurationError

    text = json.dumps(site_schema(), indent=2, ensure_ascii=False) + "\n"
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot write {out}: {error.strerror}") from error
    typer.echo(str(out))


def _try(file: Path, environment: Mapping[str, str]) -> "tuple[ReadConfig | None, list[Problem]]":
    from nvr.config.file import read_config
    from nvr.config.overrides import from_environment
    from nvr.config.problems import SettingsError

    problems: list[Problem] = []
    overrides: tuple[Override, ...] = ()
    try:
        overrides = from_environment(environment)
    except SettingsError as error:
        problems += error.problems
    try:
        return read_config(file, environment, overrides=overrides), problems
    except SettingsError as error:
        return None, [*problems, *error.problems]


def _read(file: Path) -> "ReadConfig":
    from nvr.config.file import read_config
    from nvr.config.overrides import from_environment

    environment = dict(os.environ)
    return read_config(file, environment, overrides=from_environment(environment))


def _warnings(file: Path, read: "ReadConfig") -> list[str]:
    from nvr.config.advice import holds_passwords, remarks

    found = [
        _line(read.place_of(path) or str(file), "warning", path, said)
        for path, said in remarks(read.config, is_file=_is_file, is_folder=_is_folder)
    ]
    if holds_passwords(read.config) and file.stat().st_mode & 0o077:
        found.append(_line(str(file), "warning", (), "holds passwords and others may read it: chmod 600"))
    return found


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # as good as absent: it must not be looked at
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _line(place: str, kind: str, path: "SettingPath", message: str) -> str:
    from nvr.config.problems import written

    setting = f"{written(path)}: " if path else ""
    return f"{place}: {kind}: {setting}{message}"
