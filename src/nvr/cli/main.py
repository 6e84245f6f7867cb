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
    help="Many cameras, one decode each, one inference batch, one typed event stream.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(ctl.app)
app.add_typer(schema.app, name="schema")
app.add_typer(config.app)
app.add_typer(models.app)
app.add_typer(recordings.app)

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


app.command()(demo)
app.command()(processor)
app.command()(simulate)
app.command()(status)
app.command()(top)
app.command()(up)
app.command()(wall)
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
