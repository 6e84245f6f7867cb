from collections.abc import Callable
from datetime import timedelta

import pytest

from nvr.core.errors import StorageError
from nvr.recording.disk_space import disk_space
from nvr.recording.index import SegmentIndex
from nvr.recording.outlook import outlook
from nvr.recording.policy import RetentionPolicy
from nvr.recording.segment import SegmentKind
from tests.recording.disks import TinyDisk
from tests.recording.segments import START, record, segment_at


def test_the_forecast_of_a_disk_is_what_its_recordings_and_its_room_say(
    tiny_disk: Callable[[str], TinyDisk],
) -> None:
    disk = tiny_disk("2m")
    index = SegmentIndex(disk.root)
    now = START + timedelta(hours=12)
    assert outlook(index, RetentionPolicy(), now) is None
    record(index, segment_at(0, size_bytes=40_960), segment_at(3600, kind=SegmentKind.EVENT, size_bytes=40_960))
    record(index, segment_at(-90_000, size_bytes=4096), segment_at(5, kind=SegmentKind.PROTECTED, size_bytes=4096))
    found = outlook(index, RetentionPolicy(), now)
    assert found is not None
    assert found.bytes_per_day == 4 * 40_960
    assert found.capacity_bytes == disk_space(disk.root).free_bytes + 2 * 40_960 + 4096
    assert found.days == pytest.approx(found.capacity_bytes / found.bytes_per_day)
    index.close()


def test_a_disk_that_vanished_is_a_storage_error(tiny_disk: Callable[[str], TinyDisk]) -> None:
    disk = tiny_disk("1m")
    index = SegmentIndex(disk.root)
    disk.detach()
    with pytest.raises(StorageError):
        outlook(index, RetentionPolicy(), START)
    index.close()
