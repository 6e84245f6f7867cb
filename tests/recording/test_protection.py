from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from nvr.core.clock import ManualClock
from nvr.core.errors import InvalidInputError, StorageError
from nvr.recording.cleaner import Cleaner
from nvr.recording.index import SegmentIndex
from nvr.recording.policy import CameraLimits, RetentionPolicy
from nvr.recording.protection import change_kind
from nvr.recording.retention import DiskSpace
from nvr.recording.segment import Segment, SegmentKind
from tests.recording.disks import TinyDisk
from tests.recording.segments import START, on_disk, record, rows, segment_at, write_file

PROTECTED = SegmentKind.PROTECTED


@pytest.fixture
def index(tmp_path: Path) -> Iterator[SegmentIndex]:
    index = SegmentIndex(tmp_path)
    yield index
    index.close()


def clean(index: SegmentIndex) -> None:
    """Delete all that may be deleted."""
    policy = RetentionPolicy(CameraLimits({kind: timedelta(0) for kind in SegmentKind}))
    clock = ManualClock(START + timedelta(days=9))
    Cleaner(index, policy, clock=clock, measure=lambda _: DiskSpace(10**9, 10**9)).clean()


def test_a_protected_clip_outlives_every_limit(index: SegmentIndex) -> None:
    record(index, segment_at(0), segment_at(10))
    assert change_kind(index, segment_at(0), PROTECTED) == segment_at(0, kind=PROTECTED)
    clean(index)
    assert rows(index) == [segment_at(0, kind=PROTECTED)]
    assert on_disk(index.root) == {str(segment_at(0, kind=PROTECTED).path)}


def test_the_kind_that_it_has_is_no_change(index: SegmentIndex) -> None:
    record(index, segment_at())
    assert change_kind(index, segment_at(), SegmentKind.CONTINUOUS) == segment_at()
    assert rows(index) == [segment_at()]


def test_a_file_that_is_gone_takes_its_row_with_it(index: SegmentIndex) -> None:
    index.add(segment_at())
    assert change_kind(index, segment_at(), PROTECTED) is None
    assert rows(index) == []


def test_nothing_is_overwritten(index: SegmentIndex) -> None:
    record(index, segment_at(), segment_at(kind=PROTECTED))
    with pytest.raises(InvalidInputError, match="is there already"):
        change_kind(index, segment_at(), PROTECTED)
    assert len(on_disk(index.root)) == 2


def test_a_read_only_disk_changes_nothing(tiny_disk: Callable[[str], TinyDisk], tmp_path: Path) -> None:
    disk = tiny_disk("1m")
    index = SegmentIndex(disk.root, path=tmp_path / "index.sqlite")
    record(index, segment_at())
    disk.turn_read_only()
    with pytest.raises(StorageError, match="Read-only"):
        change_kind(index, segment_at(), PROTECTED)
    assert rows(index) == [segment_at()]
    index.close()


class PowerCutError(BaseException):
    """What ends a process at once, as far as a test can."""


def test_a_crash_between_file_and_row_loses_no_clip(index: SegmentIndex) -> None:
    class Dying(SegmentIndex):
        def replace(self, old: Segment, new: Segment) -> None:  # noqa: ARG002 - as the real one
            raise PowerCutError

    record(index, segment_at(0), segment_at(10))
    index.mark_complete()
    dying = Dying(index.root)
    with pytest.raises(PowerCutError):
        change_kind(dying, segment_at(0), PROTECTED)
    dying.close()
    clean(index)
    assert rows(index) == [segment_at(0, kind=PROTECTED)]
    assert on_disk(index.root) == {str(segment_at(0, kind=PROTECTED).path)}


def test_a_clip_of_someone_else_s_index_is_known_by_its_name(index: SegmentIndex) -> None:
    write_file(index.root, segment_at())
    assert change_kind(index, segment_at(), PROTECTED) == segment_at(kind=PROTECTED)
    assert rows(index) == [segment_at(kind=PROTECTED)]
