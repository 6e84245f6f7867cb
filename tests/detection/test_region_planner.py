import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from nvr.core.errors import InvalidInputError
from nvr.detection.region_planner import RegionPlanner, RegionSettings
from nvr.detection.regions import Region

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


def test_cameras_that_begin_together_look_at_their_whole_frames_one_after_another() -> None:
    first: list[float] = []
    for source_id in range(8):
        planner = RegionPlanner(source_id, CANVAS, begins_in_turn=True)
        first += [0.01 * i for i in range(60) if planner.plan(ground(i), SIZE, NOBODY, 0.01 * i).is_full_look]
    assert len(first) == 8, "each once"
    assert max(first) <= 0.5
    assert all(later - earlier >= 0.04 for earlier, later in itertools.pairwise(sorted(first)))


def test_what_is_tracked_is_looked_at_before_the_turn_of_the_whole_frame() -> None:
    planner = RegionPlanner(3, CANVAS, begins_in_turn=True)
    plan = planner.plan(ground(0), SIZE, np.array([[400, 300, 460, 480]], np.float32), 0.0)
    assert len(plan.regions) == 1
    assert not plan.is_full_look


def test_who_is_asked_to_look_again_and_again_looks_at_the_whole_all_the_same_and_sees_what_moves() -> None:
    planner, looks, n_regions = taught(source_id=3), [], []
    for i in range(20, 30):
        planner.look_again()
        plan = planner.plan(with_walker(ground(i), 40 + 6 * (i - 20)), SIZE, NOBODY, 0.2 * i)
        looks += [i] if plan.is_full_look else []
        n_regions.append(len(plan.regions))
    assert looks == [23, 27], "its turn is 0.43 s after the first of the calls"
    assert n_regions == [1] * 10


def plan_with(tracked: list[list[float]], settings: RegionSettings | None = None) -> tuple[Region, ...]:
    """What is looked at when only tracks say so."""
    planner = RegionPlanner(0, CANVAS, settings)
    planner.plan(ground(0), SIZE, NOBODY, 0.0)
    return planner.plan(ground(1), SIZE, np.array(tracked, np.float32), 5.0).regions


def test_the_small_is_seen_larger_and_the_large_smaller() -> None:
    frame_scale = 416 / 1280
    assert plan_with([[600, 300, 630, 370]])[0].scale == pytest.approx(40 / 70)
    assert plan_with([[600, 300, 610, 320]])[0].scale == pytest.approx(2 * frame_scale)
    assert plan_with([[600, 300, 680, 480]])[0].scale == pytest.approx(frame_scale)
    assert plan_with([[600, 300, 750, 700]])[0].scale == pytest.approx(64 / 400)


def test_the_middle_one_of_several_decides_about_enlarging() -> None:
    small, large = [600.0, 300.0, 630.0, 370.0], [640.0, 300.0, 700.0, 480.0]
    assert plan_with([small, large])[0].scale == pytest.approx(40 / 70)
    assert plan_with([small, large, large])[0].scale == pytest.approx(416 / 1280)


def test_nothing_is_enlarged_beyond_what_the_whole_frame_would_cost() -> None:
    crowd = [[40.0 * i, 120.0 * j, 40.0 * i + 24, 120.0 * j + 50] for i in range(1, 15) for j in range(6)]
    regions = plan_with(crowd)
    cost = sum(np.prod(region.size_on_canvas_px(region.scale, CANVAS)) for region in regions)
    assert not any(region.is_full for region in regions)
    assert cost <= 0.75 * 416 * 234


def test_regions_that_cover_the_frame_are_the_whole_frame() -> None:
    everywhere = [[160.0 * i, 90.0, 160.0 * i + 100, 600.0] for i in range(8)]
    (region,) = plan_with(everywhere, RegionSettings(most_height_px=1e9))
    assert region.is_full


def test_there_are_never_more_regions_than_said() -> None:
    scattered = [
        [(97.0 * i) % 1200, (61.0 * i) % 650, (97.0 * i) % 1200 + 12, (61.0 * i) % 650 + 24] for i in range(90)
    ]
    assert 1 <= len(plan_with(scattered, RegionSettings(most_regions=5, full_share=10))) <= 5


@pytest.mark.parametrize("tracked", [[[-50, -50, -10, -10]], [[1300, 800, 1400, 900]], [[600, 300, 600, 300]]])
def test_tracks_out_of_the_frame_or_without_area_do_no_harm(tracked: list[list[float]]) -> None:
    for region in plan_with(tracked):
        assert 0 <= region.xyxy_px[0] < region.xyxy_px[2] <= SIZE[0]
        assert 0 <= region.xyxy_px[1] < region.xyxy_px[3] <= SIZE[1]


def test_a_flickering_lamp_is_one_look_a_second() -> None:
    planner = taught()
    looks = 0
    for i in range(50):
        luma = ground(i) if i % 2 else (ground(i) // 3).astype(np.uint8)
        plan = planner.plan(luma, SIZE, NOBODY, 4.0 + 0.2 * i)
        looks += plan.is_full_look
        assert plan.is_full_look or not plan.regions
    assert looks <= 11


def test_a_half_seen_track_is_looked_at_as_a_whole() -> None:
    planner = taught()
    for i in range(20, 24):
        standing = np.array([[4 * 66, 300, 4 * 66 + 50, 480]], np.float32)
        plan = planner.plan(with_walker(ground(i), 40 + i - 20), SIZE, standing, 4.0 + 0.01 * i)
    assert any(
        region.xyxy_px[0] <= 264 and region.xyxy_px[2] >= 314 and region.xyxy_px[3] >= 480 for region in plan.regions
    )


@pytest.mark.parametrize("options", [{"full_look_every_s": 0}, {"standing_look_every_s": -1}, {"most_regions": 0}])
def test_settings_that_mean_nothing_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(InvalidInputError):
        RegionSettings(**options)  # type: ignore[arg-type]  # one field each, of its own type
