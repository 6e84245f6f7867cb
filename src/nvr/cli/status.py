"""`nvr status`: how everything is, once."""

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from nvr.cli import options
from nvr.cli.broker_options import Asked, explains_guess, find_broker, with_broker_options
from nvr.cli.logs import setup_logging
from nvr.core.errors import BrokerError

if TYPE_CHECKING:
    from nvr.app.site.view import SiteView

EXIT_UNREACHABLE = 2
PIPE_WIDTH = 200
"""Columns where the output goes to a program: a table is not wrapped for a terminal that is none."""


@with_broker_options
def status(
    asked: Asked,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object instead of tables.")] = False,
    tenant: options.OnlyTenant = None,
    verbose: options.Verbose = False,
) -> None:
    """Show every instance and camera as the broker knows them.

    Without options it asks the broker of the `nvr up` that runs on this machine, else the one on localhost. The exit
    status is 0 where all is well, 1 where something is not, 2 where nothing can be reached.
    """
    from nvr.app.site.observer import Observer
    from nvr.app.site.view import view_of

    setup_logging(verbose, quiet_level="ERROR")
    found = find_broker(asked, tenant)
    try:
        tenants = found.tenants if tenant is None else (tenant,)
        with explains_guess(found), Observer(found.broker, tenants) as observer:
            view, address = view_of(observer.observations()), observer.address
    except BrokerError as error:
        typer.secho(f"nvr: {error}", fg=typer.colors.RED, err=True)
        raise typer.Exit(EXIT_UNREACHABLE) from None
    if as_json:
        typer.echo(to_json(view, address))
    else:
        _print_tables(view, address)
    raise typer.Exit(int(view.verdict))


def to_json(view: "SiteView", address: str) -> str:
    """Return a view for programs."""
    from dataclasses import asdict

    content = {
        "broker": address,
        "verdict": view.verdict.name.lower(),
        "instances": [asdict(row) for row in view.instances],
        "cameras": [asdict(row) for row in view.cameras],
        "disks": [disk.model_dump(mode="json") for disk in view.disks],
    }
    return json.dumps(content, indent=2, ensure_ascii=False)


def _print_tables(view: "SiteView", address: str) -> None:
    from rich.console import Console

    from nvr.cli.site_tables import status_tables

    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(status_tables(view, address))
