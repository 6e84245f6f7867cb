"""`nvr ctl`: command running instances and read what they answer."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nvr.cli import options
from nvr.cli.broker_options import Asked, with_broker_options
from nvr.cli.ctl_run import MORE_THAN_THE_MODEL_S, Audience, Site, read_values, run
from nvr.cli.logs import setup_logging

if TYPE_CHECKING:
    from pydantic import JsonValue

app = typer.Typer(name="ctl", no_args_is_help=True)

Instances = Annotated[
    list[str] | None, typer.Option("--instance", "-i", help="Instance that is meant; may be repeated; all if absent.")
]
Sources = Annotated[
    list[int] | None, typer.Option("--source", "-s", help="Camera that is meant; may be repeated; all if absent.")
]
SomeSources = Annotated[list[int], typer.Option("--source", "-s", help="Camera that is meant; may be repeated.")]
Timeout = Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds to wait for the answers.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON object.")]


@app.callback()
@with_broker_options
def ctl(
    context: typer.Context,
    asked: Asked,
    tenant: options.Tenant = None,
    as_json: AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Command running instances: pause, add cameras, change the model, record, and more.

    Options for the broker stand before the command: `nvr ctl --mqtt-host nvr.lan pause --source 3`. Without them it is
    the broker of the `nvr up` that runs on this machine, else the one on localhost. Where commands must be signed, the
    key is that of `control.key` in the file or of NVR_CONTROL__KEY. The exit status is 1 where an instance answered
    with an error or not at all.
    """
    setup_logging(verbose, quiet_level="ERROR")
    context.obj = Site(asked, tenant, as_json)


@app.command()
def ping(context: typer.Context, instance: Instances = None, timeout: Timeout = 5.0, as_json: AsJson = False) -> None:
    """Ask who is there, which version runs, and since when."""
    run(context.obj, Audience(instance or (), None, timeout, as_json), "ping")


@app.command()
def status(context: typer.Context, instance: Instances = None, timeout: Timeout = 5.0, as_json: AsJson = False) -> None:
    """Ask how instances and their cameras do."""
    run(context.obj, Audience(instance or (), None, timeout, as_json), "status")


@app.command()
def metrics(
    context: typer.Context, instance: Instances = None, timeout: Timeout = 5.0, as_json: AsJson = False
) -> None:
    """Ask for all counters."""
    run(context.obj, Audience(instance or (), None, timeout, as_json), "metrics")


@app.command()
def pause(
    context: typer.Context,
    hang_up: Annotated[
        bool, typer.Option("--hang-up", help="Also disconnect, so that nothing is recorded either.")
    ] = False,
    source: Sources = None,
    instance: Instances = None,
    timeout: Timeout = 10.0,
    as_json: AsJson = False,
) -> None:
    """Look at cameras no more, at once; connection and recording go on."""
    run(context.obj, Audience(instance or (), source, timeout, as_json), "pause", {"hang_up": hang_up})


@app.command()
def resume(
    context: typer.Context,
    source: Sources = None,
    instance: Instances = None,
    timeout: Timeout = 10.0,
    as_json: AsJson = False,
) -> None:
    """Look at paused cameras again."""
    run(context.obj, Audience(instance or (), source, timeout, as_json), "resume")


@app.command()
def stop(context: typer.Context, instance: Instances = None, timeout: Timeout = 10.0, as_json: AsJson = False) -> None:
    """End instances in order; recordings are closed properly. Under `nvr up` they stay so until a reload."""
    run(context.obj, Audience(instance or (), None, timeout, as_json), "stop")


@app.command()
def restart(
    context: typer.Context, instance: Instances = None, timeout: Timeout = 60.0, as_json: AsJson = False
) -> None:
    """End and begin anew, by the settings as they are now."""
    run(context.obj, Audience(instance or (), None, timeout, as_json), "restart")


@app.command()
def change_model(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="Catalogue name, .onnx file, motion, or roboflow:<model id>.")],
    instead_of: Annotated[
        str | None, typer.Option(help="Model of the settings that is meant; the instance's own if absent.")
    ] = None,
    instance: Instances = None,
    timeout: Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds until it is given up.")] = 60.0,
    as_json: AsJson = False,
) -> None:
    """Look with another model, without a pause; a failure leaves the old one."""
    params: dict[str, JsonValue] = {"model_id": model, "timeout_s": timeout}
    if instead_of is not None:
        params["instead_of"] = instead_of
    run(context.obj, Audience(instance or (), None, timeout + MORE_THAN_THE_MODEL_S, as_json), "change_model", params)


@app.command()
def set_fps(
    context: typer.Context,
    max_fps: Annotated[
        float,
        typer.Argument(
            min=0,
            help="Frames per second and camera; 0: no limit of its own, then a camera goes by that of all.",
        ),
    ],
    source: Sources = None,
    instance: Instances = None,
    timeout: Timeout = 10.0,
    as_json: AsJson = False,
) -> None:
    """Look at more or fewer frames of cameras."""
    run(context.obj, Audience(instance or (), source, timeout, as_json), "set_fps", {"max_fps": max_fps or None})


@app.command()
def set_confidence(
    context: typer.Context,
    confidence: Annotated[float, typer.Argument(min=0, max=1, help="Detections less sure are not published.")],
    source: Sources = None,
    instance: Instances = None,
    timeout: Timeout = 10.0,
    as_json: AsJson = False,
) -> None:
    """Publish more or less sure detections."""
    run(context.obj, Audience(instance or (), source, timeout, as_json), "set_confidence", {"confidence": confidence})


