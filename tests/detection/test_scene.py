import numpy as np
from numpy.typing import NDArray

from nvr.detection.scene import Scene

SHAPE = (90, 160)


def ground(seed: int = 0, level: int = 100) -> NDArray[np.uint8]:
    """Grey with the noise of a sensor."""
    noise = np.random.default_rng(seed).normal(level, 2, SHAPE)
    return np.clip(noise, 0, 255).astype(np.uint8)


def with_block(luma: NDArray[np.uint8], left: int, value: int = 200) -> NDArray[np.uint8]:
    luma[30:60, left : left + 20] = value
    return luma


def taught(n: int = 20) -> Scene:
    scene = Scene(ground())
    for seed in range(1, n):
        luma = ground(seed)
        scene.compare(luma)
        scene.learn(luma, np.zeros(SHAPE, np.uint8))
    return scene


def test_noise_alone_is_background() -> None:
    foreground, _ = taught().compare(ground(99))
    assert foreground.mean() < 0.001


def test_a_block_is_foreground_and_recent_exactly_where_it_is() -> None:
    foreground, recent = taught().compare(with_block(ground(99), 40))
    inside = np.zeros(SHAPE, np.bool_)
    inside[30:60, 40:60] = True
    assert foreground[inside].all()
    assert recent[inside].all()
    assert foreground[~inside].mean() < 0.001


def test_what_does_not_change_ceases_to_be_recent() -> None:
    scene = taught()
    for seed in range(30):
        luma = with_block(ground(seed), 40)
        _, recent = scene.compare(luma)
        scene.learn(luma, np.ones(SHAPE, np.uint8))
    assert recent[30:60, 40:60].mean() < 0.1


def test_what_has_come_to_rest_is_learnt_and_what_moves_is_not() -> None:
    for moves, is_still_seen in ((False, False), (True, True)):
        scene = taught()
        mask = np.full(SHAPE, int(moves), np.uint8)
        for seed in range(60):
            luma = with_block(ground(seed), 40)
            foreground, _ = scene.compare(luma)
            scene.learn(luma, mask)
        assert bool(foreground[30:60, 40:60].mean() > 0.9) == is_still_seen


def test_a_light_switch_is_learnt_at_once() -> None:
    scene = taught()
    dark = (ground(50) // 4).astype(np.uint8)
    foreground, _ = scene.compare(dark)
    assert not foreground.any()
    assert scene.compare(dark)[0].mean() < 0.001


def test_a_camera_that_has_turned_is_learnt_at_once() -> None:
    scene = taught()
    turned = ground(50)
    turned[:, ::2] += 60
    turned[:, 1::2] -= 40
    assert not scene.compare(turned)[0].any()
    assert scene.compare(turned)[0].mean() < 0.001


def test_an_exposure_step_is_no_motion_but_an_object_on_it_is() -> None:
    foreground, _ = taught().compare(with_block(ground(99, level=115), 40))
    assert foreground[30:60, 40:60].all()
    assert foreground.mean() < 0.06


def test_a_place_that_always_flickers_is_left_out() -> None:
    scene = taught()
    for seed in range(200):
        luma = with_block(ground(seed), 100, value=60 if seed % 2 else 160)
        foreground, _ = scene.compare(luma)
        scene.learn(luma, foreground)
    assert foreground.mean() < 0.001
    assert scene.compare(with_block(ground(1), 20))[0][30:60, 20:40].all()
