from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import PictureType
from numpy.typing import NDArray

from nvr.core.errors import ConfigurationError, FrameError
from nvr.media.access_unit import VideoCodec
from nvr.media.encode import EncoderSettings, RateControl, encode_pictures
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


def coded_sizes(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return [packet.size for packet in container.demux(video=0) if packet.size]


def half_still_half_moving() -> list[NDArray[np.uint8]]:
    noise = np.random.default_rng(1).integers(0, 256, (40, 96, 160, 3)).astype(np.uint8)
    return [noise[0]] * 40 + list(noise)


def test_a_variable_rate_goes_with_what_moves_and_a_constant_one_does_not(tmp_path: Path) -> None:
    ratios: dict[RateControl, float] = {}
    controls: tuple[RateControl, ...] = ("vbr", "cbr")
    for control in controls:
        path = tmp_path / f"{control}.mp4"
        encode_pictures(
            half_still_half_moving(), path, EncoderSettings(160, 96, Fraction(25), 10.0, 900_000, rate_control=control)
        )
        sizes = coded_sizes(path)
        ratios[control] = sum(sizes[50:80]) / sum(sizes[10:40])
    assert ratios["vbr"] > 5 * ratios["cbr"]


@pytest.mark.parametrize("control", ["cbr", "vbr"])
def test_no_second_has_much_more_than_the_bit_rate(control: RateControl, tmp_path: Path) -> None:
    path = tmp_path / "loop.mp4"
    pictures = half_still_half_moving()[40:] * 2
    encode_pictures(pictures, path, EncoderSettings(160, 96, Fraction(25), 10.0, 900_000, rate_control=control))
    sizes = coded_sizes(path)
    assert max(sum(sizes[start : start + 25]) for start in range(25, 55)) * 8 < 1.3 * 900_000


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("has_open_gops", [False, True])
def test_b_frames_come_where_asked(codec: VideoCodec, has_open_gops: bool, tmp_path: Path) -> None:
    path = tmp_path / "loop.mp4"
    settings = EncoderSettings(160, 96, Fraction(25), 0.48, codec=codec, b_frames=2, has_open_gops=has_open_gops)
    encode_pictures(moving_bars(48), path, settings)
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    with av.open(str(path)) as container:
        kinds = "".join(PictureType(frame.pict_type).name for frame in container.decode(video=0))
    assert len(kinds) == 48
    assert kinds.startswith("IBBPBBP")
    assert [packet.pts for packet in packets] != sorted(packet.pts or 0 for packet in packets)
    before_second_key = kinds[kinds.index("I", 1) - 1]
    assert before_second_key == ("B" if has_open_gops else "P")


def test_refuses_b_frames_that_cannot_be() -> None:
    fps = Fraction(25)
    with pytest.raises(ConfigurationError, match=r"expected 0 to 4 B-frames, .* got 5"):
        EncoderSettings(160, 96, fps, b_frames=5)
    with pytest.raises(ConfigurationError, match="some where GOPs are open, got 0"):
        EncoderSettings(160, 96, fps, has_open_gops=True)
