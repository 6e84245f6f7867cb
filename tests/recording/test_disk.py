"""Disks that fill up, turn read-only, vanish, hang or lose their power while a camera is recorded on them."""

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from nvr.core.backoff import Backoff
from nvr.media.mp4_repair import check, repair
from nvr.recording.disk import SLOW_S, Activity, DiskGuard, Pause, describe, pause_reason
from nvr.recording.layout import SegmentOrigin
from nvr.recording.segment_file import SegmentFile
from tests.recording.camera import FPS, Camera, picture_numbers
from tests.recording.disks import TinyDisk
from tests.recording.packets import NOON, at, camera_packets
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
NOISE = (640, 368)


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "disk full"),
        (errno.EDQUOT, "disk full"),
        (errno.EROFS, "disk read-only"),
        (errno.ENOENT, "disk gone"),
        (errno.ESTALE, "disk gone"),
        (errno.EACCES, "disk refused"),
        (errno.EIO, "disk failing"),
        (None, "disk failing"),
    ],
)
def test_an_error_of_the_disk_has_a_meaning(number: int | None, reason: str) -> None:
    error = OSError() if number is None else OSError(number, os.strerror(number), "/disk/file")
    assert pause_reason(error) == reason
    if number is not None:
        assert describe(error) == f"/disk/file: {os.strerror(number)}"


def test_a_pause_is_tried_again_later_and_later_until_something_is_written() -> None:
    class Longest:
        def uniform(self, _: float, longest: float) -> float:
            return longest

    pause = Pause(Backoff(1, 8, rng=Longest()))  # type: ignore[arg-type] # no more of it is used
    waits = []
    for _ in range(5):
        pause.begin(100)
        waits.append(next(second for second in range(20) if pause.is_over(100 + second)))
        pause.lift()
    assert waits == [1, 2, 4, 8, 8]
    assert not pause.is_on
    pause.succeed()
    pause.begin(100)
    assert pause.is_over(101)


