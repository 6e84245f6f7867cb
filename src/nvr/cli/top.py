"""`nvr top`: how everything is, as it changes."""

import select
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from nvr.cli import options
from nvr.cli.broker_options import Asked, explains_guess, find_broker, with_broker_options
from nvr.cli.logs import setup_logging
from nvr.cli.status import EXIT_UNREACHABLE, PIPE_WIDTH, to_json
from nvr.core.errors import BrokerError

if TYPE_CHECKING:
    from rich.console import Console

    from nvr.app.site.observer import Observer

METRICS_WAIT_S = 15.0
"""Counters are told every 10 s, unless configured otherwise."""


@with_broker_options
def top(
    asked: Asked,
    once: Annotated[bool, typer.Option("--once", help="Show it once, with counters, and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As --once, as one JSON object.")] = False,
    every: Annotated[float, typer.Option(min=0.2, max=60, help="Seconds from one picture to the next.")] = 1.0,
    tenant: options.OnlyTenant = None,
    verbose: options.Verbose = False,
) -> None:
    """Show cameras with frame rates, losses, latency and CPU as they change; q or Ctrl-C ends it.

    Asks the same broker as `nvr status`, and ends with the same exit status.
    """
    from rich.console import Console

    from nvr.app.site.observer import Observer
    from nvr.app.site.view import view_of

    setup_logging(verbose, quiet_level="ERROR")
    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
    found = find_broker(asked, tenant)
    try:
        tenants = found.tenants if tenant is None else (tenant,)
        with explains_guess(found), Observer(found.broker, tenants) as observer:
            if once or as_json or not sys.stdout.isatty():
                observer.wait_for_metrics(METRICS_WAIT_S)
                _show_once(observer, console, as_json=as_json)
            else:
                _show_live(observer, console, every)
            verdict = view_of(observer.observations()).verdict
    except BrokerError as error:
        typer.secho(f"nvr: {error}", fg=typer.colors.RED, err=True)
        raise typer.Exit(EXIT_UNREACHABLE) from None
    raise typer.Exit(int(verdict))


def _show_once(observer: "Observer", console: "Console", *, as_json: bool) -> None:
    from nvr.app.site.view import view_of
    from nvr.cli.site_tables import top_tables

    view = view_of(observer.observations())
    if as_json:
        typer.echo(to_json(view, observer.address))
    else:
        console.print(top_tables(view, observer.address))


def _show_live(observer: "Observer", console: "Console", every_s: float) -> None:
    from rich.live import Live

    from nvr.app.site.view import view_of
    from nvr.cli.site_tables import top_tables

    stop = threading.Event()
    options.on_stop_signals(stop.set)
    with _keys(stop) as wait, Live(console=console, screen=True, auto_refresh=False) as live:
        while not stop.is_set():
            view = view_of(observer.observations())
            live.update(top_tables(view, observer.address, is_connected=observer.is_connected), refresh=True)
            wait(every_s)


@contextmanager
def _keys(stop: threading.Event) -> Iterator[Callable[[float], bool]]:
    """Yield what waits for the time or a key, and sets `stop` at q; a terminal gives keys without Enter meanwhile."""
    if not sys.stdin.isatty():
        yield stop.wait
        return
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)

    def wait(timeout_s: float) -> bool:
        readable, _, _ = select.select([descriptor], [], [], timeout_s)
        if readable and sys.stdin.read(1) in {"q", "Q", ""}:
            stop.set()
        return stop.is_set()

    try:
        tty.setcbreak(descriptor)
        yield wait
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
