"""Thumbnails of real coded media, read back by OpenCV."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

from nvr.core.errors import StreamError
from nvr.media.frame_at import decode_frame_at
from nvr.media.packet import MediaPacket
from nvr.media.packet_ring import PacketRing
from nvr.media.parameters import StreamParameters
from nvr.media.thumbnail import newest_thumbnail, shrink
from tests.media.coded_media import Media, Recipe, make_video, read_media


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Media:
    return read_media(make_video(tmp_path_factory.mktemp("media") / "a.mp4", Recipe(seconds=3, gop=25, audio="aac")))


def ring_of(packets: Sequence[MediaPacket]) -> PacketRing:
    ring = PacketRing()
    ring.extend(packets)
    return ring


def read_back(jpeg: bytes | None) -> np.ndarray:
    assert jpeg is not None
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture


def test_the_newest_key_frame_is_shown(media: Media) -> None:
    keys = [packet for packet in media.packets if packet.starts_gop]
    until = media.packets.index(keys[1])
    expected = decode_frame_at(3, media.packets, keys[1].captured_at).to_bgr()
    shown = read_back(newest_thumbnail(3, ring_of(media.packets[: until + 5]), 10_000))
    assert shown.shape == expected.shape
    assert np.abs(shown.astype(int) - expected).mean() < 6


@pytest.mark.parametrize("width_px", [64, 65, 100])
def test_the_picture_is_as_small_as_asked_for_and_keeps_its_shape(media: Media, width_px: int) -> None:
    frame = decode_frame_at(3, media.packets, media.packets[0].captured_at)
    small = read_back(newest_thumbnail(3, ring_of(media.packets), width_px))
    assert small.shape[1] == width_px // 2 * 2
    assert abs(small.shape[0] - frame.height * small.shape[1] / frame.width) <= 1


def test_a_small_picture_is_not_blown_up(media: Media) -> None:
    frame = decode_frame_at(3, media.packets, media.packets[0].captured_at)
    assert shrink(frame, frame.width) is frame


def test_without_a_key_frame_there_is_no_picture(media: Media) -> None:
    assert newest_thumbnail(3, PacketRing(), 64) is None
    assert newest_thumbnail(3, ring_of([packet for packet in media.packets if not packet.starts_gop][:5]), 64) is None


def test_what_cannot_be_decoded_is_an_error_of_that_camera(media: Media) -> None:
    key = next(packet for packet in media.packets if packet.starts_gop)
    broken = replace(key, parameters=StreamParameters("video", "hevc", width_px=64, height_px=48))
    with pytest.raises(StreamError, match="camera 3"):
        newest_thumbnail(3, ring_of([broken]), 64)
