import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nvr.core.errors import StorageError
from nvr.recording.index import SegmentIndex
from nvr.recording.layout import CameraKey, HourFolder
from nvr.recording.reindex import reindex, sync_hour, sync_oldest
from nvr.recording.segment import Segment, SegmentKind
from nvr.recording.tree import hours_of, make_folder
from tests.recording.disks import TinyDisk
from tests.recording.segments import START, record, rows, segment_at, write_file

small_segments = st.builds(
    segment_at,
    st.integers(0, 6).map(lambda number: number * 1300),
    kind=st.sampled_from(SegmentKind),
    source_id=st.integers(0, 2),
    size_bytes=st.integers(0, 3),
    tenant=st.sampled_from(["default", "other"]),
)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[SegmentIndex]:
    index = SegmentIndex(tmp_path)
    yield index
    index.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(st.sets(small_segments, max_size=12), st.sets(small_segments, max_size=12))
def test_makes_the_index_equal_to_the_disk_whatever_both_were(
    tmp_path_factory: pytest.TempPathFactory, files: set[Segment], known: set[Segment]
) -> None:
    by_path = {segment.path: segment for segment in files}
    index = SegmentIndex(tmp_path_factory.mktemp("root"))
    index.add_all(known)
    for segment in by_path.values():
        write_file(index.root, segment)
    before = {segment.path: segment for segment in rows(index)}
    report = reindex(index)
    assert {segment.path: segment for segment in rows(index)} == by_path
    assert report.segments == len(by_path)
    assert report.added == len(by_path.keys() - before.keys())
    assert report.removed == len(before.keys() - by_path.keys())
    assert report.resized == sum(before.get(path, segment) != segment for path, segment in by_path.items())
    assert not reindex(index).is_changed
    index.close()


def test_names_alone_bring_a_deleted_index_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    index = SegmentIndex(tmp_path)
    wanted = [segment_at(hour * 3600, kind=kind) for hour in range(30) for kind in SegmentKind]
    record(index, *wanted)
    before = rows(index)
    index.close()
    for path in tmp_path.glob("index.*"):
        path.unlink()
    index = SegmentIndex(tmp_path)
    assert not index.is_complete
    with caplog.at_level(logging.WARNING):
        reindex(index)
    assert index.is_complete
    assert rows(index) == before
    assert "read in anew from the recordings: 120 segments" in caplog.text
    index.close()


def test_tells_what_is_not_a_recording_apart_and_leaves_it_alone(index: SegmentIndex) -> None:
    segment = segment_at(kind=SegmentKind.EVENT)
    record(index, segment)
    folder = index.root / segment.path.parent
    origin = segment.origin
    (index.root / origin.recording_path).write_bytes(b"x")
    (index.root / origin.broken_path()).write_bytes(b"x")
    (index.root / origin.broken_path(2)).write_bytes(b"x")
    (index.root / origin.snapshot_path).write_bytes(b"x")
    (folder / "notes.txt").write_bytes(b"x")
    (folder / "20261120T100000.000000Z_1_event.mp4").write_bytes(b"x")
    (folder / segment.path.with_stem("20261120T090000.000000Z_7_event").name).mkdir()
    (folder / "20261120T090000.000000Z_8_event.mp4").symlink_to("/etc/passwd")
    (index.root / "default" / "3" / "old").mkdir()
    (index.root / "default" / "03").mkdir()
    (index.root / "a b").mkdir()
    (index.root / "lost+found").mkdir()
    (index.root / "default" / "4").symlink_to(index.root / "default" / "3")
    os.mkfifo(index.root / "pipe")
    report = reindex(index)
    assert report.unfinished == [origin]
    assert sorted(report.broken.paths) == [origin.broken_path(), origin.broken_path(2)]
    inside = segment.path.parent
    assert set(report.odd.paths) == {
        PurePosixPath("a b"),
        PurePosixPath("pipe"),
        PurePosixPath("default/03"),
        PurePosixPath("default/4"),
        PurePosixPath("default/3/old"),
        inside / "notes.txt",
        inside / "20261120T100000.000000Z_1_event.mp4",
        inside / "20261120T090000.000000Z_7_event.mp4",
        inside / "20261120T090000.000000Z_8_event.mp4",
    }
    assert report.odd.count == 9
    assert rows(index) == [segment]
    assert (folder / "notes.txt").exists()


