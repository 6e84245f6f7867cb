"""`nvr up`: broker, processors and wall pages in one command, kept running until Ctrl-C."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nvr.cli import options, settings
from nvr.cli.logs import setup_logging
from nvr.core.errors import ConfigurationError

if TYPE_CHECKING:
    from nvr.config.source import ConfigSource

DEFAULT_FILE = Path("nvr.yaml")
EXIT_KILLED = 1
_WALL = "Wall"


def up(
    uris: options.Uris = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", help="YAML file with settings; without it and without URIs, nvr.yaml in this folder."
        ),
    ] = None,
    recordings: options.Recordings = None,
    record: options.Record = None,
    model: Annotated[
        str | None,
        typer.Option(help="Catalogue name (see `nvr models list`), .onnx file, motion, or roboflow:<model id>."),
    ] = None,
    processors: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processor instances; by default one for each four cores.")
    ] = None,
    http: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port of the wall page, 0 for any free one.", rich_help_panel=_WALL),
    ] = None,
    http_host: Annotated[
        str | None,
        typer.Option(help="Address of the wall page; 0.0.0.0 shows it to the whole network.", rich_help_panel=_WALL),
    ] = None,
    wall: Annotated[
        bool | None, typer.Option("--wall/--no-wall", help="Serve a wall page.", rich_help_panel=_WALL)
    ] = None,
    mqtt_host: Annotated[
        str | None,
        typer.Option(help="Use this MQTT broker instead of a private one.", rich_help_panel="Broker"),
    ] = None,
    mqtt_port: options.MqttPort = None,
    mqtt_username: options.MqttUsername = None,
    mqtt_password: options.MqttPassword = None,
    state_dir: Annotated[
        Path | None,
        typer.Option(help="Folder that remembers the cameras' numbers; by default the user's, or that of systemd."),
    ] = None,
    log_level: options.LogLevel = None,
    log_format: options.LogFormat = None,
    verbose: options.Verbose = False,
) -> None:
    """Run everything on this machine, from a configuration file or from URIs alone, until Ctrl-C.

    Starts a private MQTT broker unless one is configured, processors that share the cameras, and a wall page; what
    ends is started again. A change of the file or of its secrets takes effect when it is saved, or with SIGHUP or
    `reload`.
    """
    path = _config_path(config, uris)
    flags: dict[str, tuple[str, object]] = {
        "models.model_id": ("--model", model),
        "processors.count": ("--processors", processors),
        "wall.http_port": ("--http", http),
        "wall.http_host": ("--http-host", http_host),
        "wall.enabled": ("--no-wall", wall),
        "broker.host": ("--mqtt-host", mqtt_host),
        "broker.port": ("--mqtt-port", mqtt_port),
        "broker.username": ("--mqtt-username", mqtt_username),
        "broker.password": ("--mqtt-password", mqtt_password),
    }
    overrides = (
        *settings.from_flags(flags),
        *settings.logs(log_level, log_format, is_verbose=verbose),
        *settings.recording(recordings, record),
        *settings.from_uris(uris, None, None, first_source_id=None, tenant=None),
    )
    if not _run(settings.site_reader(path, overrides), path, state_dir):
        raise typer.Exit(EXIT_KILLED)


def _run(read_config: "ConfigSource", path: Path | None, state_dir: Path | None) -> bool:
    """Run until it is told to end; returns whether all processes ended by themselves."""
    from nvr.app.site.folders import runtime_folder, state_folder
    from nvr.app.site.installation import UpOptions
    from nvr.app.site.machine import usable_cores
    from nvr.app.site.service_manager import ServiceManager
    from nvr.app.site.up import Up
    from nvr.app.supervision.child_lines import log_line
    from nvr.config.watch import FileWatch
    from nvr.core.background_writer import BackgroundWriter

    told, writer = BackgroundWriter(sys.stdout, name="terminal-writer"), BackgroundWriter(sys.stderr)
    log = read_config().log
    setup_logging(is_verbose=False, quiet_level=log.level, log_format=log.format, stream=writer)
    running = Up(
        read_config,
        UpOptions(
            state_folder=state_dir or state_folder(os.environ),
            runtime_folder=runtime_folder(os.environ),
            n_cores=usable_cores(),
            config_path=None if path is None else path.resolve(),
        ),
        say=lambda line: told.put(f"{line}\n"),
        on_line=lambda name, line: writer.put(log_line(name, line, log.format)),
        service=ServiceManager.from_environment(os.environ, os.getpid()),
        environment=os.environ,
    )
    options.on_stop_signals(running.request_stop)
    options.on_reload_signal(running.request_reload, running.request_stop)
    told.start()
    writer.start()
    watch = None if path is None else FileWatch(read_config.files, running.note_change)
    try:
        if watch is not None:
            watch.start()
        is_clean = running.run()
        told.put("Everything has ended.\n")
    finally:
        if watch is not None:
            watch.stop()
        for each in (writer, told):
            each.stop()
        for stream in (sys.stdout, sys.stderr):
            options.let_go(stream)
    return is_clean


def _config_path(config: Path | None, uris: list[str] | None) -> Path | None:
    if config is not None:
        return config
    if uris:
        return None
    if not DEFAULT_FILE.exists():
        raise ConfigurationError(
            f"there is no {DEFAULT_FILE} here: name cameras, as in `nvr up rtsp://…`, or a file with --config"
        )
    return DEFAULT_FILE
