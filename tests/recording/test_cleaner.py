import logging
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from nvr.core.clock import ManualClock
from nvr.core.errors import StorageError
from nvr.recording.cleaner import LOCK_NAME, Cleaner
from nvr.recording.disk_space import disk_space
from nvr.recording.index import SegmentIndex
from nvr.recording.locks import try_locked
from nvr.recording.policy import CameraLimits, RetentionPolicy
from nvr.recording.reindex import reindex
from nvr.recording.retention import DiskSpace, Excess, Reason
from nvr.recording.segment import Segment, SegmentKind
from tests.recording.disks import TinyDisk
from tests.recording.segments import START, on_disk, record, rows, segment_at, write_file
from tests.waiting import DEADLINE_S, wait_until

CONTINUOUS, EVENT, ON_DEMAND, PROTECTED = SegmentKind
NOW = START + timedelta(days=10)
ONE_DAY = RetentionPolicy(CameraLimits({CONTINUOUS: timedelta(days=1)}))
ROOMY = DiskSpace(10**12, 10**12)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[SegmentIndex]:
    root = tmp_path / "root"
    root.mkdir()
    index = SegmentIndex(root)
    yield index
    index.close()


def cleaner_of(
    index: SegmentIndex, policy: RetentionPolicy, *, free_bytes: int | None = None, interval_s: float = 3600.0
) -> Cleaner:
    space = ROOMY if free_bytes is None else DiskSpace(10**6, free_bytes)
    return Cleaner(index, policy, clock=ManualClock(NOW), interval_s=interval_s, measure=lambda _: space)


def checked_cleaner_of(index: SegmentIndex, policy: RetentionPolicy, *, free_bytes: int | None = None) -> Cleaner:
    """Return a cleaner that has had its first look at the oldest rows."""
    cleaner = cleaner_of(index, policy, free_bytes=free_bytes)
    cleaner.clean()
    return cleaner


def paths_of(segments: Iterable[Segment]) -> set[str]:
    return {str(segment.path) for segment in segments}


def test_what_is_too_old_goes_from_the_disk_and_from_the_index(index: SegmentIndex) -> None:
    old = [segment_at(number * 1800) for number in range(8)]
    stays = [segment_at(9.5 * 86_400), segment_at(0, kind=EVENT), segment_at(0, kind=PROTECTED)]
    record(index, *old, *stays)
    report = cleaner_of(index, ONE_DAY).clean()
    assert (report.deleted, report.deleted_bytes) == (8, 8000)
    assert report.reasons == {Reason.AGE: 8}
    assert set(rows(index)) == set(stays)
    assert on_disk(index.root) == paths_of(stays)
    assert not (index.root / old[-1].path).parent.exists()


def test_more_than_a_batch_goes_in_one_pass(index: SegmentIndex) -> None:
    record(index, *(segment_at(number, size_bytes=1) for number in range(1203)))
    assert cleaner_of(index, ONE_DAY).clean().deleted == 1203
    assert on_disk(index.root) == set()


def test_room_is_made_up_to_the_floor_and_no_further(index: SegmentIndex) -> None:
    record(index, *(segment_at(number) for number in range(10)))
    policy = RetentionPolicy(min_free_bytes=5500)
    assert cleaner_of(index, policy, free_bytes=2000).clean().deleted == 4
    assert rows(index) == [segment_at(number) for number in range(4, 10)]


def test_a_file_that_the_index_does_not_know_stays(index: SegmentIndex) -> None:
    index.mark_complete()
    unknown = write_file(index.root, segment_at(7200))
    record(index, segment_at(0))
    foreign = index.root / segment_at().path.parent / "holiday.mp4"
    foreign.write_bytes(b"x")
    cleaner_of(index, ONE_DAY).clean()
    assert unknown.exists()
    assert foreign.exists()
    assert rows(index) == []


def test_a_file_that_vanished_counts_for_nothing_and_another_goes_in_its_place(index: SegmentIndex) -> None:
    cleaner = checked_cleaner_of(index, RetentionPolicy(min_free_bytes=2000), free_bytes=0)
    record(index, *(segment_at(number) for number in range(5)))
    (index.root / segment_at(1).path).unlink()
    report = cleaner.clean()
    assert (report.deleted, report.vanished) == (2, 1)
    assert rows(index) == [segment_at(3), segment_at(4)]


def test_a_clip_that_is_protected_at_the_last_moment_is_found_under_its_new_name(index: SegmentIndex) -> None:
    cleaner = checked_cleaner_of(index, ONE_DAY)
    clip = segment_at()
    record(index, segment_at(-10_000), clip)
    (index.root / clip.path).rename(index.root / segment_at(kind=PROTECTED).path)
    report = cleaner.clean()
    assert (report.deleted, report.vanished) == (1, 1)
    assert rows(index) == [segment_at(kind=PROTECTED)]


