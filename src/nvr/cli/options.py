"""Options that several commands share, and how they become a configuration: flags over file over defaults."""

import os
import signal
import termios
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Annotated, Literal, TextIO

import typer

from nvr.core.errors import ConfigurationError

_STREAMS = "Cameras"
_BROKER = "Broker"
_RECORDING = "Recording"
_OPERATION = "Operation"

Uris = Annotated[list[str] | None, typer.Argument(help="One URI per camera: rtsp://…, http://… or a file.")]
NumberOfStreams = Annotated[
    int | None,
    typer.Option("--n", min=1, max=1000, help="Number of streams of --stream-server.", rich_help_panel=_STREAMS),
]
StreamServer = Annotated[
    str | None,
    typer.Option(
        help="Server whose streams are {server}/live/{i}.stream, e.g. rtsp://host:8554.", rich_help_panel=_STREAMS
    ),
]
FirstSourceId = Annotated[
    int | None, typer.Option(min=0, help="Source id of the first camera.", rich_help_panel=_STREAMS)
]
RtspTransportOption = Annotated[str | None, typer.Option(help="tcp or udp.", rich_help_panel=_STREAMS)]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", "-c", help="YAML file with settings; options given here win over it.")
]
MqttHost = Annotated[str | None, typer.Option(help="Host of the MQTT broker.", rich_help_panel=_BROKER)]
MqttPort = Annotated[int | None, typer.Option(help="Port of the MQTT broker.", rich_help_panel=_BROKER)]
MqttUsername = Annotated[str | None, typer.Option(help="User name at the broker.", rich_help_panel=_BROKER)]
MqttPassword = Annotated[
    str | None,
    typer.Option(
        envvar="NVR_MQTT_PASSWORD",
        help="Password at the broker; better in the environment than on the command line.",
        rich_help_panel=_BROKER,
        show_envvar=True,
    ),
]
MqttTls = Annotated[
    bool | None, typer.Option("--mqtt-tls/--no-mqtt-tls", help="Encrypt the connection.", rich_help_panel=_BROKER)
]
MqttCaFile = Annotated[
    Path | None, typer.Option(help="Authority of the broker's certificate (PEM).", rich_help_panel=_BROKER)
]
MqttCertFile = Annotated[Path | None, typer.Option(help="Client certificate (PEM).", rich_help_panel=_BROKER)]
MqttKeyFile = Annotated[Path | None, typer.Option(help="Key of the client certificate.", rich_help_panel=_BROKER)]
TopicPrefix = Annotated[
    str | None,
    typer.Option(
        "--topic-prefix",
        help="Topic of detections without the source id; nvr/detections, or that of the tenant, if absent.",
        rich_help_panel=_BROKER,
    ),
]
Tenant = Annotated[str | None, typer.Option(help="Tenant whose topics are used.", rich_help_panel=_BROKER)]
OnlyTenant = Annotated[str | None, typer.Option(help="Only this tenant; by default all that are known.")]
Decode = Annotated[
    str | None,
    typer.Option(
        help="adaptive (key frames only while nothing moves), all, nonref, or keyframes.", rich_help_panel=_STREAMS
    ),
]
Multiplex = Annotated[
    Literal["canvas", "frames"] | None,
    typer.Option(help="Look at what moves in all cameras side by side in one picture, or at each frame as a whole."),
]
Hwaccel = Annotated[
    str | None,
    typer.Option(help="Hardware that decodes: none, auto, or a device such as cuda.", rich_help_panel=_STREAMS),
]
Recordings = Annotated[
    Path | None,
    typer.Option(help="Folder to record into, which must be there.", rich_help_panel=_RECORDING),
]
Record = Annotated[
    str | None,
    typer.Option(
        help="off, or some of continuous, events and on_demand joined by +; with --recordings: "
        "continuous+events, if absent here and in the file.",
        rich_help_panel=_RECORDING,
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log more: --log-level debug.")]
LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"] | None,
    typer.Option("--log-level", help="The least important that is written to stderr."),
]
LogFormat = Annotated[
    Literal["text", "json"] | None,
    typer.Option("--log-format", help="Lines for people, or JSON objects for programs."),
]
Control = Annotated[
    bool | None,
    typer.Option("--control/--no-control", help="Take commands from the broker.", rich_help_panel=_OPERATION),
]
Metrics = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=65535,
        help="Serve /metrics, /healthz and /readyz on this port; 0 for any free one.",
        rich_help_panel=_OPERATION,
    ),
]


def stream_uris(uris: list[str] | None, n: int | None, stream_server: str | None) -> tuple[str, ...] | None:
    """Return the cameras that the command line names; None where it names none.

    Raises:
        ConfigurationError: URIs and a stream server are both given, or a number without a server.
    """
    from nvr.config.streams import stream_server_uris

    if uris and stream_server is not None:
        raise ConfigurationError("give either URIs or --stream-server with --n, not both")
    if uris:
        if n is not None:
            raise ConfigurationError("--n belongs to --stream-server; the number of URIs is their number")
        return tuple(uris)
    if stream_server is not None:
        return stream_server_uris(stream_server, 1 if n is None else n)
    if n is not None:
        raise ConfigurationError("--n needs --stream-server rtsp://host:port")
    return None


def on_stop_signals(stop: Callable[[], None]) -> None:
    """Call `stop` in a thread of its own at the first SIGINT or SIGTERM; the next one of either ends the process."""

    def handle(_signum: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        threading.Thread(target=stop, name="stop-on-signal", daemon=True).start()

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)


def on_reload_signal(reload: Callable[[], None], stop: Callable[[], None]) -> None:
    """Call `reload`, which must not wait, at each SIGHUP; `stop`, in a thread of its own, as our terminal has gone.

    SIGHUP means both. A service has no terminal, and neither has who was started by nohup, which takes it away.
    """
    terminal = next((number for number in range(3) if os.isatty(number)), None)

    def handle(_signum: int, _frame: FrameType | None) -> None:
        if terminal is not None and _has_hung_up(terminal):
            threading.Thread(target=stop, name="stop-on-hang-up", daemon=True).start()
        else:
            reload()

    signal.signal(signal.SIGHUP, handle)


def let_go(stream: TextIO) -> None:
    """Write what waits in a stream whose reader may have gone, which is no failure of a program that runs on.

    Else the interpreter would fail with it at its end, see "Note on SIGPIPE" in the documentation of `signal`.
    """
    try:
        stream.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _has_hung_up(terminal: int) -> bool:
    try:
        termios.tcgetattr(terminal)
    except termios.error:
        return True
    return False
