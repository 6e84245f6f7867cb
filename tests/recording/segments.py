"""Segments for tests, as values and as files."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import strategies as st

from nvr.recording.index import SegmentIndex
from nvr.recording.layout import FIRST_YEAR, LAST_YEAR, MAX_SOURCE_ID, is_tenant_folder
from nvr.recording.segment import MAX_DURATION_MS, Segment, SegmentKind

START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)

tenants = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", fullmatch=True).filter(is_tenant_folder)
starts = st.datetimes(
    datetime(FIRST_YEAR, 1, 1),  # noqa: DTZ001 - hypothesis wants naive bounds
    datetime(LAST_YEAR, 12, 31),  # noqa: DTZ001
    timezones=st.just(UTC),
)
segments = st.builds(
    Segment,
    tenants,
    st.integers(0, MAX_SOURCE_ID),
    starts,
    st.integers(0, MAX_DURATION_MS),
    st.sampled_from(SegmentKind),
    st.integers(0, 2**40),
)


def segment_at(
    offset_s: float = 0,
    *,
    kind: SegmentKind = SegmentKind.CONTINUOUS,
    source_id: int = 3,
    size_bytes: int = 1000,
    duration_ms: int = 10_000,
    tenant: str = "default",
) -> Segment:
    """Return a segment that begins so long after `START`."""
    return Segment(tenant, source_id, START + timedelta(seconds=offset_s), duration_ms, kind, size_bytes)


def write_file(root: Path, segment: Segment) -> Path:
    """Lay a file of zeros where a segment says that it is."""
    path = root / segment.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(segment.size_bytes))
    return path


def record(index: SegmentIndex, *segments_of_test: Segment) -> None:
    """Lay files and add them to the index, as a recorder does."""
    for segment in segments_of_test:
        write_file(index.root, segment)
    index.add_all(segments_of_test)


def rows(index: SegmentIndex) -> list[Segment]:
    """Return all that the index holds."""
    return index.find()


def on_disk(root: Path) -> set[str]:
    """Return the paths of all files below a root but the index."""
    return {
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_file() and not path.name.startswith("index.")
    }
