from pathlib import Path

import cv2
import pytest

from nvr.core.errors import ConfigurationError, StreamError
from nvr.media import StreamState
from nvr.wall.encoding import format_of, write_picture
from nvr.wall.snapshot import take_snapshot
from tests.wall.conftest import MakeWall


@pytest.mark.parametrize(
    ("name", "magic"), [("wall.png", b"\x89PNG"), ("wall.JPG", b"\xff\xd8\xff"), ("w.jpeg", b"\xff\xd8")]
)
def test_writes_the_format_that_the_name_asks_for(make_wall: MakeWall, tmp_path: Path, name: str, magic: bytes) -> None:
    wall, sources = make_wall(2, stale_after_seconds=600)
    for source in sources:
        source.show(luma=200)
    path = tmp_path / name
    assert take_snapshot(wall, path) == 2
    assert path.read_bytes().startswith(magic)
    written = cv2.imread(str(path))
    assert written is not None
    assert written.shape == wall.compose().shape
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_waits_no_longer_than_its_patience_for_a_camera_that_never_shows(make_wall: MakeWall, tmp_path: Path) -> None:
    wall, sources = make_wall(2, stale_after_seconds=600)
    sources[0].show()
    assert take_snapshot(wall, tmp_path / "wall.png", patience_s=0.2) == 1


def test_tells_why_there_is_no_picture_at_all_and_writes_nothing(make_wall: MakeWall, tmp_path: Path) -> None:
    wall, sources = make_wall(2)
    sources[0].state, sources[0].last_error = StreamState.OFFLINE, "rtsp://***@cam/1 refuses the connection"
    with pytest.raises(StreamError, match=r"none of 2 cameras delivered one; Camera 0 rtsp://.* refuses"):
        take_snapshot(wall, tmp_path / "wall.png", after_s=0.1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("path", "problem"), [("wall.gif", "got wall.gif"), ("absent/wall.png", "does not exist")])
def test_a_file_that_cannot_become_a_picture_is_refused(tmp_path: Path, path: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        format_of(tmp_path / path)


def test_a_path_that_is_a_folder_is_refused(make_wall: MakeWall, tmp_path: Path) -> None:
    wall, _ = make_wall(1)
    (tmp_path / "wall.png").mkdir()
    with pytest.raises(ConfigurationError, match=r"cannot write the snapshot .*wall\.png"):
        write_picture(wall.compose(), tmp_path / "wall.png")
    assert [file.name for file in tmp_path.iterdir()] == ["wall.png"]


def test_a_link_beside_the_snapshot_is_not_written_through(make_wall: MakeWall, tmp_path: Path) -> None:
    wall, _ = make_wall(1)
    precious = tmp_path / "precious"
    precious.write_text("keep me")
    (tmp_path / ".wall.png.part").symlink_to(precious)
    write_picture(wall.compose(), tmp_path / "wall.png")
    assert precious.read_text() == "keep me"
    assert (tmp_path / "wall.png").read_bytes().startswith(b"\x89PNG")
