"""What `nvr config init` shows: a table for people, a document for programs; pure."""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.table import Column, Table
from rich.text import Text

from nvr.app.camera_search import FoundCamera
from nvr.app.config_init import ConfigText, printable_line
from nvr.discovery.probe_match import DiscoveredDevice
from nvr.media.probe import ProbeResult


def camera_table(cameras: Sequence[FoundCamera]) -> Table:
    """Return what was found, a camera a row, with numbers for those that can be chosen: the first ones.

    A second line is the stream that is looked at.
    """
    table = Table("#", "camera", Column("address", overflow="fold"), "codec", "size", "fps", "sound", "remarks")
    for number, camera in enumerate(cameras, 1):
        streams = [stream for stream in (camera.main, camera.detect) if stream is not None]
        table.add_row(
            str(number) if camera.uri else "",
            _cell([camera.name, camera.make]),
            _cell([camera.shown_uri]),
            _cell([stream.codec for stream in streams]),
            _cell([_size(stream) for stream in streams]),
            _cell([_fps(stream) for stream in streams]),
            _cell([(camera.main.audio_codec or "none") if camera.main is not None else ""]),
            _remarks(camera),
        )
    return table


def device_list(devices: Sequence[DiscoveredDevice]) -> Text:
    """Return who answered, a device a line."""
    lines = [f"{len(devices)} device{'' if len(devices) == 1 else 's'} answered:"]
    lines += [f"  {device.host:<15}  {device.name or device.hardware or device.endpoint}" for device in devices]
    return Text("\n".join(lines))


def as_json(cameras: Sequence[FoundCamera], written: Path | None, config: ConfigText | None) -> str:
    """Return what was found, and written, as one JSON document without credentials."""
    document = {
        "cameras": [_camera(camera) for camera in cameras],
        "written": None if written is None else str(written),
        "secrets": [] if config is None or written is None else [str(written.parent / name) for name in config.secrets],
    }
    return json.dumps(document, indent=2)


def next_step(path: Path, config: ConfigText, left_out: Sequence[FoundCamera]) -> Text:
    """Return what was written, which silent cameras were not, and what to do now."""
    lines = [f"written: {path}"]
    if config.secrets:
        folder = path.parent / Path(next(iter(config.secrets))).parent
        files = "a file" if len(config.secrets) == 1 else f"{len(config.secrets)} files"
        lines += [f"written: {folder}, {files} with passwords that only you can read"]
    elif config.is_secret:
        lines += ["it holds passwords: only you can read it"]
    lines += [f"left out: {_called(camera)}, which did not answer" for camera in left_out]
    option = "" if path == Path("nvr.yaml") else f" --config {path}"
    return Text("\n".join([*lines, f"next: nvr up{option}"]))


def _called(camera: FoundCamera) -> str:
    address = printable_line(camera.shown_uri)
    return f"{printable_line(camera.name)} ({address})" if camera.name else address


def _camera(camera: FoundCamera) -> dict[str, object]:
    return {
        "name": camera.name,
        "host": camera.host,
        "address": camera.shown_uri if camera.uri else None,
        "make": camera.make or None,
        "answers": camera.answers,
        "problem": printable_line(camera.problem) or None,
        "hints": [printable_line(hint) for hint in camera.hints],
        "main": None if camera.main is None else _stream(camera.main),
        "detect": None if camera.detect is None else _stream(camera.detect),
    }


def _stream(stream: ProbeResult) -> dict[str, object]:
    return {
        "codec": stream.codec,
        "width_px": stream.width_px,
        "height_px": stream.height_px,
        "fps": None if stream.fps is None else round(stream.fps, 2),
        "audio_codec": stream.audio_codec,
        "gop_s": None if stream.gop_s is None else round(stream.gop_s, 3),
        "first_key_frame_s": None if stream.first_key_frame_s is None else round(stream.first_key_frame_s, 3),
    }


def _cell(lines: Sequence[str]) -> Text:
    return Text("\n".join(printable_line(line) for line in lines if line))


def _remarks(camera: FoundCamera) -> Text:
    remarks = Text()
    for line, style in (*([(camera.problem, "red")] if camera.problem else []), *((h, "yellow") for h in camera.hints)):
        remarks.append(("\n" if remarks.plain else "") + printable_line(line), style)
    return remarks


def _size(stream: ProbeResult) -> str:
    return f"{stream.width_px}x{stream.height_px}" if stream.pixels else "?"


def _fps(stream: ProbeResult) -> str:
    return "?" if stream.fps is None else f"{stream.fps:.3g}"
