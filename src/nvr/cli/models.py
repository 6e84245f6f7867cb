"""`nvr models`: which models and sample videos there are, where they lie here, and getting them."""

import contextlib
import json
import signal
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

    from nvr.assets.catalogue import AssetEntry, Catalogue
    from nvr.assets.store import AssetStore

app = typer.Typer(
    name="models", help="Models and sample videos: list, fetch, find and verify them.", no_args_is_help=True
)

EXIT_TERMINATED = 128 + signal.SIGTERM

Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]", help="Names of the catalogue.")]


@app.command("list")
def list_command(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array instead of a table.")] = False,
) -> None:
    """Show the catalogue and what of it is on this machine."""
    store = _store()
    rows = [_row(entry, store) for entry in _catalogue(context).entries]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "task", "input", "size", "licence", "here", "what")
    for row in rows:
        size_bytes = row["size_bytes"]
        table.add_row(
            str(row["name"]),
            str(row["task"] or row["kind"]),
            str(row["input"] or ""),
            f"{size_bytes / 1e6:.1f} MB" if isinstance(size_bytes, int) else "unknown",
            str(row["licence"]),
            str(row["origin"] or "no"),
            str(row["description"]),
        )
    Console().print(table)


@app.command()
def pull(
    context: typer.Context,
    names: Names = None,
    is_all: Annotated[bool, typer.Option("--all", help="Everything in the catalogue, about 1 GB.")] = False,
) -> None:
    """Fetch models and videos, and verify those that are here."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from nvr.core.errors import NvrError

    if bool(names) == is_all:
        raise typer.BadParameter("expected either names or --all")
    entries = _chosen(_catalogue(context), names)
    store = _store()
    failures = 0
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with _cleaning_up_on_sigterm(), Progress(*columns, transient=True) as bars:
        for entry in entries:
            try:
                path = _pull_one(entry, store, bars)
            except NvrError as error:
                if len(entries) == 1:
                    raise
                failures += 1
                _complain(str(error))
            else:
                bars.console.print(f"{entry.name}: {path}", soft_wrap=True, highlight=False, markup=False)
    if failures:
        raise typer.Exit(1)


@app.command()
def path(context: typer.Context, name: Annotated[str, typer.Argument(help="Name of the catalogue.")]) -> None:
    """Print where a model or video lies; fails where it is not on this machine."""
    entry = _catalogue(context).find(name)
    found = _store().find(entry)
    if found is None:
        _complain(f"{name} is not on this machine: fetch it with `nvr models pull {name}`")
        raise typer.Exit(1)
    typer.echo(found)


@app.command()
def check(context: typer.Context, names: Names = None) -> None:
    """Compare the checksums of what is here; fails if one is wrong, or if a named one is not here."""
    from nvr.core.errors import ModelError

    store = _store()
    failures = 0
    for entry in _chosen(_catalogue(context), names):
        located = store.locate(entry)
        if located is None:
            failures += bool(names)
            typer.echo(f"{entry.name}: not here")
            continue
        try:
            store.verify(entry, located.path, should_record=False)
        except ModelError as error:
            failures += 1
            _complain(str(error))
        except OSError as error:
            failures += 1
            _complain(f"{entry.name}: {located.path}: {error.strerror}")
        else:
            typer.echo(f"{entry.name}: {_verdict(entry, store)}, {located.path}")
    if failures:
        raise typer.Exit(1)


def _catalogue(context: typer.Context) -> "Catalogue":
    from nvr.assets.catalogue import Catalogue, load_catalogue

    # A program that embeds the command hands its own catalogue over as click's context object.
    return context.obj if isinstance(context.obj, Catalogue) else load_catalogue()


def _store() -> "AssetStore":
    from nvr.assets.store import AssetStore

    return AssetStore.from_environment()


def _chosen(catalogue: "Catalogue", names: list[str] | None) -> "list[AssetEntry]":
    return [catalogue.find(name) for name in dict.fromkeys(names)] if names else list(catalogue.entries)


def _pull_one(entry: "AssetEntry", store: "AssetStore", bars: "Progress") -> str:
    bar = bars.add_task(entry.name, total=entry.size_bytes)

    def advance(received_bytes: int, total_bytes: int | None, /) -> None:
        bars.update(bar, completed=received_bytes, total=total_bytes)

    try:
        return str(store.get(entry, advance))
    finally:
        bars.remove_task(bar)


@contextlib.contextmanager
def _cleaning_up_on_sigterm() -> Iterator[None]:
    """Turn SIGTERM into an exception, which lets a download remove its part; by default the process just ends."""
    if threading.current_thread() is not threading.main_thread():
        yield  # a program that embeds the command has handlers of its own
        return

    def leave(_number: int, _frame: object) -> None:
        sys.exit(EXIT_TERMINATED)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _row(entry: "AssetEntry", store: "AssetStore") -> dict[str, object]:
    located = store.locate(entry)
    return {
        "name": entry.name,
        "kind": entry.kind,
        "task": entry.task,
        "description": entry.description,
        "input": f"{entry.spec.input_width_px}x{entry.spec.input_height_px}" if entry.spec else None,
        "size_bytes": entry.size_bytes,
        "licence": entry.licence,
        "trust": entry.trust,
        "sha256": entry.sha256,
        "url": entry.url,
        "path": str(located.path) if located else None,
        "origin": located.origin if located else None,
    }


def _verdict(entry: "AssetEntry", store: "AssetStore") -> str:
    if entry.trust == "pinned":
        return "right"
    return "as first seen here" if store.is_recorded(entry) else "not seen before, nothing to compare with"


def _complain(sentence: str) -> None:
    from nvr.core.masking import mask_credentials

    typer.secho(f"nvr: {mask_credentials(sentence)}", fg=typer.colors.RED, err=True)
