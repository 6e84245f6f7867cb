from collections.abc import Callable
from pathlib import Path

from nvr.recording.reserve import NAME, Reserve
from tests.recording.disks import TinyDisk


def test_room_is_held_back_once_and_only_a_part_of_a_tiny_disk(tiny_disk: Callable[[str], TinyDisk]) -> None:
    disk = tiny_disk("1m")
    path = disk.root / NAME
    Reserve(path).renew()
    assert path.stat().st_size == (1 << 20) // 16
    before = path.stat().st_mtime_ns
    Reserve(path).renew()
    assert path.stat().st_mtime_ns == before


def test_a_full_disk_gets_it_back_and_no_other_does(tiny_disk: Callable[[str], TinyDisk]) -> None:
    disk = tiny_disk("1m")
    reserve = Reserve(disk.root / NAME)
    reserve.renew()
    assert not reserve.release()
    disk.fill()
    assert reserve.release()
    assert not reserve.release()
    assert (disk.root / "small").write_bytes(b"x" * 1000) == 1000


def test_nothing_is_held_back_of_a_disk_that_is_nearly_full(tiny_disk: Callable[[str], TinyDisk]) -> None:
    disk = tiny_disk("1m")
    disk.fill()
    Reserve(disk.root / NAME).renew()
    assert not (disk.root / NAME).exists()


def test_a_folder_that_is_gone_is_no_error(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "gone" / NAME)
    reserve.renew()
    assert not reserve.release()
