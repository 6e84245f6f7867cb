"""`nvr processor`: watch cameras, publish what is seen."""

import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nvr.cli import options, settings
from nvr.cli.logs import apply_log_settings
from nvr.core.errors import CancelledError, StreamError

if TYPE_CHECKING:
    from nvr.config import NvrConfig
    from nvr.config.derive import ProcessorSettings
    from nvr.config.watch import WatchedFiles
    from nvr.processor.camera import CameraReport
    from nvr.processor.report import ProcessorReport

logger = logging.getLogger(__name__)


def processor(
    uris: options.Uris = None,
    n: options.NumberOfStreams = None,
    stream_server: options.StreamServer = None,
    first_source_id: options.FirstSourceId = None,
    rtsp_transport: options.RtspTransportOption = None,
    model: Annotated[
        str | None,
        typer.Option(help="Catalogue name (see `nvr models list`), .onnx file, motion, or roboflow:<model id>."),
    ] = None,
    confidence: Annotated[
        float | None, typer.Option(min=0, max=1, help="Detections less sure than this are not published.")
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="Class names to publish, separated by commas; all if absent.")
    ] = None,
    decode: options.Decode = None,
    hwaccel: options.Hwaccel = None,
    multiplex: options.Multiplex = None,
    max_fps: Annotated[
        float | None, typer.Option(help="Most frames analysed per second and camera; 0 for no limit.")
    ] = None,
    instance_id: Annotated[str | None, typer.Option(help="Name of this processor on the broker.")] = None,
    mqtt_host: options.MqttHost = None,
    mqtt_port: options.MqttPort = None,
    mqtt_username: options.MqttUsername = None,
    mqtt_password: options.MqttPassword = None,
    mqtt_tls: options.MqttTls = None,
    mqtt_ca_file: options.MqttCaFile = None,
    mqtt_cert_file: options.MqttCertFile = None,
    mqtt_key_file: options.MqttKeyFile = None,
    mqtt_qos: Annotated[
        int | None, typer.Option(min=0, max=2, help="QoS of detections.", rich_help_panel="Broker")
    ] = None,
    mqtt: Annotated[
        bool | None, typer.Option("--mqtt/--no-mqtt", help="Publish to the broker.", rich_help_panel="Broker")
    ] = None,
    topic_prefix: options.TopicPrefix = None,
    tenant: options.Tenant = None,
    recordings: options.Recordings = None,
    record: options.Record = None,
    jsonl: Annotated[Path | None, typer.Option(help="Also append each event as a line of JSON to this file.")] = None,
    watchdog: Annotated[
        bool | None, typer.Option("--watchdog/--no-watchdog", help="Reconnect cameras that show nothing.")
    ] = None,
    control: options.Control = None,
    metrics: options.Metrics = None,
    config: options.ConfigFile = None,
    log_level: options.LogLevel = None,
    log_format: options.LogFormat = None,
    verbose: options.Verbose = False,
) -> None:
    """Watch cameras, record them where asked, and publish detection events to MQTT until Ctrl-C.

    Cameras are given as URIs, by --stream-server with --n, or in a --config file; those given here are used instead of
    the file's. With --tenant, the file's cameras of that tenant. A changed file or secret is applied while it
    runs, camera by camera, as is SIGHUP; `nvr ctl` commands it.
    """
    flags: dict[str, tuple[str, object]] = {
        "streams.rtsp_transport": ("--rtsp-transport", rtsp_transport),
        "streams.decode": ("--decode", decode),
        "streams.hwaccel": ("--hwaccel", hwaccel),
        "models.model_id": ("--model", model),
        "models.confidence_threshold": ("--confidence", confidence),
        "models.classes": ("--classes", None if classes is None else classes_of(classes)),
        "models.multiplex": ("--multiplex", multiplex),
        "control.enabled": ("--no-control", control),
        "metrics.http_port": ("--metrics", metrics),
        "processors.jsonl_path": ("--jsonl", jsonl),
        "processors.enable_watchdog": ("--no-watchdog", watchdog),
    }
    overrides = (
        *settings.from_flags(flags),
        *settings.logs(log_level, log_format, is_verbose=verbose),
        *settings.from_broker_flags(
            host=mqtt_host,
            port=mqtt_port,
            username=mqtt_username,
            password=mqtt_password,
            tls=mqtt_tls,
            ca_file=mqtt_ca_file,
            cert_file=mqtt_cert_file,
            key_file=mqtt_key_file,
            qos=mqtt_qos,
            enabled=mqtt,
            topic_prefix=topic_prefix,
        ),
        *settings.max_fps(max_fps),
        *settings.recording(recordings, record),
        *settings.from_uris(uris, n, stream_server, first_source_id=first_source_id, tenant=tenant),
    )
    read_site = settings.site_reader(config, overrides)
    read = _reader(read_site, first_source_id=first_source_id or 0, instance_id=instance_id, tenant=tenant)
    _run(read, None if config is None else read_site.files)


