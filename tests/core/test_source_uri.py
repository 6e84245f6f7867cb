"""Which addresses are files and devices."""

from pathlib import Path

import pytest

from nvr.core.source_uri import device_path, file_path, is_device, is_file


@pytest.mark.parametrize(
    ("uri", "answer"),
    [
        ("video.mp4", True),
        ("/videos/a b.mp4", True),
        ("file:///videos/a%20b.mp4", True),
        ("rtsp://host/1", False),
        ("rtmps://user:pass@host/1", False),
        ("ftp://host/1", False),
        ("/dev/video0", False),
        ("v4l2:///dev/video0", False),
    ],
)
def test_tells_files_from_what_is_on_the_network_and_devices(uri: str, answer: bool) -> None:
    assert is_file(uri) is answer


def test_a_file_uri_is_a_path() -> None:
    assert file_path("file:///videos/a%20b.mp4") == Path("/videos/a b.mp4")


@pytest.mark.parametrize("uri", ["/dev/video0", "v4l2:///dev/video0", "V4L2:///dev/video0"])
def test_a_device_has_two_names(uri: str) -> None:
    assert is_device(uri)
    assert device_path(uri) == "/dev/video0"
