"""The root of the command tree.

Each command lives in a module of its own and imports what it drives when it is called, so that `nvr --help`
answers at once. Errors of ours end in one sentence and a status, never in a traceback.
"""

import sys
from typing import Annotated

import typer

from nvr import __version__
from nvr.cli import config, ctl, models, recordings, schema
from nvr.cli.demo import demo
from nvr.cli.help_text import let_help_flow
from nvr.cli.processor import processor
from nvr.cli.simulate import simulate
from nvr.cli.status import status
from nvr.cli.top import top
from nvr.cli.up import up
from nvr.cli.wall import wall
from nvr.core.errors import ConfigurationError, NvrError
from nvr.core.masking import mask_credentials

app = typer.Typer(
    name="nvr",
    help="Record many cameras, see what moves in them, and tell others over MQTT.\n\n"
    "Begin with `nvr demo`, which brings cameras of its own, or `nvr up rtsp://…` with yours.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_RUN = "Run it"
_USE = "Look and steer"
_PARTS = "Parts of it, to be run apart"

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"nvr {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


app.command(rich_help_panel=_RUN)(demo)
app.command(rich_help_panel=_RUN)(up)
app.add_typer(config.app, rich_help_panel=_RUN)
app.command(rich_help_panel=_USE)(status)
app.command(rich_help_panel=_USE)(top)
app.add_typer(ctl.app, rich_help_panel=_USE)
app.add_typer(recordings.app, rich_help_panel=_USE)
app.command(rich_help_panel=_PARTS)(processor)
app.command(rich_help_panel=_PARTS)(wall)
app.command(rich_help_panel=_PARTS)(simulate)
app.add_typer(models.app, rich_help_panel=_PARTS)
app.add_typer(schema.app, name="schema", rich_help_panel=_PARTS)
let_help_flow(app)


def main() -> None:
    """Run the command line; the console script `nvr`."""
    try:
        app()
    except NvrError as error:
        typer.secho(f"nvr: {mask_credentials(str(error))}", fg=typer.colors.RED, err=True)
        sys.exit(EXIT_USAGE if isinstance(error, ConfigurationError) else EXIT_FAILED)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
