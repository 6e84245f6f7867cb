import os
from fractions import Fraction
from pathlib import Path

import pytest

from nvr.core.errors import FrameError
from nvr.demo.clip import build_file_clips, build_scene_clips, prune_cache
from nvr.demo.scene import SceneSettings
from nvr.media.encode import EncoderSettings

FPS = Fraction(10)
ENCODER = EncoderSettings(160, 90, FPS, 0.5)


def scenes(n: int) -> list[SceneSettings]:
    return [SceneSettings(160, 90, FPS, 1.0, camera=camera) for camera in range(n)]


def test_scenes_are_rendered_once_and_then_read(tmp_path: Path) -> None:
    clips = build_scene_clips(scenes(3), ENCODER, tmp_path)
    assert [len(clip.loop.units) for clip in clips] == [10] * 3
    assert len({clip.loop.units for clip in clips}) == 3
    files = sorted(tmp_path.iterdir())
    contents = [path.read_bytes() for path in files]
    again = build_scene_clips(scenes(3), ENCODER, tmp_path)
    assert [clip.loop for clip in again] == [clip.loop for clip in clips]
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == contents


def test_other_settings_are_another_file(tmp_path: Path) -> None:
    build_scene_clips(scenes(1), ENCODER, tmp_path)
    build_scene_clips(scenes(1), EncoderSettings(160, 90, FPS, 1.0), tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_one_failure_ends_all_and_leaves_no_half_file(tmp_path: Path) -> None:
    wrong = SceneSettings(320, 180, FPS, 1.0)
    with pytest.raises(FrameError):
        build_scene_clips([wrong, *scenes(8)], ENCODER, tmp_path)
    assert not list(tmp_path.glob(".*.part"))


def test_the_truth_of_a_clip_is_that_of_its_scene(tmp_path: Path) -> None:
    [clip] = build_scene_clips(scenes(1), ENCODER, tmp_path)
    assert clip.truth.objects_at(3)
    assert clip.truth.objects_at(3) is clip.truth.objects_at(3)


def test_a_file_for_several_cameras_is_read_once(tmp_path: Path) -> None:
    build_scene_clips(scenes(2), ENCODER, tmp_path)
    first, second = sorted(tmp_path.iterdir())
    clips = build_file_clips([first, second, first], 1.0, tmp_path)
    assert clips[0].loop is clips[2].loop
    assert clips[0].loop != clips[1].loop
    assert clips[0].truth.objects_at(0) == ()


def test_the_cache_keeps_what_was_used_last(tmp_path: Path) -> None:
    for age, name in enumerate(("new.mp4", "middle.mp4", "old.mp4")):
        path = tmp_path / name
        path.write_bytes(bytes(100))
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
    (tmp_path / "other.txt").write_bytes(bytes(1000))
    prune_cache(tmp_path, 250)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["middle.mp4", "new.mp4", "other.txt"]
    prune_cache(tmp_path / "none", 0)
