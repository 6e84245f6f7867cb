"""Pictures of cameras that show nothing, and of such that only seem to."""

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from nvr.media.encode import EncoderSettings, encode_pictures
from nvr.media.picture_health import FROZEN_AFTER_S, PLAIN_AFTER_S, PictureHealth, PictureState

Luma = NDArray[np.uint8]
SHAPE = (180, 320)
RNG = np.random.default_rng(1)
SCENE = RNG.integers(40, 220, SHAPE, dtype=np.uint8).repeat(2, 0).repeat(2, 1)[: SHAPE[0], : SHAPE[1]].copy()


def noisy(scene: Luma, sigma: float) -> Luma:
    noisy_scene: Luma = np.clip(RNG.normal(scene, sigma).round(), 0, 255).astype(np.uint8)
    return noisy_scene


def level(grey: int, shape: tuple[int, int] = SHAPE) -> Luma:
    return np.full(shape, grey, np.uint8)


def with_clock(picture: Luma, second: int) -> Luma:
    """Draw the two digits of the seconds as a camera does, white on black."""
    shown = picture.copy()
    shown[4:14, 4:20] = 16
    shown[5:13, 5 + second % 7 : 12 + second % 7] = 235
    return shown


def states(pictures: Iterable[Luma], every_s: float = 1.0) -> list[PictureState]:
    health = PictureHealth()
    return [health.look(picture, 100 + every_s * i).state for i, picture in enumerate(pictures)]


@pytest.mark.parametrize(
    "picture",
    [
        lambda _: level(16),
        lambda _: level(0),
        lambda _: noisy(level(18), 3.0),
        lambda i: with_clock(level(16), i),
    ],
    ids=["video", "jpeg", "noise of a covered sensor", "with a clock"],
)
def test_black_is_told_after_some_seconds(picture: Callable[[int], Luma]) -> None:
    seen = states(picture(i) for i in range(10))
    assert seen[: int(PLAIN_AFTER_S)] == [PictureState.GOOD] * int(PLAIN_AFTER_S)
    assert seen[int(PLAIN_AFTER_S) :] == [PictureState.BLACK] * (10 - int(PLAIN_AFTER_S))


@pytest.mark.parametrize("grey", [46, 128, 150, 255])
def test_one_even_grey_is_no_picture(grey: int) -> None:
    assert states(with_clock(noisy(level(grey), 1.0), i) for i in range(10))[-1] is PictureState.EVEN


def test_a_night_scene_with_a_lamp_is_not_black() -> None:
    night = level(18)
    night[40:80, 100:160] = 90
    assert set(states(noisy(night, 2.0) for _ in range(30))) == {PictureState.GOOD}


def test_a_moment_of_black_is_none() -> None:
    assert set(states([*[SCENE] * 3, *[level(16)] * 4, *[SCENE] * 3])) == {PictureState.GOOD}


def test_the_same_picture_for_long_is_frozen_and_the_next_one_is_not() -> None:
    health = PictureHealth()
    seen = [health.look(SCENE, float(i)) for i in range(21)]
    assert [verdict.state for verdict in seen[: int(FROZEN_AFTER_S)]] == [PictureState.GOOD] * int(FROZEN_AFTER_S)
    assert seen[-1].state is PictureState.FROZEN
    assert seen[-1].reason == "the picture has not changed for 20 s"
    assert health.look(noisy(SCENE, 1.0), 21.0).state is PictureState.GOOD


def test_a_clock_that_runs_on_does_not_make_a_still_picture_live() -> None:
    assert states(with_clock(SCENE, i) for i in range(20))[-1] is PictureState.FROZEN


@pytest.mark.parametrize("sigma", [0.4, 1.2])
def test_the_noise_of_a_sensor_shows_that_a_still_scene_lives(sigma: float) -> None:
    assert set(states(noisy(SCENE, sigma) for _ in range(60))) == {PictureState.GOOD}


def test_a_small_thing_that_moves_in_a_drawn_scene_shows_that_it_lives() -> None:
    def drawn(i: int) -> Luma:
        scene = SCENE.copy()
        scene[80:94, 3 * i : 3 * i + 20] = 255
        return scene

    assert set(states(drawn(i) for i in range(60))) == {PictureState.GOOD}


def test_few_pictures_do_not_suffice() -> None:
    assert set(states([SCENE] * 3, every_s=20.0)) == {PictureState.GOOD}


def test_another_size_or_a_new_connection_begins_anew() -> None:
    health = PictureHealth()
    for i in range(20):
        health.look(SCENE, float(i))
    assert health.look(SCENE[:90], 20.0).state is PictureState.GOOD
    for i in range(20):
        health.look(SCENE, 30.0 + i)
    health.forget()
    assert health.look(SCENE, 51.0).state is PictureState.GOOD


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (45, 80), (4320, 7680)])
def test_any_size_will_do(shape: tuple[int, int]) -> None:
    assert states(level(16, shape) for _ in range(8))[-1] is PictureState.BLACK


def seconds_of(path: Path) -> list[Luma]:
    """Decode a file to the luma of a picture each second."""
    pictures = []
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "NONE"
        next_s = 0.0
        for frame in container.decode(video=0):
            if (frame.time or 0.0) >= next_s:
                pictures.append(frame.to_ndarray(format="gray").astype(np.uint8))
                next_s += 1.0
    return pictures


@pytest.mark.parametrize(("sigma", "expected"), [(0.0, PictureState.FROZEN), (0.7, PictureState.GOOD)])
def test_a_coder_hides_neither_the_noise_nor_its_absence(tmp_path: Path, sigma: float, expected: PictureState) -> None:
    coarse = RNG.integers(40, 220, (9, 16), dtype=np.uint8).repeat(20, 0).repeat(20, 1)
    scene = np.repeat(coarse[:, :, None], 3, axis=2)
    pictures = (noisy(scene, sigma) if sigma else scene for _ in range(5 * 20))
    encode_pictures(pictures, tmp_path / "a.mp4", EncoderSettings(320, 180, Fraction(5), bitrate_bps=1_000_000))
    assert states(seconds_of(tmp_path / "a.mp4"))[-1] is expected


@pytest.mark.assets
def test_real_scenes_live(assets_dir: Path) -> None:
    seen = states(seconds_of(assets_dir / "videos" / "bottle-detection.mp4"))
    assert len(seen) > FROZEN_AFTER_S
    assert set(seen) == {PictureState.GOOD}
