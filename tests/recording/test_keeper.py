"""The index beside recorders, on a disk that comes late."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from nvr.core.clock import ManualClock
from nvr.recording.keeper import MAX_PENDING, Keeper
from nvr.recording.layout import CameraKey
from nvr.recording.policy import RetentionPolicy
from nvr.recording.segment import Segment, SegmentKind
from tests.recording.packets import NOON
from tests.waiting import wait_until

FIRST = Segment("default", 1, NOON, 10_000, SegmentKind.CONTINUOUS, 4)


def keeper_of(root: Path) -> Keeper:
    return Keeper(
        root,
        RetentionPolicy(),
        clean_interval_s=3600,
        clock=ManualClock(NOON),
        kind_of=lambda _: SegmentKind.EVENT,
        on_repaired=lambda _: None,
    )


def put_on_disk(root: Path, segment: Segment) -> None:
    path = root / segment.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(segment.size_bytes))


def known(keeper: Keeper) -> list[Segment]:
    assert keeper.index is not None
    return keeper.index.find()


def test_what_is_noted_before_the_index_is_open_is_added_then_in_its_order(tmp_path: Path) -> None:
    root = tmp_path / "disk"
    keeper = keeper_of(root)
    raised = replace(FIRST, kind=SegmentKind.EVENT)
    second = replace(FIRST, start=NOON + timedelta(seconds=10))
    keeper.note(FIRST)
    keeper.note(raised, FIRST)
    keeper.note(second)
    assert (keeper.pending, keeper.index) == (3, None)
    root.mkdir()
    put_on_disk(root, raised)
    put_on_disk(root, second)
    keeper.start()
    wait_until(lambda: not keeper.pending, "the index has taken them")
    assert known(keeper) == [raised, second]
    assert keeper.stop(30)


def test_of_more_changes_than_can_wait_the_index_is_read_in_anew(tmp_path: Path) -> None:
    root = tmp_path / "disk"
    keeper = keeper_of(root)
    for number in range(MAX_PENDING + 1):
        keeper.note(replace(FIRST, start=NOON + timedelta(seconds=number)))
    assert keeper.pending == MAX_PENDING
    root.mkdir()
    put_on_disk(root, FIRST)
    keeper.start()
    wait_until(lambda: keeper.index is not None and known(keeper) == [FIRST], "the index equals the disk")
    assert keeper.stop(30)


def test_failures_are_counted_and_the_end_is_not_held_up_by_them(tmp_path: Path) -> None:
    keeper = keeper_of(tmp_path / "nowhere")
    keeper.look_at(CameraKey("default", 1))
    keeper.start()
    wait_until(lambda: keeper.failures == 1, "the index cannot be opened")
    assert (keeper.unseen, keeper.cleaner) == (1, None)
    keeper.note_space_short()
    assert keeper.stop(30)


def test_a_folder_that_is_not_there_is_told_in_plain_words(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keeper = keeper_of(tmp_path / "nowhere")
    keeper.start()
    wait_until(lambda: bool(caplog.messages), "the missing folder is told")
    assert keeper.stop(30)
    assert f"{tmp_path / 'nowhere'} is no folder, and none is made: its disk may not be mounted" in caplog.text


def test_a_keeper_that_never_started_can_be_stopped(tmp_path: Path) -> None:
    assert keeper_of(tmp_path).stop(0)
