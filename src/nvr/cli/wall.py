"""`nvr wall`: every camera with its detections, in a window, on a page or as a picture file."""

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nvr.cli import options, settings
from nvr.cli.logs import apply_log_settings
from nvr.core.errors import ConfigurationError

if TYPE_CHECKING:
    from nvr.app.wall_settings import WallSettings
    from nvr.config import NvrConfig, VideoWallConfig
    from nvr.config.operations import LogConfig
    from nvr.wall import VideoWall

logger = logging.getLogger(__name__)

PAGE_GOODBYE_S = 0.4
"""What the page may take to end after the wall, which takes at most 1.5 s."""
_PICTURE = "Picture"
_OUTPUT = "Output"


def wall(
    uris: options.Uris = None,
    n: options.NumberOfStreams = None,
    stream_server: options.StreamServer = None,
    first_source_id: options.FirstSourceId = None,
    rtsp_transport: options.RtspTransportOption = None,
    http: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Serve a page on this port; 0 for any free one.", rich_help_panel=_OUTPUT),
    ] = None,
    http_host: Annotated[
        str | None,
        typer.Option(help="Address of the page [127.0.0.1]; 0.0.0.0 for the network.", rich_help_panel=_OUTPUT),
    ] = None,
    snapshot: Annotated[
        Path | None,
        typer.Option(help="Write one picture to this .png or .jpg file and end.", rich_help_panel=_OUTPUT),
    ] = None,
    after: Annotated[
        float | None,
        typer.Option(
            min=0, max=3600, help="Take the snapshot after so many seconds, not when all show.", rich_help_panel=_OUTPUT
        ),
    ] = None,
    no_window: Annotated[
        bool, typer.Option("--no-window", help="Open no window even if there is a display.", rich_help_panel=_OUTPUT)
    ] = False,
    tile_width: Annotated[
        int | None, typer.Option(help="Width of a camera's tile in pixels [480].", rich_help_panel=_PICTURE)
    ] = None,
    tile_height: Annotated[
        int | None, typer.Option(help="Height of a camera's tile in pixels [270].", rich_help_panel=_PICTURE)
    ] = None,
    display_fps: Annotated[
        float | None, typer.Option(help="Most pictures of the wall per second [25].", rich_help_panel=_PICTURE)
    ] = None,
    detection_ttl: Annotated[
        float | None, typer.Option(help="Seconds that boxes stay without a newer event [1].", rich_help_panel=_PICTURE)
    ] = None,
    stale_after: Annotated[
        float | None,
        typer.Option(help="Seconds without a picture after which a camera is stale [3].", rich_help_panel=_PICTURE),
    ] = None,
    min_confidence: Annotated[
        float | None, typer.Option(help="Boxes less sure than this are not drawn [0].", rich_help_panel=_PICTURE)
    ] = None,
    mqtt_host: options.MqttHost = None,
    mqtt_port: options.MqttPort = None,
    mqtt_username: options.MqttUsername = None,
    mqtt_password: options.MqttPassword = None,
    mqtt_tls: options.MqttTls = None,
    mqtt_ca_file: options.MqttCaFile = None,
    mqtt_cert_file: options.MqttCertFile = None,
    mqtt_key_file: options.MqttKeyFile = None,
    topic_prefix: options.TopicPrefix = None,
    tenant: options.Tenant = None,
    config: options.ConfigFile = None,
    log_level: options.LogLevel = None,
    log_format: options.LogFormat = None,
    verbose: options.Verbose = False,
) -> None:
    """Show every camera with its detections until q, Esc or Ctrl-C.

    Cameras are given as URIs, by --stream-server with --n, or in a --config file; those given here are shown instead of
    the file's. With --tenant, the file's cameras of that tenant. When it changes, cameras come and go. Where there
    is a display a window opens; --http, or `wall.http_port` of the file, serves a page, --snapshot writes one picture.
    """
    from nvr.app.wall_settings import WallSettings

    flags: dict[str, tuple[str, object]] = {
        "streams.rtsp_transport": ("--rtsp-transport", rtsp_transport),
        "wall.http_host": ("--http-host", http_host),
        "wall.tile_width": ("--tile-width", tile_width),
        "wall.tile_height": ("--tile-height", tile_height),
        "wall.display_fps": ("--display-fps", display_fps),
        "wall.detection_ttl_seconds": ("--detection-ttl", detection_ttl),
        "wall.stale_after_seconds": ("--stale-after", stale_after),
        "wall.min_confidence": ("--min-confidence", min_confidence),
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
            topic_prefix=topic_prefix,
        ),
        *settings.from_uris(uris, n, stream_server, first_source_id=first_source_id, tenant=tenant),
    )
    read_site = settings.site_reader(config, overrides)
    told = WallSettings(
        _reader(read_site, first_source_id=first_source_id or 0, tenant=tenant, http=http), read_site.files
    )
    _run(told, snapshot=snapshot, after_s=after, wants_window=not no_window)


