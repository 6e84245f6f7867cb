"""`nvr recordings`: what was recorded, whether it is all there and plays, clips out of it, what is kept for ever."""

import contextlib
import json
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nvr.cli.options import ConfigFile

if TYPE_CHECKING:
    from nvr.recording.index import SegmentIndex
    from nvr.recording.segment import Segment, SegmentKind

app = typer.Typer(
    name="recordings",
    help="Recordings: list, verify, export and protect them, and rebuild their index.",
    no_args_is_help=True,
)

SHOWN_BY_DEFAULT = 100


class KindName(StrEnum):
    """What `--kind` takes."""

    CONTINUOUS = "continuous"
    EVENT = "event"
    ON_DEMAND = "on-demand"
    PROTECTED = "protected"


class OtherKind(StrEnum):
    """What a clip that is no longer protected may become."""

    CONTINUOUS = "continuous"
    EVENT = "event"
    ON_DEMAND = "on-demand"


_TIMES = "ISO 8601 (local time without a zone), `now`, or so long ago as in -2h"

Root = Annotated[
    Path | None,
    typer.Option("--root", "-r", help="Folder of the recordings; by default `storage.root` of --config."),
]
AnyTenant = Annotated[str | None, typer.Option("--tenant", help="Only this tenant's; `default` is the one unnamed.")]
OneTenant = Annotated[str, typer.Option("--tenant", help="Whose camera it is; `default` is the tenant unnamed.")]
AnyCamera = Annotated[int | None, typer.Option("--camera", min=0, help="Only the camera of this source id.")]
OneCamera = Annotated[int, typer.Option("--camera", min=0, help="Source id of the camera.")]
From = Annotated[str | None, typer.Option("--from", help=f"Only what reaches past this time: {_TIMES}.")]
To = Annotated[str | None, typer.Option("--to", help="Only what begins before this time.")]
RangeFrom = Annotated[str, typer.Option("--from", help=f"Beginning of the range: {_TIMES}.")]
RangeTo = Annotated[str, typer.Option("--to", help="End of the range.")]


@app.command("ls")
def list_command(
    root: Root = None,
    config: ConfigFile = None,
    tenant: AnyTenant = None,
    camera: AnyCamera = None,
    start: From = None,
    end: To = None,
    kind: Annotated[list[KindName] | None, typer.Option(help="Only this kind; repeat it for more.")] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=0, help="Show so many, the newest; 0 the sums only. By default 100, with --json all."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")] = False,
) -> None:
    """List recordings, sum them up, and tell how many days fit on the disk at the rate of the last day."""
    from nvr.cli.recording_index import open_for_reading
    from nvr.cli.recording_text import forecast_fields, line, segment_fields, sum_fields, summary_sentence
    from nvr.core.clock import SystemClock
    from nvr.recording.outlook import outlook
    from nvr.recording.segment import SegmentKind

    kinds = [SegmentKind(name) for name in kind] if kind else None
    with open_for_reading(root, config, tenant) as (index, policy):
        span = _time(start), _time(end)
        summary = index.summarise(tenant, camera, *span, kinds)
        count = sum(part.total.segments for part in summary.values())
        shown = (count if as_json else SHOWN_BY_DEFAULT) if limit is None else limit
        segments = index.newest(tenant, camera, *span, kinds, limit=shown)
        forecast = outlook(index, policy, SystemClock().now())
    if as_json:
        rows = [segment_fields(segment) for segment in segments]
        typer.echo(json.dumps({"segments": rows, **sum_fields(summary), "forecast": forecast_fields(forecast)}))
        return
    for segment in segments:
        typer.echo(line(segment))
    if 0 < len(segments) < count:
        typer.echo(f"the newest {len(segments)} of {count}; --limit shows more")
    typer.echo(summary_sentence(summary))
    if forecast is not None:
        typer.echo(f"all recordings: {forecast.text}")


