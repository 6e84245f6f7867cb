"""`nvr schema`: the event protocol as files that other languages' tools read."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="The event protocol as JSON Schema and AsyncAPI.", no_args_is_help=True)


@app.callback()
def _schema() -> None:
    """Keep `export` a subcommand, also while it is the only one."""


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="Folder to write to, or to compare with.")] = Path("docs/reference"),
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if a file in the folder is missing or outdated.")
    ] = False,
) -> None:
    """Write asyncapi.yaml and schemas/*.json, generated from the message models."""
    from nvr.events.export import outdated_files, write_export

    if check:
        outdated = outdated_files(out)
        for path in outdated:
            typer.echo(f"outdated: {path}")
        if outdated:
            raise typer.Exit(1)
        typer.echo(f"current: {out}")
        return
    for path in write_export(out):
        typer.echo(str(path))
