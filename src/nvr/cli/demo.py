"""`nvr demo`: everything at once, on this machine, with nothing to prepare."""

import contextlib
import sys
import threading
from typing import Annotated

import typer

from nvr.cli import options
from nvr.cli.logs import setup_logging
from nvr.core.errors import CancelledError


def demo(
    n: Annotated[int, typer.Option("--n", "-n", min=1, max=64, help="How many cameras.")] = 4,
    http: Annotated[int, typer.Option(min=1, max=65535, help="Port of the wall page, or the next free one.")] = 8080,
    http_host: Annotated[
        str, typer.Option(help="Address of the wall page; 0.0.0.0 shows it to the whole network.")
    ] = "127.0.0.1",
    mqtt_host: Annotated[
        str | None, typer.Option(help="Use this MQTT broker instead of one on this machine.", rich_help_panel="Broker")
    ] = None,
    mqtt_port: Annotated[int, typer.Option(min=1, max=65535, help="Its port.", rich_help_panel="Broker")] = 1883,
    model: Annotated[str | None, typer.Option(help="As of `nvr processor`; motion shows drawn scenes.")] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0, max=86_400, help="End by itself after so many seconds; else Ctrl-C ends it.")
    ] = None,
    log_level: options.LogLevel = None,
    log_format: options.LogFormat = None,
    verbose: options.Verbose = False,
) -> None:
    """Show cameras with boxes on a wall page: simulator, broker, processor and wall, all started and ended together.

    With network access or the assets at hand it plays real videos of people and cars; without, drawn scenes with
    motion boxes.
    """
    from nvr.app.demo import Demo, DemoConfig
    from nvr.app.supervision.child_lines import log_line
    from nvr.core.background_writer import BackgroundWriter

    writer = BackgroundWriter(sys.stderr)
    form = log_format or "text"
    setup_logging(verbose, log_level or "warning", form, stream=writer)

    def show(name: str, line: str) -> None:
        if verbose:
            writer.put(log_line(name, line, form))

    config = DemoConfig(
        n_cameras=n,
        http_host=http_host,
        http_port=http,
        mqtt_host=mqtt_host,
        mqtt_port=mqtt_port,
        model=model,
    )
    running = Demo(config, say=typer.echo, on_line=show)
    options.on_stop_signals(running.request_stop)
    if seconds is not None:
        timer = threading.Timer(seconds, running.request_stop)
        timer.daemon = True
        timer.start()
    writer.start()
    try:
        with contextlib.suppress(CancelledError):
            running.run()
    finally:
        writer.stop()
    typer.echo("The demo has ended.")
