"""What a command line names and is not there is refused at once, before anything starts."""

import os
from pathlib import Path

import pytest

from nvr.cli.named_paths import check_sources
from nvr.core.errors import ConfigurationError
from tests.cli.conftest import Nvr


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "entrance.mp4").touch()
    (tmp_path / "dir").mkdir()
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


@pytest.mark.parametrize("command", ["up", "processor", "wall"])
@pytest.mark.parametrize(
    ("uri", "sentence"),
    [
        ("bogus", "bogus is neither an address, such as rtsp://host/path, nor a file\n"),
        ("entrence.mp4", "nor a file, did you mean entrance.mp4?"),
        ("file:///no/such%20file.mp4", "file:///no/such%20file.mp4 is neither"),
        ("dir", "dir is a folder, not a video file"),
        ("pipe", "pipe is a pipe, socket or device, not a video file"),
        ("rtsp:/user:hunter2@192.0.2.1/a", "***@192.0.2.1/a is neither"),
        ("a" * 300, "cannot be opened: File name too long"),
    ],
)
def test_what_is_neither_an_address_nor_a_file_is_refused(nvr: Nvr, command: str, uri: str, sentence: str) -> None:
    ended = nvr(command, uri, "rtsp://127.0.0.1:1/a")
    assert ended.returncode == 2
    assert sentence in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert "hunter2" not in ended.stderr


def test_addresses_devices_and_files_are_taken(folder: Path) -> None:
    check_sources(["rtsp://h/1", "/dev/video9", "v4l2:///dev/video9", "entrance.mp4", f"file://{folder}/entrance.mp4"])


@pytest.mark.parametrize("command", ["up", "processor"])
@pytest.mark.parametrize("name", ["absent", "entrance.mp4"])
def test_a_folder_to_record_into_that_is_not_there_is_refused(nvr: Nvr, command: str, name: str) -> None:
    ended = nvr(command, "rtsp://127.0.0.1:1/a", "--recordings", name)
    assert ended.returncode == 2
    assert f"--recordings: {name} is no folder: make it, or mount its disk, first" in ended.stderr


def test_a_file_that_others_may_not_see_is_refused(folder: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may see everything")
    (folder / "dir").chmod(0)
    with pytest.raises(ConfigurationError, match="cannot be opened: Permission denied"):
        check_sources(["dir/a.mp4"])
