import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from nvr.recording.layout import CameraKey, HourFolder
from nvr.recording.removal import remove_segments, tidy_hour
from nvr.recording.segment import Segment
from tests.recording.disks import TinyDisk
from tests.recording.segments import START, on_disk, segment_at, write_file

LATER = START + timedelta(days=800)


def folders(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_dir()}


def hour_of(segment: Segment) -> HourFolder:
    return segment.origin.folder


def test_deletes_what_is_there_and_tells_what_was_gone(tmp_path: Path) -> None:
    here, other_hour, gone, no_folder = segment_at(0), segment_at(3600), segment_at(20), segment_at(9000)
    for segment in (here, other_hour, segment_at(40)):
        write_file(tmp_path, segment)
    removal = remove_segments(tmp_path, [here, gone, other_hour, no_folder])
    assert removal.deleted == [here, other_hour]
    assert removal.vanished == [gone, no_folder]
    assert removal.failed == []
    assert on_disk(tmp_path) == {str(segment_at(40).path)}


@pytest.mark.parametrize("level", range(1, 7))
def test_never_follows_a_link_out_of_the_root(tmp_path: Path, level: int) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    segment = segment_at()
    target = write_file(outside, segment)
    linked = Path(*segment.path.parts[:level])
    (root / linked).parent.mkdir(parents=True)
    (root / linked).symlink_to(outside / linked)
    assert (root / segment.path).exists()
    removal = remove_segments(root, [segment])
    assert [failed for failed, _ in removal.failed] == [segment]
    tidy_hour(root, hour_of(segment), LATER)
    assert target.exists()


def test_a_link_in_place_of_a_file_goes_and_its_target_stays(tmp_path: Path) -> None:
    segment, target = segment_at(), tmp_path / "target"
    target.write_bytes(b"x")
    write_file(tmp_path, segment).unlink()
    (tmp_path / segment.path).symlink_to(target)
    assert remove_segments(tmp_path, [segment]).deleted == [segment]
    assert target.exists()


def test_a_folder_in_place_of_a_file_fails_and_the_next_one_is_deleted(tmp_path: Path) -> None:
    odd, fine = segment_at(0), segment_at(10)
    (tmp_path / odd.path).mkdir(parents=True)
    write_file(tmp_path, fine)
    removal = remove_segments(tmp_path, [odd, fine])
    assert [segment for segment, _ in removal.failed] == [odd]
    assert removal.deleted == [fine]
    assert not removal.is_hopeless


def test_a_read_only_disk_is_given_up_at_once(tiny_disk: Callable[[str], TinyDisk]) -> None:
    disk = tiny_disk("1m")
    segments = [segment_at(0), segment_at(10), segment_at(3600)]
    for segment in segments:
        write_file(disk.root, segment)
    disk.turn_read_only()
    removal = remove_segments(disk.root, segments)
    assert removal.is_hopeless
    assert [segment for segment, _ in removal.failed] == segments[:1]
    assert removal.deleted == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_fails(tmp_path: Path) -> None:
    path = write_file(tmp_path, segment_at())
    path.parent.chmod(0o500)
    assert [segment for segment, _ in remove_segments(tmp_path, [segment_at()]).failed] == [segment_at()]


def test_the_last_recording_of_an_hour_takes_the_folders_with_it_up_to_the_camera(tmp_path: Path) -> None:
    segment = segment_at()
    write_file(tmp_path, segment)
    remove_segments(tmp_path, [segment])
    tidy_hour(tmp_path, hour_of(segment), LATER)
    assert folders(tmp_path) == {"default", "default/3"}


def test_folders_with_something_in_them_stay(tmp_path: Path) -> None:
    segment = segment_at()
    write_file(tmp_path, segment)
    write_file(tmp_path, segment_at(86_400))
    remove_segments(tmp_path, [segment])
    tidy_hour(tmp_path, hour_of(segment), LATER)
    assert "default/3/2026/11/20" not in folders(tmp_path)
    assert "default/3/2026/11/21/09" in folders(tmp_path)


@pytest.mark.parametrize(
    ("now", "left"),
    [
        (START + timedelta(hours=1, minutes=59), "default/3/2026/11/20/09"),
        (START + timedelta(hours=2), "default/3/2026/11/20"),
        (datetime(2026, 11, 21, 0, 59, tzinfo=START.tzinfo), "default/3/2026/11/20"),
        (datetime(2026, 11, 21, 1, tzinfo=START.tzinfo), "default/3/2026/11"),
        (datetime(2026, 12, 1, 1, tzinfo=START.tzinfo), "default/3/2026"),
        (datetime(2027, 1, 1, 1, tzinfo=START.tzinfo), "default/3"),
    ],
)
def test_a_folder_in_which_a_recorder_may_begin_a_file_stays(tmp_path: Path, now: datetime, left: str) -> None:
    segment = segment_at()
    write_file(tmp_path, segment).unlink()
    tidy_hour(tmp_path, hour_of(segment), now)
    deepest = max(folders(tmp_path), key=len)
    assert deepest == left


def test_the_snapshots_of_an_hour_go_with_its_last_recording(tmp_path: Path) -> None:
    segment = segment_at()
    write_file(tmp_path, segment)
    snapshot = tmp_path / segment.origin.snapshot_path
    snapshot.write_bytes(b"x")
    tidy_hour(tmp_path, hour_of(segment), LATER)
    assert snapshot.exists()
    remove_segments(tmp_path, [segment])
    tidy_hour(tmp_path, hour_of(segment), LATER)
    assert on_disk(tmp_path) == set()


@pytest.mark.parametrize("end", [".recording", ".broken", ".txt"])
def test_what_is_no_finished_recording_stays_with_its_folder(tmp_path: Path, end: str) -> None:
    segment = segment_at()
    path = tmp_path / segment.origin.path(end)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    tidy_hour(tmp_path, hour_of(segment), LATER)
    assert path.exists()


def test_tidying_what_is_not_there_does_nothing(tmp_path: Path) -> None:
    tidy_hour(tmp_path, HourFolder(CameraKey("default", 3), START), LATER)
    assert list(tmp_path.iterdir()) == []
