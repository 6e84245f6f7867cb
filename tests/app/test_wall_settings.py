from pathlib import Path

import pytest

from nvr.app.wall_settings import WallSettings
from nvr.config.wall import VideoWallConfig, WallCamera
from nvr.config.watch import stamp_of
from nvr.core.errors import ConfigurationError
from tests.waiting import wait_until


class Wall:
    """Obeys `ChangeableWall` and notes what it is told."""

    def __init__(self) -> None:
        self.shown: list[tuple[int, ...]] = []

    def change_cameras(self, config: VideoWallConfig) -> None:
        if not config.cameras:
            raise ConfigurationError("the wall has no camera")
        self.shown.append(tuple(camera.source_id for camera in config.cameras))


def reader(path: Path) -> VideoWallConfig:
    """Read a file of numbers, one a camera; a word is an error."""
    words = path.read_text(encoding="utf-8").split()
    if not all(word.isdigit() for word in words):
        raise ConfigurationError(f"{path.name}: rtsp://u:hunter2@h/1 is no number")
    cameras = tuple(WallCamera(source_id=int(word), uri=f"rtsp://camera.example/{word}") for word in words)
    return VideoWallConfig(cameras=cameras)


def test_cameras_follow_the_file_and_what_is_wrong_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, wall = tmp_path / "nvr.yaml", Wall()
    path.write_text("1 2", encoding="utf-8")
    begun = stamp_of(path)
    settings = WallSettings(lambda: reader(path), lambda: {path: begun})
    settings.follow(wall)
    try:
        assert [camera.source_id for camera in settings.told.cameras] == [1, 2]
        path.write_text("1 2 3", encoding="utf-8")
        wait_until(lambda: wall.shown == [(1, 2, 3)], "the third camera")
        path.write_text("nonsense", encoding="utf-8")
        wait_until(lambda: "the wall stays as it is" in caplog.text, "the complaint")
        path.write_text("\n", encoding="utf-8")
        wait_until(lambda: "the wall has no camera" in caplog.text, "the other complaint")
        path.write_text("3", encoding="utf-8")
        wait_until(lambda: wall.shown == [(1, 2, 3), (3,)], "the last camera")
    finally:
        settings.stop()
    assert "hunter2" not in caplog.text


def test_says_which_settings_wait_for_the_next_start(caplog: pytest.LogCaptureFixture) -> None:
    told = [VideoWallConfig(cameras=(WallCamera(source_id=1, uri="rtsp://camera.example/1"),))]
    wall = Wall()
    settings = WallSettings(lambda: told[-1])
    settings.follow(wall)
    told.append(told[0].model_copy(update={"tile_width": 640, "read_timeout_s": 9.0, "mqtt_port": 1}))
    settings.apply()
    assert (
        "takes effect when the wall is started again: broker.port, streams.read_timeout_s, wall.tile_width"
        in caplog.text
    )
    assert wall.shown == []
    settings.stop()


def test_settings_that_cannot_be_read_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "nvr.yaml"
    path.write_text("nonsense", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="no number"):
        WallSettings(lambda: reader(path), dict)
