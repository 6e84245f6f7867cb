from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from nvr.core.errors import ConfigurationError, FrameError
from nvr.media.access_unit import VideoCodec
from nvr.media.encode import EncoderSettings, encode_pictures
from nvr.media.packet_file import read_loop


def moving_bars(count: int, width_px: int = 160, height_px: int = 96) -> list[NDArray[np.uint8]]:
    row = (np.arange(width_px) * 3 % 256).astype(np.uint8)
    picture = np.repeat(np.tile(row, (height_px, 1))[..., np.newaxis], 3, axis=2)
    return [np.roll(picture, index * 4, axis=1) for index in range(count)]


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_codes_at_the_asked_rate_with_key_frames_where_asked(codec: VideoCodec, tmp_path: Path) -> None:
    path = tmp_path / "loop.mp4"
    encode_pictures(moving_bars(50), path, EncoderSettings(160, 96, Fraction(25), 0.4, codec=codec))
    loop = read_loop(path)
    assert (loop.codec, loop.width_px, loop.height_px, loop.fps) == (codec, 160, 96, 25.0)
    assert [unit.pts_90k for unit in loop.units] == [index * 3600 for index in range(50)]
    assert [index for index, unit in enumerate(loop.units) if unit.is_keyframe] == [0, 10, 20, 30, 40]
    assert loop.duration_90k == 50 * 3600
    assert bool(loop.parameter_sets.vps) == (codec == "hevc")
    assert all(unit.nals for unit in loop.units)


def test_a_fractional_rate_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "loop.mp4"
    encode_pictures(moving_bars(60), path, EncoderSettings(160, 96, Fraction(30000, 1001)))
    loop = read_loop(path)
    assert loop.duration_90k == pytest.approx(60 * 3003, abs=2)


def test_pictures_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "loop.mp4"
    pictures = moving_bars(10)
    encode_pictures(pictures, path, EncoderSettings(160, 96, Fraction(25), bitrate_bps=4_000_000))
    with av.open(str(path)) as container:
        decoded = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    differences = [
        float(np.abs(a.astype(np.int16) - b.astype(np.int16)).mean()) for a, b in zip(pictures, decoded, strict=True)
    ]
    assert max(differences) < 12


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    pictures = [*moving_bars(5), np.zeros((10, 10, 3), np.uint8)]
    with pytest.raises(FrameError, match=r"expected a picture of shape \(96, 160, 3\), got \(10, 10, 3\)"):
        encode_pictures(pictures, tmp_path / "loop.mp4", EncoderSettings(160, 96, Fraction(25)))
    assert list(tmp_path.iterdir()) == []


def test_the_bit_rate_goes_by_the_size_unless_told() -> None:
    fps = Fraction(25)
    assert EncoderSettings(1280, 720, fps).target_bps == 2_000_000
    assert EncoderSettings(160, 96, fps).target_bps == 500_000
    assert EncoderSettings(160, 96, fps, bitrate_bps=123_000).target_bps == 123_000


@pytest.mark.parametrize(
    ("width_px", "height_px", "fps", "gop_s", "message"),
    [
        (161, 96, 25, 1.0, "even picture size of at least 16x16 px, got 161x96"),
        (160, 0, 25, 1.0, "got 160x0"),
        (160, 96, 0, 1.0, "0 < fps"),
        (160, 96, 25, 0.0, "gop > 0 s"),
    ],
)
def test_refuses_what_cannot_be_coded(width_px: int, height_px: int, fps: int, gop_s: float, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        EncoderSettings(width_px, height_px, Fraction(fps), gop_s)