def test_what_cannot_be_deleted_is_passed_over_counted_and_told_once(
    index: SegmentIndex, caplog: pytest.LogCaptureFixture
) -> None:
    record(index, *(segment_at(number) for number in range(30)))
    for number in range(20):
        path = index.root / segment_at(number).path
        path.unlink()
        path.mkdir()
    policy = RetentionPolicy(min_free_bytes=3000)
    with caplog.at_level(logging.WARNING):
        report = cleaner_of(index, policy, free_bytes=0).clean()
    assert (report.deleted, report.failed) == (3, 20)
    assert report.excesses == []
    assert caplog.text.count("cannot be deleted") == 1


def test_a_limit_that_cannot_be_kept_is_reported(index: SegmentIndex) -> None:
    record(index, segment_at(0), segment_at(0, kind=PROTECTED))
    report = cleaner_of(index, RetentionPolicy(min_free_bytes=5000), free_bytes=1000).clean()
    assert report.deleted == 1
    assert report.excesses == [Excess(Reason.FREE_SPACE, "the disk", 3000)]


def test_a_disk_that_gives_back_room_late_is_not_emptied(index: SegmentIndex) -> None:
    record(index, *(segment_at(number) for number in range(10)))
    clock = ManualClock(NOW)
    policy = RetentionPolicy(min_free_bytes=2000)
    cleaner = Cleaner(index, policy, clock=clock, measure=lambda _: DiskSpace(10**6, 0))
    assert cleaner.clean().deleted == 2
    clock.advance(5)
    assert cleaner.clean().deleted == 0
    clock.advance(10)
    assert cleaner.clean().deleted == 2


def test_an_index_that_was_begun_anew_is_read_in_first(index: SegmentIndex) -> None:
    for number in range(3):
        write_file(index.root, segment_at(number))
    assert cleaner_of(index, ONE_DAY).clean().deleted == 3
    assert index.is_complete


def test_another_process_that_cleans_is_left_alone(index: SegmentIndex) -> None:
    record(index, segment_at())
    with try_locked(index.root / LOCK_NAME) as is_free:
        assert is_free
        assert cleaner_of(index, ONE_DAY).clean().is_skipped
    assert not cleaner_of(index, ONE_DAY).clean().is_skipped


def test_a_real_disk_that_is_full_is_brought_back_to_its_floor(tiny_disk: Callable[[str], TinyDisk]) -> None:
    disk = tiny_disk("2m")
    index = SegmentIndex(disk.root)
    size_bytes = 50_000
    protected = segment_at(-5, kind=PROTECTED, size_bytes=size_bytes)
    record(index, protected)
    index.mark_complete()
    recorded = record_until_full(index, size_bytes)
    clock = ManualClock(NOW)
    cleaner = Cleaner(index, RetentionPolicy(min_free_fraction=0.25), clock=clock)
    for _ in range(3):
        cleaner.clean()
        clock.advance(30)
    space = disk_space(disk.root)
    assert 0 < cleaner.sum.deleted < len(recorded)
    assert space.total_bytes // 4 <= space.free_bytes < space.total_bytes // 4 + 3 * size_bytes
    assert set(rows(index)) == {protected, *recorded[cleaner.sum.deleted :]}
    assert on_disk(disk.root) == paths_of(rows(index))
    index.close()


def test_room_is_made_even_where_the_index_cannot_be_written(tiny_disk: Callable[[str], TinyDisk]) -> None:
    disk = tiny_disk("2m")
    index = SegmentIndex(disk.root)
    record(index, *(segment_at(number, size_bytes=20_000) for number in range(20)))
    index.mark_complete()
    disk.fill()
    clock = ManualClock(NOW)
    cleaner = Cleaner(index, RetentionPolicy(min_free_bytes=200_000), clock=clock)
    for _ in range(3):
        cleaner.clean()
        clock.advance(30)
    assert disk_space(disk.root).free_bytes >= 200_000
    assert on_disk(disk.root) - {"filler"} == paths_of(rows(index))
    index.close()


def test_a_disk_that_is_full_when_the_process_starts_is_cleaned(tiny_disk: Callable[[str], TinyDisk]) -> None:
    disk = tiny_disk("2m")
    index = SegmentIndex(disk.root)
    record(index, *(segment_at(number, size_bytes=20_000) for number in range(20)))
    index.mark_complete()
    index.close()
    disk.fill()
    assert not list(disk.root.glob("index.sqlite-*"))
    index = SegmentIndex(disk.root)
    assert cleaner_of(index, RetentionPolicy(min_free_bytes=200_000), free_bytes=0).clean().deleted == 10
    assert len(rows(index)) == 10
    index.close()
    disk.fill()
    index = SegmentIndex(disk.root)
    assert len(rows(index)) == 10
    index.close()


