"""A textured floor under a sensor's noise, lit, shaken and walked on; the last tests are real video."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from bench._multiplex_cameras import PETS, STADTMITTE, Video, open_video
from bench._multiplex_motion import coverage
from bench._multiplex_ways import open_detector
from numpy.typing import NDArray

from nvr.core.errors import FrameError
from nvr.detection.motion_finder import Motion, MotionFinder, allowed_by, find_moving
from nvr.detection.scene import shake_between

Luma = NDArray[np.uint8]


def floor(dx: float = 0, dy: float = 0) -> NDArray[np.float32]:
    """Texture with edges, seen by a camera that is moved by some pixels."""
    rng = np.random.default_rng(7)
    tiles = rng.integers(60, 180, (30, 50)).astype(np.float32).repeat(8, 0).repeat(8, 1)
    tiles += rng.normal(0, 6, tiles.shape)
    shift = np.array([[1, 0, dx - 20], [0, 1, dy - 20]], np.float32)
    return cv2.warpAffine(cv2.GaussianBlur(tiles, (3, 3), 0), shift, (320, 180)).astype(np.float32)


def picture(seed: int, ground: NDArray[np.float32], noise: float = 3) -> Luma:
    return np.clip(ground + np.random.default_rng(seed).normal(0, noise, ground.shape), 0, 255).astype(np.uint8)


def with_walker(luma: Luma, left: int, top: int = 60, width: int = 14, height: int = 40) -> Luma:
    luma[top : top + height, left : left + width] = 230
    return luma


def taught(n: int = 25, **options: list[list[tuple[float, float]]]) -> MotionFinder:
    finder = MotionFinder(**options)
    for seed in range(n):
        finder.look(picture(seed, floor()))
    return finder


def covers(motion: Motion, box: tuple[int, int, int, int]) -> bool:
    seen = np.zeros((180, 320), np.bool_)
    for left, top, right, bottom in motion.xyxy_px.astype(int):
        seen[top:bottom, left:right] = True
    return bool(seen[box[1] : box[3], box[0] : box[2]].mean() > 0.9)


@pytest.mark.parametrize("noise", [0, 2, 4, 6])
def test_the_noise_of_a_sensor_is_no_motion(noise: float) -> None:
    finder = MotionFinder()
    counts = [len(finder.look(picture(seed, floor(), noise)).xyxy_px) for seed in range(60)]
    assert sum(counts[15:]) == 0


def test_the_first_picture_is_a_new_scene_and_so_is_one_of_another_size() -> None:
    finder = MotionFinder()
    assert finder.look(picture(0, floor())).is_new_scene
    assert not finder.look(picture(1, floor())).is_new_scene
    assert finder.look(np.zeros((90, 160), np.uint8)).is_new_scene


def test_a_walker_is_covered_in_each_picture() -> None:
    finder = taught()
    for step in range(30):
        left = 10 + 9 * step
        motion = finder.look(with_walker(picture(100 + step, floor()), left))
        assert covers(motion, (left, 60, left + 14, 100))


def test_the_small_and_the_slow_are_noticed() -> None:
    finder = taught()
    for step in range(40):
        left = 200 + step // 2
        motion = finder.look(with_walker(picture(100 + step, floor()), left, 30, 5, 11))
        assert covers(motion, (left, 30, left + 5, 41)) or step < 2


def test_a_lamp_that_is_switched_is_a_new_scene_once_and_nothing_moves_after_it() -> None:
    finder = taught()
    lit = floor() * 0.4
    answers = [finder.look(picture(100 + step, lit)) for step in range(10)]
    assert [answer.is_new_scene for answer in answers] == [True] + [False] * 9
    assert sum(len(answer.xyxy_px) for answer in answers) == 0


def test_light_on_a_part_of_the_picture_is_a_new_scene_and_no_flood() -> None:
    finder = taught()
    lit = floor()
    lit[:, 160:] = lit[:, 160:] * 0.5 + 120
    answers = [finder.look(picture(100 + step, lit)) for step in range(10)]
    assert sum(answer.is_new_scene for answer in answers) == 1
    assert sum(len(answer.xyxy_px) for answer in answers) == 0


@pytest.mark.parametrize("step_px", [1, 3, 6])
def test_a_shaking_camera_floods_nothing_and_still_sees_the_walker(step_px: int) -> None:
    finder = taught()
    rng = np.random.default_rng(5)
    covered, share = 0, []
    for step in range(40):
        dx, dy = rng.integers(-step_px, step_px + 1, 2)
        left = 10 + 7 * step
        motion = finder.look(with_walker(picture(100 + step, floor(dx, dy)), left))
        covered += covers(motion, (left, 60, left + 14, 100))
        seen = np.zeros((180, 320), np.bool_)
        for x0, y0, x1, y1 in motion.xyxy_px.astype(int):
            seen[y0:y1, x0:x1] = True
        share.append(seen.mean())
        assert not motion.is_new_scene
    assert covered >= 36
    assert np.mean(share) < 0.08


def test_a_camera_that_is_turned_for_good_settles() -> None:
    finder = taught()
    for step in range(40):
        motion = finder.look(picture(100 + step, floor(9, -5)))
    assert len(motion.xyxy_px) == 0


def test_the_shift_of_a_picture_is_measured_and_that_of_another_scene_is_not() -> None:
    assert shake_between(picture(1, floor()), picture(2, floor(6, -4))) == (6, -4)
    other = np.random.default_rng(3).integers(0, 255, (180, 320), np.uint8)
    assert shake_between(picture(1, floor()), other) is None
    assert shake_between(np.zeros((3, 3), np.uint8), np.ones((3, 3), np.uint8)) is None


def test_motion_under_a_mask_does_not_count() -> None:
    half = [[(0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)]]
    finder = taught(masks=half)
    assert len(finder.look(with_walker(picture(99, floor()), 250)).xyxy_px) == 0
    assert len(finder.look(with_walker(picture(98, floor()), 60)).xyxy_px) == 1
    allowed = allowed_by(half, (180, 320))
    assert allowed[:, :159].all()
    assert not allowed[:, 161:].any()


def test_specks_are_nothing_and_the_largest_of_very_many_are_kept() -> None:
    foreground = np.zeros((180, 320), np.uint8)
    foreground[::7, ::7] = 1
    assert find_moving(foreground, np.ones_like(foreground)) == []
    for top in range(2, 170, 16):
        for left in range(2, 310, 16):
            foreground[top : top + 6, left : left + 6] = 1
    assert len(find_moving(foreground, np.ones_like(foreground))) <= 64
    assert find_moving(foreground, np.zeros_like(foreground)) == []


@pytest.mark.parametrize("luma", [np.zeros((0, 4), np.uint8), np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4))])
def test_refuses_what_is_no_grey_picture(luma: Luma) -> None:
    with pytest.raises(FrameError, match=r"luma: expected \(h, w\) uint8"):
        MotionFinder().look(luma)


@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (300, 2), (7, 5), (181, 319)])
def test_any_size_of_picture_is_taken(shape: tuple[int, int]) -> None:
    finder = MotionFinder()
    for seed in range(4):
        motion = finder.look(np.random.default_rng(seed).integers(0, 256, shape, np.uint8))
        assert (motion.xyxy_px >= 0).all()
        assert (motion.xyxy_px <= [shape[1], shape[0]] * 2).all()


@pytest.mark.assets
@pytest.mark.parametrize("video", [PETS, STADTMITTE], ids=["pets", "tud_stadtmitte"])
def test_motion_covers_the_real_persons_that_move(assets_dir: Path, video: Video) -> None:
    camera = open_video(assets_dir, video, "camera", most_s=20)
    detector, _ = open_detector(assets_dir, 0.5, leaves_out_rows=True)
    row = coverage("camera", [camera], detector)
    assert row.value >= 0.99, row
