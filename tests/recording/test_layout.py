from datetime import UTC, datetime, timedelta, timezone
from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvr.core.errors import InvalidInputError
from nvr.recording.layout import (
    CameraKey,
    HourFolder,
    SegmentOrigin,
    from_microseconds,
    is_broken_end,
    microseconds,
    parse_name,
    parse_source_id,
)
from tests.recording.segments import START, starts, tenants

CAMERA = CameraKey("default", 3)
HOUR = HourFolder(CAMERA, START)


@settings(max_examples=100, deadline=None)
@given(tenants, st.integers(0, 2**63 - 1), starts)
def test_the_names_of_an_unfinished_file_say_whose_it_is_and_when_it_began(
    tenant: str, source_id: int, start: datetime
) -> None:
    origin = SegmentOrigin(tenant, source_id, start)
    for path, end in (
        (origin.recording_path, ".recording"),
        (origin.broken_path(), ".broken"),
        (origin.broken_path(12), "_12.broken"),
        (origin.snapshot_path, "_snapshot.jpg"),
    ):
        assert parse_name(HourFolder.parse(path.parent), path.name) == (origin, end)


@settings(max_examples=100, deadline=None)
@given(tenants, st.integers(0, 2**63 - 1), starts)
def test_the_path_of_an_hour_says_which_it_is(tenant: str, source_id: int, start: datetime) -> None:
    folder = SegmentOrigin(tenant, source_id, start).folder
    assert HourFolder.parse(folder.path) == folder
    assert folder.hour <= start < folder.hour + timedelta(hours=1)


def test_the_path_of_a_file_that_is_written() -> None:
    origin = SegmentOrigin("default", 3, datetime(2026, 1, 2, 3, 4, 5, 6, UTC))
    assert str(origin.recording_path) == "default/3/2026/01/02/03/20260102T030405.000006Z.recording"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        ".",
        "default",
        "/default/3/2026/11/20/09",
        "../3/2026/11/20/09",
        "default/../2026/11/20/09",
        "default/3/2026/11/20/..",
        "default/3/2026/11/20/09/09",
        "default/-3/2026/11/20/09",
        "default/03/2026/11/20/09",
        "default/+3/2026/11/20/09",
        "default/3 /2026/11/20/09",
        "default/٣/2026/11/20/09",
        "default/3/٢٠٢٦/11/20/09",
        "default/99999999999999999999/2026/11/20/09",
        f"default/{'9' * 5000}/2026/11/20/09",
        "default/3/2026/1/20/09",
        "default/3/2026/13/20/09",
        "default/3/2026/02/30/09",
        "default/3/2026/11/20/24",
        "default/3/0000/11/20/09",
        "default/3/1969/11/20/09",
        "default/3/9999/11/20/09",
        "index.sqlite/3/2026/11/20/09",
        "a b/3/2026/11/20/09",
        "default\n/3/2026/11/20/09",
        f"{'a' * 64}/3/2026/11/20/09",
        "\udcff/3/2026/11/20/09",
    ],
)
def test_refuses_a_folder_that_is_not_spelt_exactly_so(path: str) -> None:
    with pytest.raises(InvalidInputError, match="is no recording"):
        HourFolder.parse(PurePosixPath(path))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        "20261120T090000.000000Z",
        "20261120T100000.000000Z.recording",
        "20261121T090000.000000Z.recording",
        "20261120T090000.000000Z.RECORDING",
        "20261120T096000.000000Z.recording",
        "20261120T090060.000000Z.recording",
        "20261120T090000.000Z.recording",
        "20261120T090000Z.recording",
        "20261120T090000.000000.recording",
        "20261120T090000.000000z.recording",
        "20261120T240000.000000Z.recording",
        "2026112OT090000.000000Z.recording",
        "٢٣261120T090000.000000Z.recording",
        "20261120T090000.000000Z.recording\n",
        "20261120T090000.000000Z/../x.recording",
        f"20261120T090000.000000Z_{'9' * 4000}.mp4",
        "index.sqlite",
    ],
)
def test_refuses_a_name_that_does_not_begin_with_a_start_of_its_hour(name: str) -> None:
    with pytest.raises(InvalidInputError, match="is no recording"):
        parse_name(HOUR, name)


@settings(max_examples=100, deadline=None)
@given(st.text())
def test_any_text_is_a_folder_that_spells_itself_or_refused(text: str) -> None:
    try:
        folder = HourFolder.parse(PurePosixPath(text))
    except InvalidInputError:
        return
    assert folder.path == PurePosixPath(text)


@pytest.mark.parametrize(
    ("tenant", "source_id", "start"),
    [
        ("..", 3, START),
        ("a/b", 3, START),
        ("", 3, START),
        ("index.lock", 3, START),
        ("default", -1, START),
        ("default", 2**63, START),
        ("default", 3, START.replace(tzinfo=None)),
        ("default", 3, START.astimezone(timezone(timedelta(hours=1)))),
        ("default", 3, START.replace(year=1969)),
        ("default", 3, START.replace(year=9999)),
    ],
)
def test_no_path_is_made_of_what_could_not_be_read_back(tenant: str, source_id: int, start: datetime) -> None:
    with pytest.raises(InvalidInputError):
        SegmentOrigin(tenant, source_id, start)


def test_a_long_name_is_not_quoted_in_full() -> None:
    with pytest.raises(InvalidInputError) as refused:
        HourFolder.parse(PurePosixPath("x" * 100_000))
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(("end", "is_one"), [(".broken", True), ("_2.broken", True), ("_0.broken", False)])
def test_a_file_set_aside_may_have_a_number(end: str, is_one: bool) -> None:
    assert is_broken_end(end) is is_one


def test_source_ids_have_one_spelling() -> None:
    assert [parse_source_id(text) for text in ("0", "7", "007", "-1", "", "9" * 19)] == [0, 7, None, None, None, None]
    assert parse_source_id(str(2**63 - 1)) == 2**63 - 1


@settings(max_examples=100, deadline=None)
@given(starts)
def test_microseconds_are_exact(start: datetime) -> None:
    assert from_microseconds(microseconds(start)) == start