@app.command()
def verify(
    root: Root = None,
    config: ConfigFile = None,
    tenant: AnyTenant = None,
    camera: AnyCamera = None,
    start: From = None,
    end: To = None,
    names_only: Annotated[bool, typer.Option("--names-only", help="Compare names and sizes, open no file.")] = False,
    deep: Annotated[bool, typer.Option("--deep", help="Decode every picture, which takes long.")] = False,
) -> None:
    """Compare index, disk and what the files hold; changes nothing, fails if something is wrong."""
    from functools import partial

    from nvr.cli.recording_index import open_for_reading
    from nvr.cli.recording_text import counted, named, size_text
    from nvr.media.mp4_repair import check
    from nvr.recording.layout import CameraKey
    from nvr.recording.tree import cameras_of
    from nvr.recording.verify import Extent, VerifyReport
    from nvr.recording.verify import verify as find_problems

    if names_only and deep:
        raise typer.BadParameter("--names-only opens no file, --deep decodes all: give one of them")
    with open_for_reading(root, config, tenant, is_completed=False) as (index, _):
        cameras: frozenset[CameraKey] | None = None
        if tenant is not None or camera is not None:
            known = {*cameras_of(index.root, lambda _: None), *index.cameras()}
            cameras = frozenset(
                one for one in known if tenant in {None, one.tenant} and camera in {None, one.source_id}
            )
        report = VerifyReport()
        look = None if names_only else partial(check, deep=deep)
        for problem in find_problems(index, look, report, Extent(cameras, _time(start), _time(end))):
            typer.echo(f"{problem.fault}: {problem.path}: {problem.text}")
    for remark in (*named("set aside earlier", report.broken), *named("not a recording", report.odd)):
        typer.echo(remark)
    if report.written:
        typer.echo(f"{counted(report.written, 'file')} being written now")
    verdict = f"{counted(report.problems, 'problem')} found" if report.problems else "all right"
    typer.echo(f"{counted(report.segments, 'segment')}, {size_text(report.size_bytes)}: {verdict}")
    if report.problems:
        raise typer.Exit(1)


@app.command()
def reindex(root: Root = None, config: ConfigFile = None) -> None:
    """Make the index equal to the disk, and repair or set aside what a crash left unfinished; deletes nothing."""
    from nvr.cli.recording_index import folder_of
    from nvr.cli.recording_text import counted, named
    from nvr.media.mp4_repair import repair
    from nvr.recording.index import SegmentIndex
    from nvr.recording.modes import parse_modes
    from nvr.recording.reconcile import ReconcileReport, finish_all, kind_of_unfinished
    from nvr.recording.reindex import reindex as read_tree

    folder, settings = folder_of(root, config)
    kind = kind_of_unfinished(parse_modes(settings.mode))
    with contextlib.closing(SegmentIndex(folder)) as index:
        found = read_tree(index)
        mended = ReconcileReport()
        finish_all(index, found.unfinished, repair, lambda _: kind, mended)
    typer.echo(
        f"{counted(found.segments, 'segment')} on the disk; the index lacked {found.added}, "
        f"held {found.removed} that are gone and {found.resized} of another size"
    )
    for segment in mended.repaired:
        typer.echo(f"repaired: {segment.path}")
    for path in mended.set_aside:
        typer.echo(f"set aside, nothing in it plays: {path}")
    for path, reason in mended.failed:
        typer.echo(f"not repaired: {path}: {reason}")
    if mended.written:
        typer.echo(f"{counted(mended.written, 'file')} being written now")
    for remark in (*named("set aside earlier", found.broken), *named("not a recording", found.odd)):
        typer.echo(remark)
    if mended.failed:
        raise typer.Exit(1)


