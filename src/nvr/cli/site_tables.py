"""Tables of an installation for `nvr status` and `nvr top`; pure."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from nvr.app.site.view import CameraRow, InstanceRow, SiteView, Verdict
from nvr.cli.fitted_table import Column, FittedTable

_MEBIBYTE = 2**20
_GIGABYTE = 1e9
_VERDICTS = {Verdict.WELL: "all is well", Verdict.UNWELL: "not all is well", Verdict.UNREACHABLE: "nothing runs"}


def status_tables(view: SiteView, address: str) -> RenderableType:
    """Return what `nvr status` shows."""
    return Group(
        _headline(view, address),
        _instances(view.instances, has_metrics=False),
        _cameras(view.cameras, has_metrics=False),
    )


def top_tables(view: SiteView, address: str, *, is_connected: bool = True) -> RenderableType:
    """Return what `nvr top` shows."""
    headline = _headline(view, address if is_connected else f"{address} (lost)")
    return Group(headline, _instances(view.instances, has_metrics=True), _cameras(view.cameras, has_metrics=True))


def _headline(view: SiteView, address: str) -> Text:
    n_cameras = len(view.cameras)
    parts = [_VERDICTS[view.verdict], f"broker {address}", f"{n_cameras} camera{'' if n_cameras == 1 else 's'}"]
    for disk in view.disks:
        used = 1 - disk.free_bytes / disk.total_bytes if disk.total_bytes else 0.0
        part = f"disk {used:.0%} of {disk.total_bytes / _GIGABYTE:.0f} GB"
        if disk.recordings_bytes is not None:
            part += f", recordings {disk.recordings_bytes / _GIGABYTE:.1f} GB"
        if disk.forecast_days is not None:
            part += f", room for {disk.forecast_days:.0f} days"
        parts.append(part)
    return Text(", ".join(parts), style="green" if view.verdict is Verdict.WELL else "red")


def _instances(rows: Sequence[InstanceRow], *, has_metrics: bool) -> FittedTable:
    columns = [Column("Instance"), Column("Kind", rank=2), Column("State"), Column("Cameras", is_number=True)]
    if has_metrics:
        columns += [Column("CPU %", is_number=True), Column("Memory MiB", is_number=True)]
        columns += [Column("Events lost", is_number=True, rank=3)]
    columns += [Column("Models", rank=1), Column("Why", wraps=True)]
    cells = []
    for row in rows:
        counted = (
            _number(row.cpu_percent, 0),
            _number(None if row.rss_bytes is None else row.rss_bytes / _MEBIBYTE, 0),
            _number(row.events_lost, 0),
        )
        texts = [row.name, row.kind, _state(row.state, row.is_well), str(row.n_cameras)]
        cells.append([*texts, *(counted if has_metrics else ()), row.models, row.reason])
    return FittedTable(columns, cells)


def _cameras(rows: Sequence[CameraRow], *, has_metrics: bool) -> FittedTable:
    columns = [Column("Id", is_number=True), Column("Camera"), Column("Instance", rank=3), Column("State")]
    columns += [Column("fps", is_number=True), Column("Analysed", is_number=True)]
    if has_metrics:
        columns += [Column("Lost", is_number=True), Column("p50 ms", is_number=True, rank=2)]
        columns += [Column("p95 ms", is_number=True), Column("CPU %", is_number=True, rank=5)]
    columns += [Column("Recording", rank=4), Column("Model", rank=1), Column("Why", wraps=True)]
    cells = []
    for row in rows:
        counted = (
            _number(row.lost_frames, 0),
            _number(row.p50_ms, 0),
            _number(row.p95_ms, 0),
            _number(row.cpu_percent, 0),
        )
        texts = [str(row.source_id), row.name, row.instance, _state(row.state, row.is_well)]
        rates = [_number(row.fps, 1), _number(row.analysed_fps, 1), *(counted if has_metrics else ())]
        cells.append([*texts, *rates, row.recording, row.model_id, row.reason])
    return FittedTable(columns, cells)


def _state(state: str, is_well: bool) -> Text:
    return Text(state, style="green" if is_well else "red")


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