@app.command()
def add_stream(
    context: typer.Context,
    uri: Annotated[str, typer.Argument(help="Its main stream: rtsp://…, http://… or a file.")],
    name: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    source_id: Annotated[int | None, typer.Option(min=0, help="Its number; the next free one if absent.")] = None,
    detect_uri: Annotated[str | None, typer.Option(help="A smaller stream of it, which is looked at instead.")] = None,
    record: Annotated[
        str | None, typer.Option(help="off, or some of continuous, events and on_demand joined by +.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model that looks at it.")] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="Another setting of it, KEY=VALUE; may be repeated.")
    ] = None,
    instance: Annotated[
        list[str] | None, typer.Option("--instance", "-i", help="Where it is to run; needed where there are several.")
    ] = None,
    timeout: Timeout = 30.0,
    as_json: AsJson = False,
) -> None:
    """Begin with another camera. It is gone after a restart unless the file has it, too."""
    named: dict[str, JsonValue] = {
        "uri": uri,
        "name": name,
        "source_id": source_id,
        "detect_uri": detect_uri,
        "record": record,
        "model_id": model,
    }
    camera = {key: value for key, value in named.items() if value is not None} | read_values(setting or ())
    audience = Audience(instance or (), None, timeout, as_json)
    run(context.obj, audience, "add_stream", {"camera": camera}, needs_one=True)


@app.command()
def remove_stream(
    context: typer.Context,
    source: SomeSources,
    instance: Instances = None,
    timeout: Timeout = 30.0,
    as_json: AsJson = False,
) -> None:
    """End cameras; their recordings are kept."""
    run(context.obj, Audience(instance or (), source, timeout, as_json), "remove_stream")


@app.command()
def update_stream(
    context: typer.Context,
    source: SomeSources,
    setting: Annotated[
        list[str], typer.Option("--set", help="New value of a setting, KEY=VALUE (JSON or text); may be repeated.")
    ],
    instance: Instances = None,
    timeout: Timeout = 60.0,
    as_json: AsJson = False,
) -> None:
    """Change settings of cameras while they run, such as --set max_fps=2 --set record=events."""
    changes = read_values(setting)
    run(context.obj, Audience(instance or (), source, timeout, as_json), "update_stream", {"changes": changes})


@app.command()
def rename_instance(
    context: typer.Context,
    new_name: Annotated[str, typer.Argument(help="1 to 63 letters, digits, _, - or .")],
    instance: Annotated[
        list[str] | None, typer.Option("--instance", "-i", help="Who is meant; needed where there are several.")
    ] = None,
    timeout: Timeout = 15.0,
    as_json: AsJson = False,
) -> None:
    """Let an instance go on under another name."""
    audience = Audience(instance or (), None, timeout, as_json)
    run(context.obj, audience, "rename_instance", {"instance_id": new_name}, needs_one=True)


@app.command()
def record_start(
    context: typer.Context,
    max_s: Annotated[float | None, typer.Option(help="End by itself after so many seconds.")] = None,
    source: Sources = None,
    instance: Instances = None,
    timeout: Timeout = 10.0,
    as_json: AsJson = False,
) -> None:
    """Record cameras from now on, whatever their mode."""
    params: dict[str, JsonValue] = {} if max_s is None else {"max_s": max_s}
    run(context.obj, Audience(instance or (), source, timeout, as_json), "record_start", params)


@app.command()
def record_stop(
    context: typer.Context,
    source: Sources = None,
    instance: Instances = None,
    timeout: Timeout = 10.0,
    as_json: AsJson = False,
) -> None:
    """End recording on demand."""
    run(context.obj, Audience(instance or (), source, timeout, as_json), "record_stop")


@app.command()
def snapshot(
    context: typer.Context,
    source: Sources = None,
    instance: Instances = None,
    timeout: Timeout = 30.0,
    as_json: AsJson = False,
) -> None:
    """Keep the newest picture of cameras among the recordings."""
    run(context.obj, Audience(instance or (), source, timeout, as_json), "snapshot")


@app.command()
def set_log_level(
    context: typer.Context,
    level: Annotated[Literal["debug", "info", "warning", "error"], typer.Argument(help="The least that is written.")],
    logger: Annotated[str, typer.Option(help="Part of the program, such as nvr.recording.")] = "nvr",
    instance: Instances = None,
    timeout: Timeout = 10.0,
    as_json: AsJson = False,
) -> None:
    """Write more or less to the log, until the next start."""
    params: dict[str, JsonValue] = {"level": level, "logger": logger}
    run(context.obj, Audience(instance or (), None, timeout, as_json), "set_log_level", params)


@app.command()
def reload(
    context: typer.Context, instance: Instances = None, timeout: Timeout = 60.0, as_json: AsJson = False
) -> None:
    """Read the configuration file again and apply what is different."""
    run(context.obj, Audience(instance or (), None, timeout, as_json), "reload")


@app.command()
def send(
    context: typer.Context,
    command: Annotated[str, typer.Argument(help="Name of the command.")],
    param: Annotated[
        list[str] | None, typer.Option("--param", "-p", help="KEY=VALUE (JSON or text); may be repeated.")
    ] = None,
    source: Sources = None,
    instance: Instances = None,
    timeout: Timeout = 10.0,
    as_json: AsJson = False,
) -> None:
    """Send any command with any parameters."""
    run(context.obj, Audience(instance or (), source, timeout, as_json), command, read_values(param or ()))
