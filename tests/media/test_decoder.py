"""One decoder: devices that are not there, uncompressed video, and what a device that fails leaves."""

import logging
from pathlib import Path

import av
import numpy as np
import pytest

from nvr.core.errors import ConfigurationError, StreamError
from nvr.media.decoder import MAX_BROKEN_IN_A_ROW, VideoDecoder, hwaccel_choices
from nvr.media.packet import MediaPacket
from tests.media.clips import FPS, make_clip, read_packets
from tests.media.packets import make_packet


@pytest.fixture(scope="module")
def packets(tmp_path_factory: pytest.TempPathFactory) -> list[MediaPacket]:
    return read_packets(make_clip(tmp_path_factory.mktemp("clips") / "a.mp4", 50))


def decode_all(decoder: VideoDecoder, packets: list[MediaPacket]) -> list[int]:
    pictures = [picture for packet in packets for picture in decoder.decode(packet)] + decoder.drain()
    return [round(picture.packet.media_s * FPS) for picture in pictures]


@pytest.mark.parametrize("device", ["vaapi", "videotoolbox", "d3d11va"])
def test_a_device_that_this_build_has_not_falls_back_with_one_warning(
    packets: list[MediaPacket], device: str, caplog: pytest.LogCaptureFixture
) -> None:
    decoder = VideoDecoder("rtsp://***@cam/1", hwaccel=device)
    with caplog.at_level(logging.WARNING):
        assert decode_all(decoder, packets) == list(range(50))
        decoder.restart()
        later = [packet for packet in packets if packet.sequence < 25]
        assert len(decode_all(decoder, later)) == 25
    assert decoder.device is None
    assert caplog.messages == [f"rtsp://***@cam/1: {device} cannot decode h264 here, the CPU does"]


def test_auto_decodes_wherever_it_runs(packets: list[MediaPacket], caplog: pytest.LogCaptureFixture) -> None:
    decoder = VideoDecoder("cam", hwaccel="auto")
    with caplog.at_level(logging.WARNING):
        assert decode_all(decoder, packets) == list(range(50))
    assert (decoder.device is None) == (len(caplog.messages) == 1), "a device, or one warning"


def test_the_cpu_is_no_reason_for_a_warning(packets: list[MediaPacket], caplog: pytest.LogCaptureFixture) -> None:
    decode_all(VideoDecoder("cam"), packets)
    assert caplog.messages == []


def test_what_is_no_device_is_refused_with_all_that_are() -> None:
    with pytest.raises(ConfigurationError, match=r"hwaccel 'abacus': expected one of auto, none, .*cuda.*vaapi"):
        VideoDecoder("cam", hwaccel="abacus")
    assert {"auto", "none", "cuda", "vaapi", "qsv"} <= set(hwaccel_choices())


def test_uncompressed_video_as_usb_cameras_send_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "yuyv.nut"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("rawvideo", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuyv422"
        for grey in range(10):
            picture = np.full((48, 64, 3), 20 * grey, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format="yuyv422")))
        container.mux(stream.encode(None))
    raw = read_packets(path)
    decoder = VideoDecoder("usb")
    pictures = [picture for packet in raw for picture in decoder.decode(packet)]
    assert len(pictures) == 10
    means = [float(picture.picture.to_ndarray(format="bgr24").mean()) for picture in pictures]
    assert means == pytest.approx([20 * grey for grey in range(10)], abs=3)


def test_a_decoder_that_only_refuses_is_made_anew(packets: list[MediaPacket]) -> None:
    decoder = VideoDecoder("cam")
    decoder.decode(packets[0])
    garbage = [make_packet(sequence, is_keyframe=True, size_bytes=50) for sequence in range(1, MAX_BROKEN_IN_A_ROW + 2)]
    with pytest.raises(StreamError, match="250 packets in a row cannot be decoded"):
        decode_all(decoder, garbage)
    decoder.restart()
    assert decode_all(decoder, packets) == list(range(50))
