"""Fragmented MP4 made of real packets: what it plays, what a crash leaves, and what a broken disk does to it."""

import io
from pathlib import Path

import av
import pytest

from nvr.media.fragment_writer import FragmentWriter
from tests.media.coded_media import Media, Recipe, make_video, read_media


def write_all(media: Media, *, fragment_s: float = 0.5) -> bytes:
    file = io.BytesIO()
    writer = FragmentWriter(file, media.video, media.audio, fragment_s=fragment_s)
    for packet in media.packets:
        writer.write(packet)
    writer.close()
    assert writer.bytes_written == len(file.getvalue())
    return file.getvalue()


def decoded(content: bytes, kind: str = "video") -> int:
    with av.open(io.BytesIO(content), "r") as container:
        return sum(1 for _ in (container.decode(video=0) if kind == "video" else container.decode(audio=0)))


@pytest.mark.parametrize("codec", ["h264", "hevc", "mjpeg"])
def test_every_picture_of_the_camera_is_in_the_file(tmp_path: Path, codec: str) -> None:
    media = read_media(make_video(tmp_path / "a.mp4", Recipe(codec=codec)))
    assert decoded(write_all(media)) == len(media.packets)