def test_a_read_only_disk_ends_the_pass(tiny_disk: Callable[[str], TinyDisk], tmp_path: Path) -> None:
    disk = tiny_disk("1m")
    index = SegmentIndex(disk.root, path=tmp_path / "index.sqlite")
    record(index, *(segment_at(number) for number in range(10)))
    disk.turn_read_only()
    report = cleaner_of(index, ONE_DAY).clean()
    assert (report.deleted, report.failed) == (0, 1)
    assert len(rows(index)) == 10
    index.close()


def test_a_disk_that_vanished_leaves_the_index_as_it_is(tiny_disk: Callable[[str], TinyDisk], tmp_path: Path) -> None:
    disk = tiny_disk("1m")
    index = SegmentIndex(disk.root, path=tmp_path / "index.sqlite")
    record(index, segment_at())
    index.mark_complete()
    disk.detach()
    with pytest.raises(StorageError, match="gone"):
        cleaner_of(index, ONE_DAY).clean()
    disk.attach()
    assert rows(index) == [segment_at()]
    index.close()


def record_until_full(index: SegmentIndex, size_bytes: int) -> list[Segment]:
    """Record as long as the disk takes files and rows; what is cut off is deleted, as a recorder does."""
    recorded: list[Segment] = []
    for number in range(1000):
        segment = segment_at(number, size_bytes=size_bytes)
        try:
            record(index, segment)
        except (OSError, StorageError):
            (index.root / segment.path).unlink(missing_ok=True)
            return recorded
        recorded.append(segment)
    raise AssertionError("the disk never filled up")


class PowerCutError(BaseException):
    """What ends a process at once, as far as a test can."""


class DyingIndex(SegmentIndex):
    """An index whose process dies before or after the transaction that removes rows."""

    dies = "never"

    def remove_all(self, segments: Iterable[Segment]) -> None:
        if self.dies == "before":
            raise PowerCutError
        super().remove_all(segments)
        if self.dies == "after":
            raise PowerCutError


@pytest.mark.parametrize("dies", ["before", "after"])
def test_after_a_crash_around_the_rows_the_next_pass_makes_index_and_disk_equal(index: SegmentIndex, dies: str) -> None:
    record(index, *(segment_at(number * 1000) for number in range(10)), segment_at(0, kind=PROTECTED))
    index.mark_complete()
    dying = DyingIndex(index.root)
    dying.dies = dies
    policy = RetentionPolicy(min_free_bytes=4000)
    with pytest.raises(PowerCutError):
        cleaner_of(dying, policy, free_bytes=0).clean()
    dying.close()
    assert len(on_disk(index.root)) == 7
    # the room is there now, so only the look at the oldest rows can find what is missing
    cleaner_of(index, policy, free_bytes=4000).clean()
    assert paths_of(rows(index)) == on_disk(index.root)
    assert not reindex(index).is_changed


@pytest.mark.parametrize("deleted", range(6))
def test_after_a_crash_between_two_files_the_next_pass_makes_index_and_disk_equal(
    index: SegmentIndex, deleted: int
) -> None:
    wanted = [segment_at(number * 1000) for number in range(10)]
    record(index, *wanted)
    index.mark_complete()
    for segment in wanted[:deleted]:
        (index.root / segment.path).unlink()
    cleaner_of(index, RetentionPolicy(min_free_bytes=4000), free_bytes=1000 * deleted).clean()
    assert paths_of(rows(index)) == on_disk(index.root)
    assert rows(index) == wanted[max(4, deleted) :]


