from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvr.core.errors import ConfigurationError
from nvr.demo.frame_code import frame_code_region, read_frame_code
from nvr.demo.scene import Scene, SceneObject, SceneSettings
from nvr.demo.scene.path import Crossing, Pacing


def small_scene(camera: int = 0, seed: int = 0, **changes: float) -> Scene:
    settings = {"width_px": 320, "height_px": 180, "duration_s": 8.0, "noise": 0.0, **changes}
    return Scene(SceneSettings(fps=Fraction(25), camera=camera, seed=seed, **settings))  # type: ignore[arg-type]  # numbers


@pytest.mark.parametrize("camera", [0, 1])
def test_the_same_settings_give_the_same_pictures(camera: int) -> None:
    first, second = small_scene(camera, noise=2.0), small_scene(camera, noise=2.0)
    assert np.array_equal(first.render(77), second.render(77))
    assert first.objects_at(77) == second.objects_at(77)


def test_other_seeds_and_cameras_give_other_scenes() -> None:
    pictures = [scene.render(10) for scene in (small_scene(0, 0), small_scene(0, 1), small_scene(2, 0), small_scene(1))]
    truths = [scene.objects_at(10) for scene in (small_scene(0, 0), small_scene(0, 1), small_scene(2, 0))]
    assert len({picture.tobytes() for picture in pictures}) == 4
    assert len(set(truths)) == 3


def test_a_street_has_people_and_cars_and_a_hall_people() -> None:
    def classes(scene: Scene) -> set[str]:
        return {thing.class_name for number in range(0, 200, 5) for thing in scene.objects_at(number)}

    assert classes(small_scene(0)) == {"person", "car"}
    assert classes(small_scene(1)) == {"person"}


@pytest.mark.parametrize("camera", [0, 1])
def test_every_changed_pixel_is_within_a_box_or_a_shadow_below_it(camera: int) -> None:
    settings = SceneSettings(320, 180, Fraction(25), 8.0, camera=camera, noise=0.0, has_overlay=False)
    scene = Scene(settings)
    for number in range(0, 200, 20):
        allowed = np.zeros((180, 320), bool)
        for thing in scene.objects_at(number) + scene.objects_at(number + 7):
            left, top, right, bottom = thing.xyxy_px
            reach = 0.5 * (bottom - top) + 3
            allowed[
                max(0, int(top) - 1) : int(bottom + reach) + 1, max(0, int(left - reach)) : int(right + reach) + 1
            ] = True
        changed = (scene.render(number) != scene.render(number + 7)).any(axis=2)
        assert changed.any()
        allowed[:, :14] = allowed[:, -14:] = True  # the shadow of what is just out of the picture
        assert not (changed & ~allowed).any()


def test_a_box_is_as_tight_as_the_pixels() -> None:
    settings = SceneSettings(1280, 720, Fraction(25), 8.0, camera=1, noise=0.0, has_overlay=False)
    scene = Scene(settings)
    number, thing = next(
        (number, thing)
        for number in range(200)
        for thing in scene.objects_at(number)
        if thing.inside_fraction == 1 and not any(_touch(thing, other) for other in scene.objects_at(number))
    )
    picture = scene.render(number)
    empty_number = next(n for n in range(200) if not any(_covers(other, thing) for other in scene.objects_at(n)))
    differences = (picture.astype(np.int16) - scene.render(empty_number)).astype(np.int16)
    left, top, right, bottom = thing.xyxy_px
    height = bottom - top
    body = np.abs(differences[int(top - 20) : int(bottom - 0.08 * height), int(left - 20) : int(right + 20)]).max(
        axis=2
    )
    rows, columns = np.nonzero(body > 12)
    assert abs(rows.min() - 20) <= 3
    assert columns.min() >= 20 - 2
    assert columns.max() <= 20 + (right - left) + 2


def _touch(thing: SceneObject, other: SceneObject) -> bool:
    return thing.object_id != other.object_id and _overlap(thing.xyxy_px, other.xyxy_px, 60)


def _covers(other: SceneObject, thing: SceneObject) -> bool:
    return _overlap(thing.xyxy_px, other.xyxy_px, 60)


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float], gap: float) -> bool:
    return a[0] - gap < b[2] and b[0] - gap < a[2] and a[1] - gap < b[3] and b[1] - gap < a[3]


@pytest.mark.parametrize("camera", [0, 1, 2, 3])
def test_nothing_jumps_not_even_over_the_seam(camera: int) -> None:
    scene = small_scene(camera)
    for number in range(200):
        before = {thing.object_id: thing for thing in scene.objects_at(number)}
        after = {thing.object_id: thing for thing in scene.objects_at(number + 1)}
        for object_id in before.keys() & after.keys():
            old, new = before[object_id].xyxy_px, after[object_id].xyxy_px
            assert np.abs(np.subtract(new, old)).max() < 20
        for thing in (before[key] for key in before.keys() - after.keys()):
            left, _, right, _ = thing.xyxy_px
            assert left == 0 or right == 320
            assert right - left < 12


def test_the_frame_number_is_burnt_in_unless_told_not_to() -> None:
    assert [read_frame_code(small_scene().render(number)) for number in (0, 1, 199)] == [0, 1, 199]
    plain = Scene(SceneSettings(320, 180, Fraction(25), 8.0, has_overlay=False))
    assert read_frame_code(plain.render(5)) is None


def test_the_overlay_is_where_it_is_said_to_be() -> None:
    left, top, right, bottom = frame_code_region(320, 180)
    assert (left, bottom) == (2, 178)
    assert (right - left) * (bottom - top) < 0.03 * 320 * 180


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"duration_s": 0.0}, "has 0 frames"),
        ({"duration_s": 1e6}, "expected 1 to 65536"),
        ({"width_px": 100}, "160x90"),
    ],
)
def test_refuses_what_cannot_be_drawn(changes: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        small_scene(0, 0, **changes)


progresses = st.floats(0, 1)


@given(progress=progresses, rounds=st.integers(1, 5), offset=st.floats(0, 1, exclude_max=True))
def test_a_crossing_comes_back_to_its_start_out_of_sight(progress: float, rounds: int, offset: float) -> None:
    path = Crossing(1, rounds, offset, margin=0.2)
    assert -0.2 <= path.at(progress).x <= 1.2
    assert abs(path.at(0.0).x - path.at(1.0).x) % 1.4 == pytest.approx(0, abs=1e-6) or abs(
        path.at(0.0).x - path.at(1.0).x
    ) == pytest.approx(1.4, abs=1e-6)


@given(progress=progresses, rounds=st.integers(1, 5), offset=st.floats(0, 1, exclude_max=True))
def test_pacing_stays_between_its_ends(progress: float, rounds: int, offset: float) -> None:
    path = Pacing(0.2, 0.6, rounds, offset)
    position = path.at(progress)
    assert 0.2 - 1e-9 <= position.x <= 0.6 + 1e-9
    assert -1e-9 <= position.travelled <= path.round_length + 1e-9
    assert path.at(0.0).x == pytest.approx(path.at(1.0).x, abs=1e-6)
