import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nvr.core.errors import ConfigurationError, StorageError
from nvr.recording.index import SegmentIndex, Summary, Total
from nvr.recording.layout import CameraKey
from nvr.recording.segment import Segment, SegmentKind
from tests.recording.disks import TinyDisk
from tests.recording.segments import START, rows, segment_at, segments

few_segments = st.lists(
    st.builds(
        segment_at,
        st.integers(0, 40).map(lambda number: number * 5),
        kind=st.sampled_from(SegmentKind),
        source_id=st.integers(0, 2),
        size_bytes=st.integers(0, 5),
        duration_ms=st.sampled_from([0, 5000, 30_000]),
        tenant=st.sampled_from(["default", "other"]),
    ),
    max_size=30,
    unique_by=lambda segment: segment.path,
)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[SegmentIndex]:
    index = SegmentIndex(tmp_path)
    yield index
    index.close()


def start_of(segment: Segment) -> tuple[object, ...]:
    return segment.start, segment.tenant, segment.source_id, segment.duration_ms, segment.kind


def add_many(index: SegmentIndex, count: int, *, source_id: int = 3) -> None:
    for number in range(count):
        index.add(segment_at(number, source_id=source_id))


def damage(path: Path) -> None:
    path.write_bytes(os.urandom(20_000))


def test_finds_what_was_added_by_start(index: SegmentIndex) -> None:
    later, earlier = segment_at(10), segment_at(0, kind=SegmentKind.EVENT)
    index.add(later)
    index.add(earlier)
    assert rows(index) == [earlier, later]
    index.remove(earlier)
    assert rows(index) == [later]


def test_adding_again_takes_the_new_size(index: SegmentIndex) -> None:
    index.add(segment_at(size_bytes=5))
    index.add(segment_at(size_bytes=7))
    assert index.total_bytes() == 7


def test_removing_what_is_not_there_is_no_error(index: SegmentIndex) -> None:
    index.remove(segment_at())
    assert rows(index) == []


def test_replaces_a_segment_whose_file_was_renamed(index: SegmentIndex) -> None:
    old, new = segment_at(), segment_at(kind=SegmentKind.PROTECTED)
    index.add(old)
    index.replace(old, new)
    assert rows(index) == [new]


def test_a_segment_belongs_to_every_time_that_it_reaches_into(index: SegmentIndex) -> None:
    one, two = segment_at(0), segment_at(10)
    index.add_all([one, two])
    second = timedelta(seconds=1)
    assert index.find(start=one.end - second, end=one.end) == [one]
    assert index.find(start=one.end - second, end=one.end + second) == [one, two]
    assert index.find(start=two.end) == []
    assert index.find(end=one.start) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(few_segments, few_segments, st.integers(-30, 220), st.integers(0, 100))
def test_answers_as_a_list_would(
    tmp_path_factory: pytest.TempPathFactory, added: list[Segment], removed: list[Segment], from_s: int, length_s: int
) -> None:
    index = SegmentIndex(tmp_path_factory.mktemp("root"))
    index.add_all(added)
    index.remove_all(removed)
    gone = {segment.path for segment in removed}
    left = sorted((segment for segment in added if segment.path not in gone), key=start_of)

    def by_kind(kinds: tuple[SegmentKind, ...]) -> list[Segment]:
        return [segment for segment in left if segment.kind in kinds and segment.source_id == 1]

    start, end = START + timedelta(seconds=from_s), START + timedelta(seconds=from_s + length_s)
    reaching = [segment for segment in left if segment.end > start and segment.start < end]
    kinds = (SegmentKind.EVENT, SegmentKind.CONTINUOUS)
    assert index.find() == left
    assert index.find(start=start, end=end) == reaching
    assert index.newest(start=start, end=end, limit=4) == reaching[-4:]
    assert {kind: summary.total.size_bytes for kind, summary in index.summarise(start=start, end=end).items()} == {
        kind: sum(segment.size_bytes for segment in reaching if segment.kind is kind)
        for kind in {segment.kind for segment in reaching}
    }
    assert index.oldest(limit=5) == left[:5]
    for last, following in pairwise(left):
        assert index.oldest(after=last) == [following]
    mine = [segment for segment in by_kind(kinds) if segment.tenant == "other"]
    assert list(index.oldest_first("other", 1, kinds)) == mine
    assert index.total_bytes(source_id=1, kinds=kinds) == sum(segment.size_bytes for segment in by_kind(kinds))
    assert sum(index.totals().values(), Total()) == Total(
        len(left), sum(segment.duration_ms for segment in left), sum(segment.size_bytes for segment in left)
    )
    assert set(index.cameras()) == {segment.camera for segment in left}
    index.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(st.lists(segments, max_size=5, unique_by=lambda segment: segment.path))
def test_holds_every_segment_that_has_a_path(tmp_path_factory: pytest.TempPathFactory, wanted: list[Segment]) -> None:
    index = SegmentIndex(tmp_path_factory.mktemp("root"))
    index.add_all(wanted)
    assert index.find() == sorted(wanted, key=start_of)
    index.close()


