"""`nvr simulate`: cameras that need no camera."""

import re
import signal
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Literal, cast, get_args

import typer

from nvr.cli import options
from nvr.cli.logs import setup_logging
from nvr.core.errors import ConfigurationError, TransientError

if TYPE_CHECKING:
    from nvr.demo.scene import Activity
    from nvr.demo.simulator import Simulator

_SIZE = re.compile(r"([0-9]{2,5})x([0-9]{2,5})")
_BITRATE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([kKmM]?)")
_FACTORS = {"": 1, "k": 1_000, "m": 1_000_000}
_POLL_S = 0.5


def simulate(
    *,
    n: Annotated[int, typer.Option("--n", "-n", min=1, max=256, help="How many cameras.")] = 4,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")] = 8554,
    files: Annotated[
        list[Path] | None,
        typer.Option("--file", help="Video file to play in a loop; several are dealt out. Default: drawn scenes."),
    ] = None,
    size: Annotated[str, typer.Option(help="Picture size of drawn scenes.")] = "1280x720",
    fps: Annotated[float, typer.Option(min=1, max=120, help="Frames per second of drawn scenes.")] = 25,
    gop: Annotated[float, typer.Option(min=0.05, max=60, help="Seconds from key frame to key frame.")] = 1.0,
    bitrate: Annotated[
        str, typer.Option(help="Bits per second of drawn scenes, as in 800k or 2M; 0 goes by the size.")
    ] = "0",
    rate_control: Annotated[
        Literal["abr", "cbr", "vbr"],
        typer.Option(help="How drawn scenes keep their bit rate; with vbr it is the most there is."),
    ] = "abr",
    b_frames: Annotated[int, typer.Option(min=0, max=4, help="B-frames between two others, of drawn scenes.")] = 0,
    open_gop: Annotated[
        bool, typer.Option("--open-gop", help="Let B-frames before a key frame need the GOP before it.")
    ] = False,
    activity: Annotated[
        list[str] | None,
        typer.Option(
            help="What goes on in drawn scenes: busy, sparse (a visitor now and then) or quiet; several are dealt "
            "out. Default: busy."
        ),
    ] = None,
    scene_length: Annotated[float, typer.Option(min=1, max=600, help="Seconds until a drawn scene repeats.")] = 10.0,
    seed: Annotated[int, typer.Option(min=0, help="Other seeds draw other scenes and lose other packets.")] = 0,
    overlay: Annotated[bool, typer.Option(help="Burn in the clock and the machine-readable frame number.")] = True,
    user: Annotated[str | None, typer.Option(help="Ask clients for this user (digest).")] = None,
    password: Annotated[
        str | None, typer.Option(envvar="NVR_SIMULATE_PASSWORD", help="Ask clients for this password (digest).")
    ] = None,
    faults: Annotated[
        list[str] | None,
        typer.Option(
            "--fault",
            help="What goes wrong, as [CAMERA:]NAME[=VALUE], repeatable: drop=SECONDS, freeze=AT/FOR, "
            "jitter=MILLISECONDS, loss=SHARE, credentials=USER:PASSWORD, skew=SECONDS, no-sr, mute, "
            "restart=EVERY/AWAY.",
        ),
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help="Write one JSON line per frame sent: time, number, what is in it.")
    ] = None,
    events: Annotated[
        Path | None, typer.Option(help="Write one JSON line per event of the drawn scenes: what, from and to frame.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only the line that says it is ready.")] = False,
    log_level: options.LogLevel = None,
    log_format: options.LogFormat = None,
) -> None:
    """Be several RTSP cameras on one port, from drawn scenes or video files, well-behaved or not."""
    from nvr.demo.simulator import Simulator, SimulatorConfig

    width_px, height_px = _parse_size(size)
    config = SimulatorConfig(
        n_cameras=n,
        host=host,
        port=port,
        files=tuple(files or ()),
        credentials=_parse_credentials(user, password),
        faults=tuple(faults or ()),
        truth=truth,
        events=events,
        seed=seed,
        gop_s=gop,
        width_px=width_px,
        height_px=height_px,
        fps=fps,
        scene_s=scene_length,
        bitrate_bps=_parse_bitrate(bitrate),
        rate_control=rate_control,
        b_frames=b_frames,
        has_open_gops=open_gop,
        activities=tuple(_parse_activity(text) for text in activity or ("busy",)),
        has_overlay=overlay,
    )
    setup_logging(
        is_verbose=False, quiet_level=log_level or ("error" if quiet else "warning"), log_format=log_format or "text"
    )
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        if not quiet:
            typer.echo("simulate: preparing the pictures; the first time this takes some seconds")
        with Simulator(config) as simulator:
            _announce(simulator, n, quiet=quiet)
            while simulator.is_running:
                time.sleep(_POLL_S)
            raise TransientError("the simulator ended by itself")
    except KeyboardInterrupt:
        if not quiet:
            typer.echo("simulate: stopped")


def _announce(simulator: "Simulator", n_cameras: int, *, quiet: bool) -> None:
    if not quiet:
        for camera in range(n_cameras):
            typer.echo(simulator.uri(camera))
    cameras = "0" if n_cameras == 1 else f"{{0..{n_cameras - 1}}}"
    noun = "camera" if n_cameras == 1 else "cameras"
    typer.echo(f"simulate: {n_cameras} {noun} ready at {simulator.stream_server}/live/{cameras}.stream")


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parse_size(text: str) -> tuple[int, int]:
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ConfigurationError(f"--size: expected WIDTHxHEIGHT as in 1280x720, got {text!r}")
    return int(match[1]), int(match[2])


def _parse_activity(text: str) -> "Activity":
    from nvr.demo.scene import Activity

    for activity in get_args(Activity):
        if text == activity:
            return cast("Activity", activity)
    raise ConfigurationError(f"--activity: expected one of {', '.join(get_args(Activity))}, got {text!r}")


def _parse_bitrate(text: str) -> int:
    match = _BITRATE.fullmatch(text)
    if match is None:
        raise ConfigurationError(f"--bitrate: expected bits per second as in 800k or 2M, got {text!r}")
    return round(float(match[1]) * _FACTORS[match[2].lower()])


def _parse_credentials(user: str | None, password: str | None) -> tuple[str, str] | None:
    if (user is None) != (password is None):
        raise ConfigurationError("--user and --password go together")
    return None if user is None or password is None else (user, password)