def _log_as_told(told: "ProcessorSettings") -> None:
    apply_log_settings(told.log, {"instance_id": told.stream.instance_id})


def _run(read: "Callable[[], ProcessorSettings]", files: "WatchedFiles | None") -> None:
    from nvr.app.instance.program import ProcessorProgram

    program = ProcessorProgram(
        read, watched=files, allow_empty=files is not None, on_report=_tell, on_settings=_log_as_told
    )
    options.on_stop_signals(program.request_stop)
    options.on_reload_signal(program.reload_in_background, program.request_stop)
    with contextlib.suppress(CancelledError):
        report = program.run()
        logger.info("all in all %s", describe_counts(report))
        raise_if_nothing_was_seen(report)


def _tell(report: "ProcessorReport") -> None:
    logger.info("%s", describe(report))


def _reader(
    read_site: "Callable[[], NvrConfig]", *, first_source_id: int, instance_id: str | None, tenant: str | None
) -> "Callable[[], ProcessorSettings]":
    """Return what reads the settings of this processor, anew at each call; cameras keep their numbers."""
    known: dict[str, int] = {}

    def read() -> "ProcessorSettings":
        from nvr.config.derive import processor_settings
        from nvr.config.numbering import number_cameras

        nonlocal known
        site, known = number_cameras(read_site(), known, first=first_source_id)
        return processor_settings(site, instance_id=instance_id, tenant=tenant)

    return read


def classes_of(text: str) -> list[str]:
    """Return the names in a text that separates them by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def raise_if_nothing_was_seen(report: "ProcessorReport") -> None:
    """Fail where every camera has ended by itself without a single picture."""
    from nvr.media.stream import StreamState

    if report.cameras and all(
        camera.state is not StreamState.STOPPED and not camera.stream.frames for camera in report.cameras
    ):
        reasons = "; ".join(camera.stream.last_error or f"{camera.name} was empty" for camera in report.cameras[:3])
        raise StreamError(f"no camera delivered a picture: {reasons}")


def _describe_camera(camera: "CameraReport") -> str:
    asleep = ", asleep" if camera.stream.is_asleep else ""
    if camera.health is None or camera.state is not camera.state.RUNNING:
        return f"{camera.source_id}: {camera.state.value} {camera.stream.fps:.0f} fps{asleep}"
    reason = f" ({camera.health.reason})" if camera.health.reason else ""
    return f"{camera.source_id}: {camera.health.state.value}{reason} {camera.stream.fps:.0f} fps{asleep}"


def describe(report: "ProcessorReport") -> str:
    """Return one line about a processor for its operator."""
    cameras = ", ".join(_describe_camera(camera) for camera in report.cameras) or "no camera"
    broker = "broker connected" if report.is_broker_connected else "no broker"
    troubles = ["the detector does not answer, "] if report.detector_hangs else []
    troubles += [f"model {model.model_id} fails ({model.reason}), " for model in report.models if model.reason]
    return f"{''.join(troubles)}{describe_counts(report)}, {broker}; {cameras}"


def describe_counts(report: "ProcessorReport") -> str:
    """Return what a processor has done until now, which is all that can be said of one that has ended."""
    analysed = f"{report.analysed_frames} frames analysed in {report.inferences} inferences"
    return f"{analysed}, {report.lost_events} events lost"