def test_pages_of_many_segments_join_without_a_gap(index: SegmentIndex) -> None:
    wanted = [segment_at(number // 3, kind=list(SegmentKind)[number % 3]) for number in range(3000)]
    index.add_all(wanted)
    assert list(index.oldest_first()) == sorted(wanted, key=start_of)


def test_sums_up_what_there_is_of_each_kind(index: SegmentIndex) -> None:
    index.add_all([segment_at(0), segment_at(10, duration_ms=5000), segment_at(500, kind=SegmentKind.EVENT)])
    summary = index.summarise(kinds=(SegmentKind.CONTINUOUS,))
    assert summary == {
        SegmentKind.CONTINUOUS: Summary(Total(2, 15_000, 2000), START, START + timedelta(seconds=15)),
    }
    assert index.summarise(tenant="nobody") == {}
    assert index.newest(limit=0) == []


def test_knows_the_hours_of_a_camera(index: SegmentIndex) -> None:
    index.add_all([segment_at(0), segment_at(10), segment_at(7200), segment_at(3600, source_id=4)])
    assert index.hours(CameraKey("default", 3)) == [START + timedelta(hours=2), START]


def test_all_or_none_is_added(index: SegmentIndex) -> None:
    class StopError(Exception):
        pass

    def broken() -> Iterator[Segment]:
        yield segment_at()
        raise StopError

    with pytest.raises(StopError):
        index.add_all(broken())
    assert rows(index) == []


def test_stays_when_it_is_opened_again(tmp_path: Path) -> None:
    for number in range(3):
        index = SegmentIndex(tmp_path)
        index.add(segment_at(number))
        assert len(rows(index)) == number + 1
        index.mark_complete()
        index.close()
    index = SegmentIndex(tmp_path)
    assert index.is_complete
    index.close()


def test_several_processes_and_threads_add_at_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from nvr.recording.index import SegmentIndex; "
        "from tests.recording.segments import segment_at; index = SegmentIndex(Path(sys.argv[1])); "
        "[index.add(segment_at(n, source_id=int(sys.argv[2]))) for n in range(50)]; index.close()"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, tmp_path, str(number)]) for number in range(2)]
    index = SegmentIndex(tmp_path)
    threads = [
        threading.Thread(target=add_many, args=(index, 50), kwargs={"source_id": source_id}) for source_id in (10, 11)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.wait() for process in processes] == [0, 0]
    assert {camera.source_id: total.segments for (camera, _), total in index.totals().items()} == {
        0: 50,
        1: 50,
        10: 50,
        11: 50,
    }
    index.close()


