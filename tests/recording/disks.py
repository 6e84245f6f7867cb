"""A real disk that is too small."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


class TinyDisk:
    """A file system of its own in memory, which can fill up, turn read-only, vanish and come back."""

    def __init__(self, folder: Path, size: str) -> None:
        self._store = folder / "store"
        self.root = folder / "root"
        self._filler = self.root / "filler"
        self._store.mkdir()
        self.root.mkdir()
        _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(self._store))
        self.attach()

    def fill(self) -> None:
        """Leave not one byte."""
        with self._filler.open("wb", buffering=0) as file:
            for size_bytes in (65536, 4096, 1):
                try:
                    while file.write(b"\0" * size_bytes) == size_bytes:
                        pass
                except OSError:
                    continue

    def make_room(self) -> None:
        """Take back what `fill` did."""
        self._filler.unlink()

    def turn_read_only(self) -> None:
        """Allow no more writing; nothing may be open for it."""
        _run("mount", "-o", "remount,ro", "tmpfs", str(self._store))

    def detach(self) -> None:
        """Let the disk vanish, whatever is open on it; the empty mount point stays."""
        _run("umount", "-l", str(self.root))

    def attach(self) -> None:
        """Let it come back."""
        _run("mount", "--bind", str(self._store), str(self.root))

    def close(self) -> None:
        """Unmount everything."""
        for folder in (self.root, self._store):
            subprocess.run(["umount", "-l", folder], capture_output=True, check=False)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Callable[[str], TinyDisk]]:
    """Make a disk of a size such as `1m`; skips the test where nothing may be mounted."""
    disks: list[TinyDisk] = []

    def make(size: str = "1m") -> TinyDisk:
        folder = tmp_path / f"disk{len(disks)}"
        folder.mkdir()
        try:
            disks.append(TinyDisk(folder, size))
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"this machine lets nobody mount a tmpfs: {error}")
        return disks[-1]

    yield make
    for disk in disks:
        disk.close()


def _run(*command: str) -> None:
    subprocess.run(command, capture_output=True, check=True)
