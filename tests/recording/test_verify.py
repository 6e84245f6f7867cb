"""What the command's tests do not show: a disk at work while it is looked at."""

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from nvr.core.errors import StorageError
from nvr.recording.index import SegmentIndex
from nvr.recording.layout import CameraKey
from nvr.recording.locks import try_lock
from nvr.recording.segment import Segment
from nvr.recording.verify import RECHECK_S, Extent, Fault, Problem, VerifyReport, verify
from tests.recording.segments import record, segment_at, write_file


@dataclass(frozen=True)
class Look:
    duration_ms: int = 10_000
    problem: str | None = None


@pytest.fixture
def index(tmp_path: Path) -> Iterator[SegmentIndex]:
    index = SegmentIndex(tmp_path)
    yield index
    index.close()


class Waits:
    """Does something while the verifier waits."""

    def __init__(self, *work: object) -> None:
        self.seconds: list[float] = []
        self.work = work

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        for step in self.work:
            if callable(step):
                step()


def problems(index: SegmentIndex, wait: Waits, extent: Extent | None = None) -> tuple[list[Problem], VerifyReport]:
    report = VerifyReport()
    return list(verify(index, lambda _: Look(), report, extent, wait=wait)), report


def faults(index: SegmentIndex, look: Look | OSError) -> list[Fault]:
    def check(_: Path) -> Look:
        if isinstance(look, OSError):
            raise look
        return look

    return [problem.fault for problem in verify(index, check, VerifyReport(), wait=Waits())]


def test_nobody_waits_where_all_is_right(index: SegmentIndex) -> None:
    record(index, segment_at(0), segment_at(3600))
    wait = Waits()
    assert problems(index, wait)[0] == []
    assert wait.seconds == []


def test_a_recording_whose_row_comes_a_moment_later_is_no_problem(index: SegmentIndex) -> None:
    write_file(index.root, segment_at())
    wait = Waits(lambda: index.add(segment_at()))
    found, report = problems(index, wait)
    assert found == []
    assert wait.seconds == [RECHECK_S]
    assert (report.segments, report.problems) == (1, 0)


def test_a_recording_that_the_cleaner_just_deletes_is_no_problem(index: SegmentIndex) -> None:
    record(index, segment_at(0), segment_at(10))
    (index.root / segment_at(0).path).unlink()
    assert problems(index, Waits(lambda: index.remove(segment_at(0))))[0] == []


def test_a_difference_that_lasts_is_one(index: SegmentIndex) -> None:
    index.add(segment_at())
    found, report = problems(index, Waits())
    assert [(problem.fault, problem.path) for problem in found] == [(Fault.MISSING, segment_at().path)]
    assert report.problems == 1


def test_a_file_that_is_deleted_before_it_is_opened_is_no_problem(index: SegmentIndex) -> None:
    record(index, segment_at())
    assert faults(index, FileNotFoundError(errno.ENOENT, "gone")) == []


def test_a_file_that_cannot_be_read_is_one(index: SegmentIndex) -> None:
    record(index, segment_at())
    assert faults(index, OSError(errno.EIO, os.strerror(errno.EIO))) == [Fault.UNPLAYABLE]


@pytest.mark.parametrize(("duration_ms", "count"), [(9000, 0), (11_000, 0), (8999, 1), (11_001, 1)])
def test_a_length_may_differ_by_a_second_from_the_name(index: SegmentIndex, duration_ms: int, count: int) -> None:
    record(index, segment_at())
    assert len(faults(index, Look(duration_ms))) == count


def test_a_file_that_a_recorder_writes_is_counted_and_no_problem(index: SegmentIndex) -> None:
    origin = segment_at().origin
    path = index.root / origin.recording_path
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        assert try_lock(file.fileno())
        found, report = problems(index, Waits())
    assert (found, report.written) == ([], 1)
    found, report = problems(index, Waits())
    assert [problem.fault for problem in found] == [Fault.UNFINISHED]


def test_only_the_cameras_that_were_asked_for_are_looked_at(index: SegmentIndex) -> None:
    index.add_all([segment_at(source_id=3), segment_at(source_id=4)])
    found, _ = problems(index, Waits(), Extent(frozenset({CameraKey("default", 4)})))
    assert [problem.path for problem in found] == [segment_at(source_id=4).path]


def test_a_recorder_that_replaces_a_kind_is_no_problem(index: SegmentIndex) -> None:
    old = segment_at()
    record(index, old)
    new = Segment.from_path(old.path.with_name(old.path.name.replace("continuous", "event")), old.size_bytes)
    (index.root / old.path).rename(index.root / new.path)
    assert problems(index, Waits(lambda: index.replace(old, new)))[0] == []


def test_a_root_that_is_gone_is_a_storage_error(index: SegmentIndex) -> None:
    index.root.rename(index.root.with_name("moved"))
    with pytest.raises(StorageError):
        problems(index, Waits())
