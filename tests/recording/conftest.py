"""Fixtures of all tests of recordings."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.recording.disks import TinyDisk


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