def test_a_cleaner_that_is_killed_again_and_again_leaves_index_and_disk_equal(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from datetime import timedelta\n"
        "from nvr.core.clock import ManualClock\n"
        "from nvr.recording.cleaner import Cleaner; from nvr.recording.index import SegmentIndex\n"
        "from nvr.recording.policy import RetentionPolicy\n"
        "from tests.recording.segments import START, record, segment_at\n"
        "index = SegmentIndex(Path(sys.argv[1]))\n"
        "clock = ManualClock(START + timedelta(days=9))\n"
        "cleaner = Cleaner(index, RetentionPolicy(max_total_bytes=3000), clock=clock)\n"
        "for number in range(int(sys.argv[2]), 10**9):\n"
        "    record(index, *(segment_at(number * 1000 + part) for part in range(4)))\n"
        "    cleaner.clean()\n"
        "    print(number, flush=True)\n"
    )
    chance = random.Random(3)
    number = 0
    for _ in range(4):
        command = [sys.executable, "-c", code, str(tmp_path), str(number)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(chance.randint(3, 12)):
                number = int(process.stdout.readline()) + 2
            process.send_signal(signal.SIGKILL)
    index = SegmentIndex(tmp_path)
    Cleaner(index, RetentionPolicy(max_total_bytes=3000), clock=ManualClock(NOW)).clean()
    on_disk_before = on_disk(tmp_path)
    report = reindex(index)
    # a recording whose file is in place and whose row is not is what `reconcile` finds at the start
    assert report.removed == 0
    assert paths_of(rows(index)) == on_disk_before
    index.close()


def test_the_thread_cleans_at_once_and_when_it_is_told_that_space_is_short(index: SegmentIndex) -> None:
    record(index, segment_at(0))
    cleaner = cleaner_of(index, ONE_DAY)
    cleaner.start()
    wait_until(lambda: cleaner.passes == 1, "the first pass")
    assert rows(index) == []
    record(index, segment_at(5))
    cleaner.note_space_short()
    wait_until(lambda: cleaner.passes == 2, "the pass that was asked for")
    assert rows(index) == []
    assert cleaner.sum.deleted == 2
    assert cleaner.last.deleted == 1
    assert cleaner.stop(DEADLINE_S)


def test_the_thread_goes_on_after_errors_and_tells_of_them(
    index: SegmentIndex, caplog: pytest.LogCaptureFixture
) -> None:
    answers: list[DiskSpace | Exception] = [OSError(5, os.strerror(5)), ValueError("nobody expected it"), ROOMY]

    def measure(_: Path) -> DiskSpace:
        answer = answers[0] if len(answers) == 1 else answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    record(index, segment_at())
    cleaner = Cleaner(index, ONE_DAY, clock=ManualClock(NOW), interval_s=0.01, measure=measure)
    with caplog.at_level(logging.WARNING):
        cleaner.start()
        wait_until(lambda: cleaner.sum.deleted == 1, "a pass that works")
        assert cleaner.stop(DEADLINE_S)
    assert "Input/output error" in caplog.text


def test_the_thread_tells_how_the_root_is_after_each_pass(index: SegmentIndex) -> None:
    record(index, segment_at(9.5 * 86_400, size_bytes=700), segment_at(9.9 * 86_400, size_bytes=300))
    spaces = [DiskSpace(1000, 600)]

    def measure(_: Path) -> DiskSpace:
        if not spaces:
            raise OSError(5, os.strerror(5))
        return spaces[0]

    cleaner = Cleaner(index, RetentionPolicy(), clock=ManualClock(NOW), interval_s=0.01, measure=measure)
    assert cleaner.state is None
    cleaner.start()
    wait_until(lambda: cleaner.passes > 0, "a pass")
    state = cleaner.state
    assert state is not None
    assert (state.disk, state.held_bytes) == (DiskSpace(1000, 600), 1000)
    assert state.forecast is not None
    assert state.forecast.bytes_per_day == 2000
    spaces.clear()
    wait_until(lambda: cleaner.state is None, "a disk that does not answer any more")
    assert cleaner.stop(10)


def test_a_limit_that_cannot_be_kept_is_told_once_as_long_as_it_lasts(
    index: SegmentIndex, caplog: pytest.LogCaptureFixture
) -> None:
    cleaner = cleaner_of(index, RetentionPolicy(min_free_bytes=10), free_bytes=0, interval_s=0.01)
    with caplog.at_level(logging.WARNING):
        cleaner.start()
        wait_until(lambda: cleaner.passes >= 3, "three passes")
        assert cleaner.stop(DEADLINE_S)
    assert caplog.text.count("cannot be kept") == 1


def test_the_thread_stops_in_the_middle_of_a_long_pass(index: SegmentIndex) -> None:
    record(index, *(segment_at(number, size_bytes=0) for number in range(1500)))
    cleaner: list[Cleaner] = []

    class Stopping(SegmentIndex):
        def remove_all(self, segments: Iterable[Segment]) -> None:
            super().remove_all(segments)
            cleaner[0].request_stop()

    stopping = Stopping(index.root)
    cleaner.append(Cleaner(stopping, ONE_DAY, clock=ManualClock(NOW), interval_s=3600, measure=lambda _: ROOMY))
    cleaner[0].start()
    assert cleaner[0].stop(DEADLINE_S)
    assert len(rows(index)) >= 1000
    stopping.close()


def test_stopping_what_never_started_and_stopping_twice_are_no_errors(index: SegmentIndex) -> None:
    cleaner = cleaner_of(index, ONE_DAY)
    assert cleaner.stop(DEADLINE_S)
    cleaner = cleaner_of(index, ONE_DAY)
    cleaner.start()
    assert cleaner.stop(DEADLINE_S)
    assert cleaner.stop(DEADLINE_S)
    assert "recording-cleaner" not in {thread.name for thread in threading.enumerate()}
