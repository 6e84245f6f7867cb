import errno
import io
import logging
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from nvr.media.fragment_writer import FragmentWriter
from nvr.media.mp4_repair import RepairedMp4, check, repair
from nvr.recording.index import SegmentIndex
from nvr.recording.layout import CameraKey, SegmentOrigin
from nvr.recording.locks import try_lock
from nvr.recording.reconcile import ReconcileReport, reconcile
from nvr.recording.reindex import reindex
from nvr.recording.segment import Segment, SegmentKind
from nvr.recording.tree import make_folder
from tests.media.coded_media import Recipe, make_video, read_media
from tests.recording.disks import TinyDisk
from tests.recording.segments import START, on_disk, record, rows, segment_at, write_file

CAMERA = CameraKey("default", 3)


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Two seconds as a recorder writes them."""
    packets = read_media(make_video(tmp_path_factory.mktemp("media") / "a.mp4", Recipe(seconds=2)))
    file = io.BytesIO()
    writer = FragmentWriter(file, packets.video)
    for packet in packets.packets:
        writer.write(packet)
    writer.close()
    return file.getvalue()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[SegmentIndex]:
    index = SegmentIndex(tmp_path)
    yield index
    index.close()


def origin_at(offset_s: float, source_id: int = 3) -> SegmentOrigin:
    return SegmentOrigin("default", source_id, START + timedelta(seconds=offset_s))


def leave(root: Path, origin: SegmentOrigin, content: bytes) -> Path:
    make_folder(root, origin.folder)
    path = root / origin.recording_path
    path.write_bytes(content)
    return path


def as_event(_: SegmentOrigin) -> SegmentKind:
    return SegmentKind.EVENT


def mend(index: SegmentIndex, repair: Callable[[Path], RepairedMp4 | None] = repair) -> ReconcileReport:
    return reconcile(index, [CAMERA], repair, as_event)


def test_a_torn_file_becomes_a_segment_that_plays(index: SegmentIndex, media: bytes) -> None:
    leave(index.root, origin_at(0), media[:-700])
    report = mend(index)
    (segment,) = report.repaired
    assert (segment.start, segment.kind) == (START, SegmentKind.EVENT)
    assert 1000 <= segment.duration_ms < 2000
    assert rows(index) == [segment]
    assert on_disk(index.root) == {str(segment.path)}
    found = check(index.root / segment.path, deep=True)
    assert (found.problem, found.duration_ms, found.size_bytes) == (None, segment.duration_ms, segment.size_bytes)


def test_a_file_that_only_lacks_its_name_keeps_all_of_itself(index: SegmentIndex, media: bytes) -> None:
    leave(index.root, origin_at(0), media)
    (segment,) = mend(index).repaired
    assert (segment.duration_ms, segment.size_bytes) == (2000, len(media))


@pytest.mark.parametrize("content", [b"", b"\0" * 10_000, b"no video"])
def test_what_does_not_play_is_set_aside_and_said(
    index: SegmentIndex, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    leave(index.root, origin_at(0), content)
    with caplog.at_level(logging.WARNING):
        report = mend(index)
    assert report.set_aside == [origin_at(0).broken_path()]
    assert (index.root / origin_at(0).broken_path()).read_bytes() == content
    assert "was set aside" in caplog.text
    assert rows(index) == []


def test_nothing_is_overwritten_by_what_is_set_aside(index: SegmentIndex) -> None:
    for content in (b"one", b"two"):
        leave(index.root, origin_at(0), content)
        mend(index)
    assert (index.root / origin_at(0).broken_path()).read_bytes() == b"one"
    assert (index.root / origin_at(0).broken_path(2)).read_bytes() == b"two"


def test_a_segment_of_the_same_name_is_not_overwritten(index: SegmentIndex, media: bytes) -> None:
    there = Segment("default", 3, START, 2000, SegmentKind.EVENT, 5)
    write_file(index.root, there)
    leave(index.root, origin_at(0), media)
    report = mend(index)
    assert (index.root / there.path).stat().st_size == 5
    assert report.set_aside == [origin_at(0).broken_path()]


def test_a_file_that_another_process_writes_is_left_to_it(index: SegmentIndex, media: bytes) -> None:
    path = leave(index.root, origin_at(0), media)
    with path.open("r+b") as file:
        assert try_lock(file.fileno())
        report = mend(index)
        assert report.written == 1
        assert path.exists()
    assert len(mend(index).repaired) == 1


def test_what_of_other_cameras_is_unfinished_is_left_alone(index: SegmentIndex, media: bytes) -> None:
    path = leave(index.root, origin_at(0, source_id=4), media)
    assert mend(index).repaired == []
    assert path.exists()


def test_a_link_in_place_of_an_unfinished_file_is_not_followed(
    index: SegmentIndex, media: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    target = tmp_path_factory.mktemp("elsewhere") / "target"
    target.write_bytes(media[:-700])
    path = leave(index.root, origin_at(0), b"")
    path.unlink()
    path.symlink_to(target)
    report = mend(index)
    assert (report.repaired, report.set_aside) == ([], [])
    assert target.read_bytes() == media[:-700]


def test_a_disk_that_fails_leaves_the_file_for_the_next_try(index: SegmentIndex, media: bytes) -> None:
    path = leave(index.root, origin_at(0), media)

    def fail(_: Path) -> RepairedMp4 | None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    report = mend(index, fail)
    assert report.failed == [(origin_at(0).recording_path, "Input/output error")]
    assert path.exists()
    assert len(mend(index).repaired) == 1


def test_an_impossible_length_is_set_aside(index: SegmentIndex, media: bytes) -> None:
    leave(index.root, origin_at(0), media)
    report = mend(index, lambda _: RepairedMp4(10**9, 1, 0, 0, "h264", 16, 16, 1))
    assert len(report.set_aside) == 1


def test_a_torn_file_on_a_full_disk_is_repaired_all_the_same(
    tiny_disk: Callable[[str], TinyDisk], media: bytes
) -> None:
    disk = tiny_disk("1m")
    index = SegmentIndex(disk.root)
    leave(disk.root, origin_at(0), media[:-700])
    disk.fill()
    report = mend(index)
    assert len(report.repaired) == 1
    assert rows(index) == report.repaired
    index.close()


def test_the_newest_hours_of_a_camera_are_made_equal_to_the_disk(index: SegmentIndex) -> None:
    finished_but_not_noted = segment_at(3600 * 5)
    too_old_for_the_start = segment_at(0)
    write_file(index.root, finished_but_not_noted)
    write_file(index.root, too_old_for_the_start)
    record(index, segment_at(3600 * 4), segment_at(3600 * 3))
    noted_but_gone = segment_at(3600 * 5 + 10)
    index.add(noted_but_gone)
    report = mend(index)
    assert (report.index.added, report.index.removed) == (1, 1)
    assert rows(index) == [segment_at(3600 * 3), segment_at(3600 * 4), finished_but_not_noted]
    reindex(index)
    assert too_old_for_the_start in rows(index)


def test_doing_it_again_finds_nothing(index: SegmentIndex, media: bytes) -> None:
    leave(index.root, origin_at(0), media[:-700])
    leave(index.root, origin_at(5), b"")
    mend(index)
    before = on_disk(index.root)
    report = mend(index)
    assert (report.repaired, report.set_aside, report.index.is_changed) == ([], [], False)
    assert on_disk(index.root) == before


def test_a_camera_without_recordings_is_no_error(index: SegmentIndex) -> None:
    assert mend(index).index.segments == 0
