"""One picture out of packets of real coders, checked against decoding all of them."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream

from nvr.core.errors import StreamError, UnsupportedError
from nvr.media.frame_at import decode_frame_at, nearest_packet
from nvr.media.parameters import StreamParameters
from tests.media.coded_media import START, Media, Recipe, make_video, read_media

RECIPES = {
    "h264": Recipe(seconds=3, gop=25),
    "h264 with B-frames": Recipe(seconds=3, gop=25, b_frames=3),
    "hevc with B-frames": Recipe(codec="hevc", seconds=3, gop=25, b_frames=3),
    "mjpeg": Recipe(codec="mjpeg", seconds=1),
    "h264 with sound": Recipe(seconds=3, gop=25, audio="aac"),
}


@pytest.fixture(scope="module", params=RECIPES, ids=lambda name: name.replace(" ", "-"))
def video(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    suffix = "avi" if request.param == "mjpeg" else "mp4"
    return make_video(tmp_path_factory.mktemp("video") / f"a.{suffix}", RECIPES[request.param])


def lumas(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]


def test_the_picture_is_the_one_that_decoding_all_gives(video: Path) -> None:
    media, pictures = read_media(video), lumas(video)
    shown = sorted(media.of_kind("video"), key=lambda packet: packet.pts)
    for number in (0, 1, 7, 24, 25, 26, len(shown) - 1):
        if number < len(shown):
            frame = decode_frame_at(3, media.packets, shown[number].captured_at)
            assert (frame.source_id, frame.captured_at) == (3, shown[number].captured_at)
            assert np.array_equal(frame.picture.to_ndarray(format="gray"), pictures[number])


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Media:
    return read_media(make_video(tmp_path_factory.mktemp("media") / "a.mp4", Recipe(seconds=3, gop=25)))


def test_between_two_pictures_the_nearest_is_taken(media: Media) -> None:
    third = media.of_kind("video")[3].captured_at
    for offset_ms in (-19, 0, 19):
        assert decode_frame_at(3, media.packets, third + timedelta(milliseconds=offset_ms)).captured_at == third


@pytest.mark.parametrize(("seconds", "number"), [(-5, 0), (60, 74)])
def test_a_time_before_or_after_all_is_the_first_or_last_picture(media: Media, seconds: float, number: int) -> None:
    expected = media.of_kind("video")[number]
    nearest = nearest_packet(media.packets, START + timedelta(seconds=seconds))
    assert nearest is expected
    assert decode_frame_at(3, media.packets, START + timedelta(seconds=seconds)).pts == expected.pts


def test_what_belongs_to_another_session_is_not_decoded(media: Media) -> None:
    later = [replace(packet, session=1) for packet in media.packets[40:]]
    with pytest.raises(StreamError, match=r"camera 3: the key frame before .* is not there any more"):
        decode_frame_at(3, [*media.packets[:40], *later], later[2].captured_at)


def test_without_video_there_is_no_picture() -> None:
    with pytest.raises(StreamError, match="camera 3: no video is there"):
        decode_frame_at(3, [], START)


def test_a_picture_that_is_garbage_is_an_error_that_names_the_camera(media: Media) -> None:
    noise: av.Packet[VideoStream] = av.Packet(b"\xff" * 200)  # type: ignore[assignment] # of no stream
    garbage = [replace(packet, coded=noise) for packet in media.packets[:10]]
    with pytest.raises(StreamError, match=r"camera 3: the picture of .* cannot be decoded"):
        decode_frame_at(3, garbage, garbage[5].captured_at)


def test_an_unknown_codec_is_an_error_that_names_it(media: Media) -> None:
    unknown = replace(media.packets[0], parameters=StreamParameters("video", "martian"))
    with pytest.raises(UnsupportedError, match=r"camera 3: .* no decoder for martian"):
        decode_frame_at(3, [unknown], START)


def test_the_packets_are_left_as_they_were(media: Media) -> None:
    before = [(packet.coded.pts, packet.coded.dts, bytes(packet.coded)) for packet in media.packets[:5]]
    decode_frame_at(3, media.packets[:5], START)
    assert [(packet.coded.pts, packet.coded.dts, bytes(packet.coded)) for packet in media.packets[:5]] == before