def _reader(
    read_site: "Callable[[], NvrConfig]", *, first_source_id: int, tenant: str | None, http: int | None
) -> "Callable[[], VideoWallConfig]":
    """Return what reads the settings of this wall, anew at each call; cameras keep their numbers."""
    known: dict[str, int] = {}
    log: LogConfig | None = None

    def read() -> "VideoWallConfig":
        from nvr.config.derive import wall_settings
        from nvr.config.numbering import number_cameras

        nonlocal known, log
        site, known = number_cameras(read_site(), known, first=first_source_id)
        if site.log != log:
            log = site.log
            apply_log_settings(log)
        told = wall_settings(site, tenant)
        # a page that nobody asked for is no reason to do without a window
        port = told.http_port if http is None and "http_port" in site.wall.model_fields_set else http
        return told.model_copy(update={"http_port": port})

    return read


def _run(settings: "WallSettings", *, snapshot: Path | None, after_s: float | None, wants_window: bool) -> None:
    from nvr.wall import VideoWall

    told = settings.told
    if snapshot is not None:
        _take_snapshot(VideoWall(told), snapshot, after_s)
        return
    if after_s is not None:
        raise ConfigurationError("--after belongs to --snapshot")
    has_window = wants_window and has_display()
    if told.http_port is None and not has_window:
        raise ConfigurationError(
            "there is no display for a window (or --no-window was given): "
            "use --http PORT for a page or --snapshot FILE for a picture"
        )
    shown = VideoWall(told)
    options.on_reload_signal(
        lambda: threading.Thread(target=settings.apply, name="reload", daemon=True).start(), shown.stop
    )
    settings.follow(shown)
    try:
        _show(shown, has_window=has_window)
    finally:
        settings.stop()


def has_display() -> bool:
    """Say whether a window could be opened."""
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _take_snapshot(shown: "VideoWall", path: Path, after_s: float | None) -> None:
    from nvr.wall.encoding import format_of
    from nvr.wall.snapshot import take_snapshot

    format_of(path)
    options.on_stop_signals(shown.stop)
    shown.start()
    try:
        n_live = take_snapshot(shown, path, after_s=after_s)
    finally:
        shown.stop()
    typer.echo(f"wrote {path}: {n_live} of {len(shown.source_ids)} cameras live")


def _show(shown: "VideoWall", *, has_window: bool) -> None:
    # what is missing is told before the first camera is opened
    if has_window:
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        from nvr.wall.window import WallWindow
    settings = shown.config
    page = None
    if settings.http_port is not None:
        from nvr.wall.http_server import WallServer

        page = WallServer(shown, host=settings.http_host, port=settings.http_port, on_failed=shown.stop)
        page.start()
        typer.echo(f"wall page: {page.url}")
        if not page.is_private:
            logger.warning("the page has no password: whoever reaches %s sees the cameras", page.url)
    options.on_stop_signals(shown.stop)
    shown.start()
    try:
        if has_window:
            WallWindow(shown).run()
        else:
            shown.join()
    finally:
        # both end at the same time, within 2 s in all
        if page is not None:
            page.request_stop()
        shown.stop()
        if page is not None:
            page.stop(PAGE_GOODBYE_S)
    if page is not None and page.error is not None:
        raise page.error
