"""Motion in a coarse grid of the luma: noise, light and shake against people."""

import numpy as np
import pytest

from nvr.media.motion_gate import GRID_COLUMNS, Grid, MotionGate, grid_of

SHAPE = (90, 160)


def noisy(scene: Grid, sigma: float, seed: int) -> Grid:
    noise = np.random.default_rng(seed).normal(0, sigma, scene.shape)
    return (scene + noise).clip(0, 255).astype(np.uint8)


def street(seed: int = 1) -> Grid:
    return np.random.default_rng(seed).integers(40, 200, SHAPE).astype(np.uint8)


def gate_with(scene: Grid, sigma: float) -> MotionGate:
    """Return a gate that has seen the quiet scene for a while."""
    gate = MotionGate()
    gate.refer_to(noisy(scene, sigma, 0))
    for seed in range(1, 30):
        assert not gate.is_moving(noisy(scene, sigma, seed)), f"picture {seed}"
    return gate


@pytest.mark.parametrize("sigma", [0.0, 1.5, 3.0, 6.0])
def test_noise_is_not_motion_but_a_person_is(sigma: float) -> None:
    scene = street()
    gate = gate_with(scene, sigma)
    with_person = scene.copy()
    with_person[40:48, 80:84] = 255 - with_person[40:48, 80:84] // 2  # 64 x 32 px in 720p
    assert gate.is_moving(noisy(with_person, sigma, 99))
    assert not gate.is_moving(noisy(scene, sigma, 100))


def test_scattered_specks_are_not_motion_whatever_their_number() -> None:
    scene = street()
    gate = gate_with(scene, 1.5)
    specks = scene.copy()
    specks[::9, ::9] ^= 0x80
    assert not gate.is_moving(specks)


def test_a_slow_change_of_light_is_not_motion() -> None:
    scene = street()
    gate = gate_with(scene, 1.5)
    assert not gate.is_moving(noisy((scene + 4).astype(np.uint8), 1.5, 7))


def test_without_a_reference_or_with_one_of_another_size_everything_may_have_moved() -> None:
    gate = MotionGate()
    assert not gate.has_reference
    assert gate.is_moving(street())
    gate.refer_to(street())
    assert gate.is_moving(np.zeros((45, 80), np.uint8))
    gate.forget()
    assert not gate.has_reference


def test_a_picture_smaller_than_a_cell_can_still_be_compared() -> None:
    gate = MotionGate()
    gate.refer_to(np.zeros((3, 4), np.uint8))
    assert not gate.is_moving(np.zeros((3, 4), np.uint8))
    assert gate.is_moving(np.full((3, 4), 200, np.uint8))


@pytest.mark.parametrize(
    ("width", "height", "stride"),
    [
        (1280, 720, 1280),
        (1280, 720, 1344),
        (1920, 1080, 1920),
        (640, 360, 640),
        (320, 180, 352),
        (96, 54, 96),
        (1366, 768, 1376),
        (1, 1, 32),
        (7680, 4320, 7680),
        (2560, 1440, 2563),
    ],
)
def test_a_grid_holds_true_pixels_from_all_over_the_picture(width: int, height: int, stride: int) -> None:
    plane = np.zeros((height, stride), np.uint8)
    plane[:, :width] = (
        np.add.outer(np.arange(height) % 7, np.arange(width) * 200 // max(1, width)).astype(np.uint8) + 10
    )
    grid = grid_of(plane, width, height)
    assert grid.flags.c_contiguous
    assert 1 <= grid.shape[1] < 2 * GRID_COLUMNS
    assert grid.min() >= 10, "padding beside the picture is no part of it"
    if width > 100:
        assert int(grid[0, -1]) - int(grid[0, 0]) > 180
    plane[:] = 0
    assert grid.min() >= 10, "it is a copy"