def test_a_probe_leaves_no_trace(tmp_path: Path) -> None:
    DiskGuard(tmp_path).probe()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_gone_is_found_gone(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    guard = DiskGuard(root)
    root.rmdir()
    with pytest.raises(FileNotFoundError, match="the folder of recordings is gone"):
        guard.check()


def test_an_empty_mount_point_is_not_taken_for_the_disk(tiny_disk: Callable[[str], TinyDisk]) -> None:
    disk = tiny_disk("1m")
    guard = DiskGuard(disk.root)
    guard.probe()
    disk.detach()
    with pytest.raises(FileNotFoundError, match="no disk is mounted there any more"):
        guard.check()
    disk.attach()
    guard.check()


def assert_all_playable(root: Path) -> None:
    for path in root.rglob("*.mp4"):
        assert check(path, deep=True).problem is None


def test_a_full_disk_pauses_recording_keeps_what_was_written_and_recording_resumes(
    tiny_disk: Callable[[str], TinyDisk],
) -> None:
    disk = tiny_disk("600k")
    camera = Camera(disk.root, packets=camera_packets(1000, size=NOISE, is_noise=True)).start()
    camera.send_until_paused()
    assert camera.recorder.state.reason == "disk full"
    assert camera.space_calls
    assert camera.unfinished == []
    assert camera.finished[-1].end_reason == "disk"
    kept = sum(check(path).video_frames for path in disk.root.rglob("*.mp4"))
    assert kept >= camera.written - FPS
    assert_all_playable(disk.root)
    lost = camera.written
    for finished in camera.finished:  # the cleaner
        (disk.root / finished.segment.path).unlink()
    camera.wait_for(Activity.IDLE)
    camera.send_or_pause(30)
    camera.wait_for(Activity.RECORDING)
    camera.stop()
    assert camera.written > lost
    assert_all_playable(disk.root)
    reasons = [state.reason for state in camera.states if state.activity is Activity.PAUSED]
    assert reasons == ["disk full"]


def test_every_announced_segment_is_there_however_full_the_disk_is(tiny_disk: Callable[[str], TinyDisk]) -> None:
    disk = tiny_disk("500k")
    camera = Camera(disk.root, packets=camera_packets(800, size=NOISE, is_noise=True)).start()
    while len(camera.waiting) >= 25:
        camera.send_or_pause()
        while camera.is_paused() and camera.finished:
            (disk.root / camera.finished.pop(0).segment.path).unlink()
            camera.wait_for_try()
    camera.stop()
    on_disk = {path.relative_to(disk.root).as_posix(): path.stat().st_size for path in disk.root.rglob("*.mp4")}
    announced = {finished.segment.path.as_posix(): finished.segment.size_bytes for finished in camera.finished}
    assert on_disk == announced
    assert_all_playable(disk.root)


def test_a_read_only_disk_pauses_recording_until_it_can_be_written(tiny_disk: Callable[[str], TinyDisk]) -> None:
    disk = tiny_disk("1m")
    camera = Camera(disk.root, "events").start()
    camera.send(30)
    disk.turn_read_only()
    camera.recorder.note_event(at(2.5))
    wait_until(camera.is_paused, "recording pauses")
    assert camera.recorder.state.reason == "disk read-only"
    assert camera.finished == []
    subprocess.run(["mount", "-o", "remount,rw", str(disk.root)], check=True)
    camera.wait_for(Activity.RECORDING)
    camera.stop()
    assert camera.pictures == list(range(30)), "from the key frame before the window, as if nothing had been"


def test_a_vanished_folder_pauses_recording_and_what_was_written_can_be_repaired(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    camera = Camera(root).start()
    camera.send_and_wait(40)
    root.rename(tmp_path / "elsewhere")
    camera.send(25)
    wait_until(camera.is_paused, "recording pauses at the end of the segment")
    assert camera.recorder.state.reason == "disk gone"
    assert not root.exists(), "a folder whose disk is gone is not made"
    assert camera.recorder.counters.written.left_behind == 1
    (tmp_path / "elsewhere").rename(root)
    camera.wait_for(Activity.RECORDING)
    camera.send_and_wait(30)
    camera.stop()
    assert camera.pictures == list(range(50, 95)), "memory held what came meanwhile"
    (left,) = camera.unfinished
    assert repair(left) is not None
    assert picture_numbers(left) == list(range(50))


def test_an_unmounted_disk_pauses_recording_and_its_mount_point_stays_empty(
    tiny_disk: Callable[[str], TinyDisk],
) -> None:
    disk = tiny_disk("2m")
    camera = Camera(disk.root).start()
    camera.send_and_wait(40)
    disk.detach()
    camera.send(25)
    wait_until(camera.is_paused, "recording pauses at the end of the segment")
    assert camera.recorder.state.reason == "disk gone"
    assert list(disk.root.iterdir()) == []
    disk.attach()
    camera.wait_for(Activity.RECORDING)
    camera.send_and_wait(30)
    camera.stop()
    assert camera.pictures == list(range(50, 95))


class Stalling(SegmentFile):
    """A file whose disk answers only while its gate is open."""

    gate: threading.Event

    def write(self, data: bytes, /) -> int:
        """Wait for the gate, then write."""
        assert self.gate.wait(60)
        return super().write(data)


def test_a_disk_that_hangs_pauses_recording_which_goes_on_after_a_gap(tmp_path: Path) -> None:
    gate = threading.Event()
    gate.set()

    def create(root: Path, origin: SegmentOrigin) -> SegmentFile:
        file = Stalling(root, origin)
        file.gate = gate
        return file

    camera = Camera(tmp_path, ring_s=2.0, create_file=create).start()
    camera.send_and_wait(10)
    gate.clear()
    camera.send(190)
    recorder = camera.recorder

    def hangs() -> bool:
        camera.clock.advance(SLOW_S)
        recorder.watch(camera.clock.monotonic())
        return recorder.state.reason == "disk slow"

    wait_until(hangs, "the pause is told")
    assert not recorder.stop(0), "its thread waits for the disk"
    gate.set()
    camera.stop()
    assert recorder.counters.lost_packets > 0
    # nothing inside a file is missing, for its pictures would be shown at the wrong time
    for path in tmp_path.rglob("*.mp4"):
        numbers = picture_numbers(path)
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert camera.pictures[-1] == 199
    assert "gap" in [finished.end_reason for finished in camera.finished]


def test_after_a_kill_all_but_the_last_fragment_plays(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.recording.recorder_child", str(tmp_path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            sent = int(line)
            if sent >= 85:
                break
        child.kill()
    (left,) = tmp_path.rglob("*.recording")
    assert check(left, deep=True).problem is None, "it plays before it is repaired"
    repaired = repair(left)
    assert repaired is not None
    left.rename(left.with_suffix(".mp4"))
    pictures = [number for path in sorted(tmp_path.rglob("*.mp4")) for number in picture_numbers(path)]
    assert pictures == list(range(len(pictures)))
    # a fragment of half a second, and the picture whose coming ends it
    assert len(pictures) >= sent - 0.5 * FPS - 1


def test_a_new_file_is_locked_and_in_the_folder_of_its_hour(tmp_path: Path) -> None:
    file = SegmentFile(tmp_path, SegmentOrigin("default", 1, NOON))
    assert file.path == tmp_path / "default/1/2026/11/24/12/20261124T120000.000000Z.recording"
    other = SegmentFile(tmp_path, SegmentOrigin("default", 1, NOON))
    assert other.path != file.path
    other.discard()
    assert not other.path.exists()
    file.close()
    file.close()
    assert file.path.exists()