@app.command()
def export(
    camera: OneCamera,
    start: RangeFrom,
    end: RangeTo,
    out: Annotated[Path, typer.Option("--out", "-o", help="The clip to make, an MP4.")],
    root: Root = None,
    config: ConfigFile = None,
    tenant: OneTenant = "default",
    exact: Annotated[
        bool,
        typer.Option("--exact", help="Show nothing before and after the range; by default it begins a little early."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a clip that is there.")] = False,
) -> None:
    """Make one clip of a camera's recordings without coding anything anew, cut at a key frame or exactly."""
    from rich.console import Console
    from rich.progress import Progress

    from nvr.cli.recording_index import open_for_reading
    from nvr.cli.recording_text import clip_lines
    from nvr.cli.times import local_text
    from nvr.core.errors import InvalidInputError
    from nvr.media.mp4_export import export as make_clip

    begins, ends = _range(start, end)
    with open_for_reading(root, config, tenant) as (index, _):
        pieces = [(index.root / one.path, one.start) for one in index.find(tenant, camera, begins, ends)]
    if not pieces:
        raise InvalidInputError(
            f"nothing was recorded of camera {camera} from {local_text(begins)} to {local_text(ends)}"
        )
    with Progress(console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task(out.name, total=1.0)
        report = make_clip(
            pieces,
            begins,
            ends,
            out,
            exact=exact,
            overwrite=force,
            on_progress=lambda part: bars.update(bar, completed=part),
        )
    for text in clip_lines(report):
        typer.echo(text)
    for problem in report.problems:
        typer.secho(f"nvr: {problem}", fg=typer.colors.RED, err=True)
    if report.problems:
        raise typer.Exit(1)


@app.command()
def protect(
    camera: OneCamera,
    start: RangeFrom,
    end: RangeTo,
    root: Root = None,
    config: ConfigFile = None,
    tenant: OneTenant = "default",
) -> None:
    """Keep what was recorded in a range for ever: protected recordings are never deleted."""
    from nvr.cli.recording_index import open_for_writing
    from nvr.cli.recording_text import counted
    from nvr.recording.segment import DELETABLE_KINDS, SegmentKind

    with open_for_writing(root, config, tenant) as index:
        segments = index.find(tenant, camera, *_range(start, end), DELETABLE_KINDS)
        changed = _change(index, segments, SegmentKind.PROTECTED)
    typer.echo(f"{counted(changed, 'segment')} of camera {camera} protected now")


@app.command()
def unprotect(
    camera: OneCamera,
    start: RangeFrom,
    end: RangeTo,
    root: Root = None,
    config: ConfigFile = None,
    tenant: OneTenant = "default",
    kind: Annotated[OtherKind, typer.Option("--as", help="What it is from now on.")] = OtherKind.EVENT,
) -> None:
    """Let what was protected go again at its age, as a recording of an event or another kind."""
    from nvr.cli.recording_index import open_for_writing
    from nvr.cli.recording_text import counted
    from nvr.recording.segment import SegmentKind

    with open_for_writing(root, config, tenant) as index:
        segments = index.find(tenant, camera, *_range(start, end), (SegmentKind.PROTECTED,))
        changed = _change(index, segments, SegmentKind(kind))
    typer.echo(f"{counted(changed, 'segment')} of camera {camera} no longer protected")


def _change(index: "SegmentIndex", segments: "list[Segment]", kind: "SegmentKind") -> int:
    from nvr.core.errors import InvalidInputError
    from nvr.recording.protection import change_kind

    if not segments:
        raise InvalidInputError("there is no such recording in this range")
    return sum(change_kind(index, segment, kind) is not None for segment in segments)


def _time(text: str | None) -> datetime | None:
    from nvr.cli.times import parse_time
    from nvr.core.clock import SystemClock

    return None if text is None else parse_time(text, SystemClock().now())


def _range(start: str, end: str) -> tuple[datetime, datetime]:
    from nvr.cli.times import local_text, parse_time
    from nvr.core.clock import SystemClock
    from nvr.core.errors import ConfigurationError

    now = SystemClock().now()
    begins, ends = parse_time(start, now), parse_time(end, now)
    if begins >= ends:
        raise ConfigurationError(f"expected --from before --to, got {local_text(begins)} and {local_text(ends)}")
    return begins, ends
