import pytest

from nvr.control.home_assistant.snapshots import SnapshotWorker
from nvr.core.clock import ManualClock
from nvr.core.errors import StreamError


class Album:
    """Cameras to be photographed."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.pictures: dict[int, bytes | Exception | None] = {}
        self.shown: list[int] = []
        self.slow_s = 0.0
        self.worker = SnapshotWorker(
            self.take, lambda source_id, _: self.shown.append(source_id), interval_s=10.0, clock=self.clock
        )

    def take(self, source_id: int) -> bytes | None:
        self.clock.advance(self.slow_s)
        picture = self.pictures.get(source_id, b"jpeg")
        if isinstance(picture, Exception):
            raise picture
        return picture

    def wait(self, seconds: float) -> list[int]:
        self.shown.clear()
        self.clock.advance(seconds)
        self.worker.take_due()
        return list(self.shown)


def test_each_camera_is_shown_once_per_interval() -> None:
    album = Album()
    album.worker.set_cameras([3, 4])
    assert album.wait(0.0) == [3, 4]
    assert album.wait(9.9) == []
    assert album.wait(0.2) == [3, 4]
    album.worker.set_cameras([4])
    assert album.wait(10.0) == [4]


def test_a_machine_that_cannot_keep_up_shows_less_often() -> None:
    album = Album()
    album.worker.set_cameras([3, 4])
    album.slow_s = 30.0
    for _ in range(5):
        assert album.wait(0.0) == [3, 4]
    assert album.clock.monotonic() == 300.0


def test_a_camera_without_a_picture_is_no_trouble() -> None:
    album = Album()
    album.worker.set_cameras([3, 4])
    album.pictures[3] = None
    assert album.wait(0.0) == [4]
    assert album.worker.failures == 0


@pytest.mark.parametrize("error", [StreamError("camera 3: broken"), ValueError("no idea")])
def test_a_camera_that_fails_harms_no_other(error: Exception) -> None:
    album = Album()
    album.worker.set_cameras([3, 4])
    album.pictures[3] = error
    assert album.wait(0.0) == [4]
    assert (album.worker.failures, album.worker.taken) == (1, 1)


def test_the_thread_ends_when_it_is_told_to() -> None:
    album = Album()
    album.worker.start()
    assert album.worker.stop(30.0)