def test_names_that_are_no_text_are_odd(index: SegmentIndex) -> None:
    (index.root / os.fsdecode(b"\xff\xfe")).mkdir()
    assert reindex(index).odd.count == 1


def test_only_the_first_thousand_odd_files_are_named(index: SegmentIndex) -> None:
    folder = make_folder(index.root, HourFolder(CameraKey("default", 3), START))
    for number in range(1005):
        (folder / str(number)).touch()
    report = reindex(index)
    assert report.odd.count == 1005
    assert len(report.odd.paths) == 1000


def test_a_stop_leaves_the_index_incomplete_and_what_was_read(index: SegmentIndex) -> None:
    for hour in range(5):
        write_file(index.root, segment_at(hour * 3600))
    seen: list[HourFolder] = []
    reindex(index, on_hour=seen.append, should_stop=lambda: len(seen) == 2)
    assert len(rows(index)) == 2
    assert not index.is_complete
    reindex(index)
    assert len(rows(index)) == 5


def test_reads_the_newest_hours_first(index: SegmentIndex) -> None:
    for hour in (0, 3, 40, 24 * 400):
        write_file(index.root, segment_at(hour * 3600))
    hours = [folder.hour for folder in hours_of(index.root, CameraKey("default", 3), lambda _: None)]
    assert hours == sorted(hours, reverse=True)
    assert len(hours) == 4


def test_a_recording_that_ends_while_its_folder_is_read_is_not_dropped(index: SegmentIndex) -> None:
    """A file and its row that come between the reading of the rows and of the folder are no difference."""
    record(index, segment_at(0))

    class Late(SegmentIndex):
        def find(self, *args: object, **kwargs: object) -> list[Segment]:
            found = super().find(*args, **kwargs)  # type: ignore[arg-type]  # handed through
            record(index, segment_at(10))
            return found

    late = Late(index.root)
    sync_hour(late, segment_at().origin.folder)
    late.close()
    assert rows(index) == [segment_at(0), segment_at(10)]


def test_one_hour_is_made_equal_and_no_other(index: SegmentIndex) -> None:
    index.add_all([segment_at(0), segment_at(3600), segment_at(0, source_id=4)])
    content = sync_hour(index, segment_at().origin.folder)
    assert content.segments == []
    assert rows(index) == [segment_at(0, source_id=4), segment_at(3600)]


def test_the_oldest_rows_without_files_go_up_to_the_first_hour_that_agrees(index: SegmentIndex) -> None:
    gone = [segment_at(hour * 3600, kind=SegmentKind.EVENT) for hour in range(5)]
    stays = segment_at(6 * 3600, kind=SegmentKind.EVENT)
    far = segment_at(9 * 3600, kind=SegmentKind.EVENT)
    older_but_protected = segment_at(-3600, kind=SegmentKind.PROTECTED)
    record(index, stays, older_but_protected)
    index.add_all([*gone, far])
    assert sync_oldest(index) == 5
    assert rows(index) == [older_but_protected, stays, far]


def test_a_disk_that_vanished_does_not_empty_the_index(tiny_disk: Callable[[str], TinyDisk], tmp_path: Path) -> None:
    disk = tiny_disk("1m")
    index = SegmentIndex(disk.root, path=tmp_path / "index.sqlite")
    record(index, segment_at())
    disk.detach()
    with pytest.raises(StorageError, match="gone"):
        reindex(index)
    disk.attach()
    assert rows(index) == [segment_at()]
    index.close()


def test_a_root_that_is_gone_is_a_storage_error(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    index = SegmentIndex(root, path=tmp_path / "index.sqlite")
    root.rmdir()
    with pytest.raises(StorageError):
        reindex(index)
    index.close()


def test_making_a_folder_never_makes_the_root(tmp_path: Path) -> None:
    folder = HourFolder(CameraKey("default", 3), START)
    assert make_folder(tmp_path, folder).is_dir()
    assert make_folder(tmp_path, folder).is_dir()
    with pytest.raises(FileNotFoundError):
        make_folder(tmp_path / "not mounted", folder)
