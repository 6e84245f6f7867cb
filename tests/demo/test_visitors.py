"""Scenes in which visitors come by, one after the other, and those without any."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from nvr.core.errors import ConfigurationError
from nvr.demo.scene import Activity, Scene, SceneEvent, SceneObject, SceneSettings
from nvr.demo.scene.event import find_events

FPS = 25


def scene(activity: Activity, camera: int = 0, seed: int = 0, noise: float = 0.0, duration_s: float = 120.0) -> Scene:
    return Scene(
        SceneSettings(320, 180, Fraction(FPS), duration_s, seed, camera, noise, has_overlay=False, activity=activity)
    )


def thing(object_id: int, width: float = 10.0) -> SceneObject:
    return SceneObject(object_id, "car", (0.0, 0.0, width, 5.0), 1.0)


@pytest.mark.parametrize("camera", [0, 1])
@pytest.mark.parametrize("seed", range(5))
def test_visits_are_short_and_apart_even_over_the_seam(camera: int, seed: int) -> None:
    events = scene("sparse", camera, seed).events()
    assert len(events) >= 4
    assert all(0.2 * FPS <= event.n_frames <= 8 * FPS + 1 for event in events)
    gaps = [later.start_frame - earlier.end_frame for earlier, later in pairwise(events)]
    gaps.append(events[0].start_frame + 120 * FPS - events[-1].end_frame)
    assert min(gaps) >= 5 * FPS


def test_over_many_seeds_there_are_short_and_long_visits_of_people_and_cars() -> None:
    events = [event for seed in range(10) for event in scene("sparse", seed=seed).events()]
    assert {event.class_name for event in events} == {"person", "car"}
    assert sum(event.n_frames < FPS for event in events) > 10
    assert sum(event.n_frames > 4 * FPS for event in events) > 10
    assert min(max(event.areas_px) for event in events) > 60


def test_the_same_seed_has_the_same_visits() -> None:
    assert scene("sparse", seed=3).events() == scene("sparse", seed=3).events()
    assert scene("sparse", seed=3).events() != scene("sparse", seed=4).events()


def test_the_picture_changes_during_visits_only() -> None:
    sparse = scene("sparse", duration_s=40.0)
    still = sparse.render(0)
    [first, *_] = sparse.events()
    middle = (first.start_frame + first.end_frame) // 2
    assert (sparse.render(middle) != still).any()
    shadow_frames = 10
    for number in (first.start_frame - shadow_frames, first.end_frame + shadow_frames):
        assert np.array_equal(sparse.render(number), still)


def test_in_a_quiet_scene_only_the_sensor_is_never_still() -> None:
    assert scene("quiet").events() == ()
    assert np.array_equal(scene("quiet").render(3), scene("quiet").render(4))
    noisy = scene("quiet", noise=1.2)
    assert (noisy.render(3) != noisy.render(4)).any()


def test_a_short_loop_has_no_room_for_visits() -> None:
    with pytest.raises(ConfigurationError, match="a sparse scene of at least 30 s, got 10 s"):
        scene("sparse", duration_s=10.0)


def test_an_event_lasts_as_long_as_its_thing_is_in_consecutive_frames() -> None:
    frames = [(), (thing(1),), (thing(1, 20.0), thing(2)), (thing(2),), (), (thing(1),)]
    assert find_events(frames) == (
        SceneEvent(1, "car", 1, 2, (50, 100)),
        SceneEvent(2, "car", 2, 3, (50, 50)),
        SceneEvent(1, "car", 5, 5, (50,)),
    )
