import itertools

import numpy as np
from numpy.typing import NDArray

from nvr.detection.region_planner import RegionPlanner, RegionSettings

SIZE = (1280, 720)
CANVAS = (416, 416)
NOBODY: NDArray[np.float32] = np.empty((0, 4), np.float32)


def ground(seed: int) -> NDArray[np.uint8]:
    """A textured floor, always the same, under fresh noise."""
    floor = np.random.default_rng(1000).integers(80, 140, (9, 16)).repeat(20, 0).repeat(20, 1)
    return np.clip(floor + np.random.default_rng(seed).normal(0, 3, floor.shape), 0, 255).astype(np.uint8)


def with_walker(luma: NDArray[np.uint8], left: int) -> NDArray[np.uint8]:
    luma[80:130, left : left + 20] = 220
    return luma


def taught(n: int = 20, source_id: int = 0) -> RegionPlanner:
    planner = RegionPlanner(source_id, CANVAS, RegionSettings(full_look_every_s=1000))
    for i in range(n):
        planner.plan(ground(i), SIZE, NOBODY, 0.2 * i)
    return planner


def test_the_first_look_is_at_the_whole_frame() -> None:
    plan = RegionPlanner(3, CANVAS).plan(ground(0), SIZE, NOBODY, 5.0)
    assert plan.is_full_look
    assert plan.regions[0].xyxy_px == (0, 0, *SIZE)
    assert plan.regions[0].size_on_canvas_px(plan.regions[0].scale, CANVAS) == (416, 234)


def test_nothing_is_looked_at_while_nothing_moves() -> None:
    planner = taught()
    for i in range(20, 40):
        assert planner.plan(ground(i), SIZE, NOBODY, 0.2 * i).regions == ()


def test_what_moves_is_looked_at_with_a_margin() -> None:
    planner = taught()
    for i in range(20, 40):
        left = 40 + 6 * (i - 20)
        plan = planner.plan(with_walker(ground(i), left), SIZE, NOBODY, 0.2 * i)
        assert not plan.is_full_look
        (region,) = plan.regions
        assert region.xyxy_px[0] <= 4 * left - 40
        assert region.xyxy_px[1] <= 4 * 80 - 40
        assert region.xyxy_px[2] >= 4 * (left + 20) + 40
        assert region.xyxy_px[3] >= 4 * 130 + 40
        assert len(plan.motion_xyxy_px) == 1


def test_a_track_that_stands_is_looked_at_twice_a_second() -> None:
    planner = taught()
    standing = np.array([[400, 300, 460, 480]], np.float32)
    n_looks = sum(len(planner.plan(ground(i), SIZE, standing, 0.1 * i).regions) for i in range(100, 200))
    assert n_looks == 20


def test_cameras_look_at_whole_frames_at_times_of_their_own() -> None:
    times: dict[int, list[float]] = {}
    for source_id in range(4):
        planner = RegionPlanner(source_id, CANVAS)
        times[source_id] = [
            round(0.2 * i, 1) for i in range(200) if planner.plan(ground(i), SIZE, NOBODY, 0.2 * i).is_full_look
        ]
    later = [tuple(t for t in own if t > 0) for own in times.values()]
    assert all(len(own) in (3, 4) for own in later)
    assert all(abs(b - a - 10) < 0.3 for own in later for a, b in itertools.pairwise(own))
    assert len(set(later)) == 4
