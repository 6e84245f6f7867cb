"""Tables of an installation for `nvr status` and `nvr top`; pure."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from nvr.app.site.view import CameraRow, InstanceRow, SiteView, Verdict

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


def _instances(rows: Sequence[InstanceRow], *, has_metrics: bool) -> Table:
    table = _table(("Instance", False), ("Kind", False), ("State", False), ("Cameras", True))
    if has_metrics:
        for title in ("CPU %", "Memory MiB", "Events lost"):
            table.add_column(title, justify="right")
    for title in ("Models", "Why"):
        table.add_column(title)
    for row in rows:
        counted = (
            _number(row.cpu_percent, 0),
            _number(None if row.rss_bytes is None else row.rss_bytes / _MEBIBYTE, 0),
            _number(row.events_lost, 0),
        )
        table.add_row(
            escape(row.name),
            row.kind,
            _state(row.state, row.is_well),
            str(row.n_cameras),
            *(counted if has_metrics else ()),
            escape(row.models),
            escape(row.reason),
        )
    return table


def _cameras(rows: Sequence[CameraRow], *, has_metrics: bool) -> Table:
    table = _table(("Id", True), ("Camera", False), ("Instance", False), ("State", False), ("fps", True))
    table.add_column("Analysed", justify="right")
    if has_metrics:
        for title in ("Lost", "p50 ms", "p95 ms", "CPU %"):
            table.add_column(title, justify="right")
    for title in ("Recording", "Model", "Why"):
        table.add_column(title)
    for row in rows:
        counted = (
            _number(row.lost_frames, 0),
            _number(row.p50_ms, 0),
            _number(row.p95_ms, 0),
            _number(row.cpu_percent, 0),
        )
        table.add_row(
            str(row.source_id),
            escape(row.name),
            escape(row.instance),
            _state(row.state, row.is_well),
            _number(row.fps, 1),
            _number(row.analysed_fps, 1),
            *(counted if has_metrics else ()),
            escape(row.recording),
            escape(row.model_id),
            escape(row.reason),
        )
    return table


def _table(*columns: tuple[str, bool]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title, is_number in columns:
        table.add_column(title, justify="right" if is_number else "left", no_wrap=not is_number)
    return table


def _state(state: str, is_well: bool) -> Text:
    return Text(state, style="green" if is_well else "red")


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