def test_survives_a_process_that_is_killed_while_it_writes(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from nvr.recording.index import SegmentIndex; "
        "from tests.recording.segments import segment_at; index = SegmentIndex(Path(sys.argv[1]))\n"
        "for n in range(10**9): index.add(segment_at(n)); print(n, flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(100):
            last = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
    index = SegmentIndex(tmp_path)
    assert len(rows(index)) > last
    assert index.totals()[CameraKey("default", 3), SegmentKind.CONTINUOUS].segments == len(rows(index))
    index.close()


def test_a_new_index_says_that_it_is_not_complete(index: SegmentIndex) -> None:
    assert not index.is_complete
    index.mark_complete()
    assert index.is_complete


def test_a_root_that_is_missing_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file"):
        SegmentIndex(tmp_path / "not mounted")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_set_aside_when_it_is_opened(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    damage(tmp_path / "index.sqlite")
    with caplog.at_level(logging.WARNING):
        index = SegmentIndex(tmp_path)
    assert "set aside" in caplog.text
    assert rows(index) == []
    assert not index.is_complete
    assert (tmp_path / "index.sqlite.damaged").stat().st_size == 20_000
    index.close()


def test_a_file_that_is_damaged_while_it_is_open_is_set_aside(tmp_path: Path) -> None:
    index = SegmentIndex(tmp_path)
    index.add_all(segment_at(number) for number in range(2000))
    index.close()
    content = bytearray((tmp_path / "index.sqlite").read_bytes())
    for page in range(1, len(content) // 4096):
        content[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    (tmp_path / "index.sqlite").write_bytes(content)
    index = SegmentIndex(tmp_path)
    index.add(segment_at())
    assert rows(index) == [segment_at()]
    assert not index.is_complete
    assert (tmp_path / "index.sqlite.damaged").exists()
    index.close()


def test_a_row_that_is_no_segment_is_damage(tmp_path: Path) -> None:
    index = SegmentIndex(tmp_path)
    other = sqlite3.connect(tmp_path / "index.sqlite")
    other.execute("INSERT INTO segments VALUES ('../..', 1, 'continuous', 0, 0, 0)")
    other.commit()
    other.close()
    assert rows(index) == []
    assert (tmp_path / "index.sqlite.damaged").exists()
    index.close()


def test_a_database_of_someone_else_is_set_aside(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "index.sqlite")
    other.execute("CREATE TABLE segments (id INTEGER)")
    other.close()
    index = SegmentIndex(tmp_path)
    index.add(segment_at())
    assert (tmp_path / "index.sqlite.damaged").exists()
    index.close()


def test_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    SegmentIndex(tmp_path).close()
    other = sqlite3.connect(tmp_path / "index.sqlite")
    other.execute("PRAGMA user_version = 7")
    other.close()
    with pytest.raises(ConfigurationError, match="version 7, this program knows 1"):
        SegmentIndex(tmp_path)
    assert not (tmp_path / "index.sqlite.damaged").exists()


def test_whoever_has_the_file_open_follows_when_another_sets_it_aside(tmp_path: Path) -> None:
    one, other = SegmentIndex(tmp_path), SegmentIndex(tmp_path)
    one.add(segment_at(0))
    other._database._set_aside(other._database._writer.identity, "as a test says")
    other.add(segment_at(1))
    one.add(segment_at(2))
    assert rows(one) == rows(other) == [segment_at(1), segment_at(2)]
    other.close()
    one.add(segment_at(3))
    one.close()
    index = SegmentIndex(tmp_path)
    assert len(rows(index)) == 3
    index.close()


def test_a_file_that_somebody_deletes_is_begun_anew(index: SegmentIndex) -> None:
    index.add(segment_at(0))
    index.mark_complete()
    for path in index.root.glob("index.sqlite*"):
        path.unlink()
    index.add(segment_at(1))
    assert rows(index) == [segment_at(1)]
    assert not index.is_complete


def test_waits_for_the_transaction_of_another_process_and_gives_up_in_time(tmp_path: Path) -> None:
    index = SegmentIndex(tmp_path, busy_timeout_s=0.05)
    other = sqlite3.connect(tmp_path / "index.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="locked"):
        index.add(segment_at())
    assert rows(index) == []
    other.execute("COMMIT")
    other.close()
    index.add(segment_at())
    index.close()


def test_a_recorder_does_not_wait_for_a_long_query(index: SegmentIndex) -> None:
    index.add(segment_at(0))
    is_reading, may_end = threading.Event(), threading.Event()

    def long_query() -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute("SELECT * FROM segments").fetchone()
            is_reading.set()
            assert may_end.wait(40)

        index._database.read(work)

    thread = threading.Thread(target=long_query)
    thread.start()
    assert is_reading.wait(40)
    index.add(segment_at(1))
    may_end.set()
    thread.join()
    assert len(rows(index)) == 2


def test_a_closed_index_says_so(index: SegmentIndex) -> None:
    index.close()
    with pytest.raises(StorageError, match="closed"):
        index.find()


def test_a_full_disk_is_a_storage_error_and_the_next_try_succeeds(tiny_disk: Callable[[str], TinyDisk]) -> None:
    disk = tiny_disk("1m")
    index = SegmentIndex(disk.root)
    index.add(segment_at(0))
    disk.fill()
    with pytest.raises(StorageError, match=r"full|I/O"):
        add_many(index, 10_000)
    held = rows(index)
    disk.make_room()
    index.add(segment_at(20_000))
    assert rows(index) == [*held, segment_at(20_000)]
    index.close()


def test_an_index_cannot_be_made_on_a_full_disk_but_later(tiny_disk: Callable[[str], TinyDisk]) -> None:
    disk = tiny_disk("1m")
    disk.fill()
    with pytest.raises(StorageError):
        SegmentIndex(disk.root)
    disk.make_room()
    index = SegmentIndex(disk.root)
    index.add(segment_at())
    index.close()


def test_a_disk_that_turned_read_only_is_a_storage_error(tiny_disk: Callable[[str], TinyDisk], tmp_path: Path) -> None:
    disk = tiny_disk("1m")
    SegmentIndex(disk.root).close()
    disk.turn_read_only()
    with pytest.raises(StorageError, match="Read-only"):
        SegmentIndex(disk.root)
    elsewhere = SegmentIndex(disk.root, path=tmp_path / "index.sqlite")
    elsewhere.add(segment_at())
    elsewhere.close()


@pytest.mark.parametrize("is_inside", [True, False], ids=["index in the root", "index elsewhere"])
def test_a_disk_that_vanished_is_a_storage_error_until_it_is_back(
    tiny_disk: Callable[[str], TinyDisk], tmp_path: Path, is_inside: bool
) -> None:
    disk = tiny_disk("1m")
    index = SegmentIndex(disk.root, path=None if is_inside else tmp_path / "index.sqlite")
    (disk.root / "default").mkdir()
    index.add(segment_at(0))
    disk.detach()
    for _ in range(2):
        with pytest.raises(StorageError, match="gone"):
            index.add(segment_at(1))
    assert list(disk.root.iterdir()) == []
    disk.attach()
    index.add(segment_at(2))
    assert rows(index) == [segment_at(0), segment_at(2)]
    index.close()


def test_a_root_that_is_gone_is_a_storage_error(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    index = SegmentIndex(root)
    root.rename(tmp_path / "moved")
    with pytest.raises(StorageError, match="No such file"):
        index.add(segment_at())
    (tmp_path / "moved").rename(root)
    index.add(segment_at())
    index.close()
