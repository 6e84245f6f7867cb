"""What `nvr recordings` prints: lines for people, fields for programs; pure."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import PurePath
from typing import TYPE_CHECKING

from nvr.cli.times import local_text
from nvr.recording.forecast import Forecast
from nvr.recording.index import Summary, Total
from nvr.recording.reindex import Odd
from nvr.recording.segment import Segment, SegmentKind

if TYPE_CHECKING:
    from nvr.media.mp4_export import ExportReport

NAMED_AT_MOST = 20

Fields = dict[str, object]
Summaries = Mapping[SegmentKind, Summary]


def line(segment: Segment) -> str:
    """Return one line about a segment."""
    return (
        f"{local_text(segment.start)}  {segment.duration_ms / 1000:7.1f} s  {segment.kind:<10}  "
        f"{size_text(segment.size_bytes):>8}  {segment.path}"
    )


def summary_sentence(summaries: Summaries) -> str:
    """Return how much there is, and from when to when."""
    if not summaries:
        return "nothing was recorded"
    total = _total(summaries)
    length = timedelta(seconds=total.duration_ms // 1000)
    first = min(summary.first_start for summary in summaries.values())
    last = max(summary.last_end for summary in summaries.values())
    return (
        f"{counted(total.segments, 'segment')}, {length}, {size_text(total.size_bytes)}, "
        f"from {local_text(first)} to {local_text(last)}"
    )


def segment_fields(segment: Segment) -> Fields:
    """Return all that is known of a segment."""
    return {
        "tenant": segment.tenant,
        "source_id": segment.source_id,
        "start": segment.start.isoformat(),
        "end": segment.end.isoformat(),
        "duration_ms": segment.duration_ms,
        "kind": segment.kind,
        "size_bytes": segment.size_bytes,
        "path": str(segment.path),
    }


def sum_fields(summaries: Summaries) -> Fields:
    """Return the sums, over all kinds and of each."""
    first = min((summary.first_start for summary in summaries.values()), default=None)
    last = max((summary.last_end for summary in summaries.values()), default=None)
    return {
        "summary": {
            **_total_fields(_total(summaries)),
            "first_start": first and first.isoformat(),
            "last_end": last and last.isoformat(),
            "kinds": {kind: _total_fields(summary.total) for kind, summary in summaries.items()},
        }
    }


def forecast_fields(forecast: Forecast | None) -> Fields | None:
    """Return a forecast as fields; None where there is none."""
    if forecast is None:
        return None
    return {
        "bytes_per_day": forecast.bytes_per_day,
        "capacity_bytes": forecast.capacity_bytes,
        "days": forecast.days,
        "text": forecast.text,
    }


def clip_lines(report: "ExportReport") -> Iterator[str]:
    """Yield a line for each file that was made, and a sentence about what was not recorded."""
    for file in report.files:
        yield (
            f"{file.path}: {file.duration_ms / 1000:.1f} s, {size_text(file.size_bytes)}, "
            f"from {local_text(file.start)} to {local_text(file.end)}"
        )
    if report.gaps:
        gaps = ", ".join(f"{local_text(gap.start)} to {local_text(gap.end)}" for gap in report.gaps[:NAMED_AT_MOST])
        more = f" and {len(report.gaps) - NAMED_AT_MOST} more" if len(report.gaps) > NAMED_AT_MOST else ""
        yield f"not recorded: {gaps}{more}"


def named(what: str, odd: Odd) -> Iterator[str]:
    """Yield the first files of a sort by name, and how many more there are."""
    for path in odd.paths[:NAMED_AT_MOST]:
        yield f"{what}: {path_text(path)}"
    if odd.count > NAMED_AT_MOST:
        yield f"{what}: {odd.count - NAMED_AT_MOST} more"


def path_text(path: PurePath) -> str:
    """Return a path for a terminal: a name may hold anything, control signs and bytes that are no text too."""
    text = str(path)
    return text if text.isprintable() else ascii(text)


def counted(count: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def size_text(size_bytes: int) -> str:
    """Return bytes as people read them."""
    if size_bytes >= 10**9:
        return f"{size_bytes / 1e9:.1f} GB"
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 10**6 else f"{size_bytes / 1e3:.1f} kB"


def _total(summaries: Summaries) -> Total:
    return sum((summary.total for summary in summaries.values()), Total())


def _total_fields(total: Total) -> Fields:
    return {"segments": total.segments, "duration_ms": total.duration_ms, "size_bytes": total.size_bytes}
