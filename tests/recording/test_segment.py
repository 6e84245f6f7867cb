from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvr.core.errors import InvalidInputError
from nvr.recording.segment import MAX_DURATION_MS, Segment, SegmentKind
from tests.recording.segments import segment_at, segments

FOLDER = "default/3/2026/11/20/09"
PATH = f"{FOLDER}/20261120T090000.000001Z_10000_event.mp4"


@settings(max_examples=100, deadline=None)
@given(segments)
def test_a_path_says_all_of_a_segment_but_its_size(segment: Segment) -> None:
    assert Segment.from_path(segment.path, segment.size_bytes) == segment
    assert Segment.from_path(segment.path, segment.size_bytes).path == segment.path


@settings(max_examples=100, deadline=None)
@given(segments, segments)
def test_two_segments_never_share_a_path(one: Segment, other: Segment) -> None:
    is_same = Segment.from_path(one.path, 0) == Segment.from_path(other.path, 0)
    assert (one.path == other.path) is is_same


def test_the_path_of_a_segment() -> None:
    start = datetime(2026, 11, 20, 9, 0, 0, 1, UTC)
    segment = Segment("default", 3, start, 10_000, SegmentKind.EVENT, 5)
    assert str(segment.path) == PATH
    assert segment.end == start + timedelta(seconds=10)


@pytest.mark.parametrize(
    "path",
    [
        PATH.replace("_10000_", "_-1_"),
        PATH.replace("_10000_", "_010000_"),
        PATH.replace("_10000_", "_1e4_"),
        PATH.replace("_10000_", "_٢٣_"),
        PATH.replace("_10000_", f"_{MAX_DURATION_MS + 1}_"),
        PATH.replace("_10000_", f"_{'9' * 30}_"),
        PATH.replace("event", "Event"),
        PATH.replace("event", "everything"),
        PATH.replace("event", "on_demand"),
        PATH.replace(".mp4", ".recording"),
        PATH.replace(".mp4", ".mp4.mp4"),
        PATH.replace(".mp4", ".MP4"),
        PATH.replace("/09/", "/10/"),
        PATH.replace("/3/", "/../"),
        f"/{PATH}",
        f"./../{PATH}",
        f"{PATH}/x",
        f"{FOLDER}/.mp4",
        f"{FOLDER}/20261120T090000.000001Z.mp4",
        "",
    ],
)
def test_refuses_a_path_that_is_not_spelt_exactly_so(path: str) -> None:
    with pytest.raises(InvalidInputError, match="is no recording"):
        Segment.from_path(PurePosixPath(path), 1)


@settings(max_examples=100, deadline=None)
@given(st.text(), st.text())
def test_any_text_is_a_segment_that_spells_itself_or_refused(before: str, after: str) -> None:
    path = PurePosixPath(f"{before}{PATH}{after}")
    try:
        segment = Segment.from_path(path, 0)
    except InvalidInputError:
        return
    assert segment.path == path


@pytest.mark.parametrize(("duration_ms", "size_bytes"), [(-1, 0), (MAX_DURATION_MS + 1, 0), (0, -1)])
def test_refuses_impossible_values_and_names_them(duration_ms: int, size_bytes: int) -> None:
    with pytest.raises(InvalidInputError, match=f"got {duration_ms} ms and {size_bytes} bytes"):
        segment_at(duration_ms=duration_ms, size_bytes=size_bytes)
