import os
from fractions import Fraction
from pathlib import Path

import pytest

from nvr.core.clock import ManualClock, SystemClock
from nvr.core.errors import ConfigurationError, FrameError
from nvr.demo.clip import build_file_clips, build_scene_clips, prune_cache
from nvr.demo.scene import SceneSettings
from nvr.media.encode import EncoderSettings

FPS = Fraction(10)
CLOCK = SystemClock()
ENCODER = EncoderSettings(160, 90, FPS, 0.5)


def scenes(n: int) -> list[SceneSettings]:
    return [SceneSettings(160, 90, FPS, 1.0, camera=camera) for camera in range(n)]


def test_scenes_are_rendered_once_and_then_read(tmp_path: Path) -> None:
    clips = build_scene_clips(scenes(3), ENCODER, tmp_path, CLOCK)
    assert [len(clip.loop.units) for clip in clips] == [10] * 3
    assert len({clip.loop.units for clip in clips}) == 3
    files = sorted(tmp_path.iterdir())
    contents = [path.read_bytes() for path in files]
    again = build_scene_clips(scenes(3), ENCODER, tmp_path, CLOCK)
    assert [clip.loop for clip in again] == [clip.loop for clip in clips]
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == contents


def test_other_settings_are_another_file(tmp_path: Path) -> None:
    build_scene_clips(scenes(1), ENCODER, tmp_path, CLOCK)
    build_scene_clips(scenes(1), EncoderSettings(160, 90, FPS, 1.0), tmp_path, CLOCK)
    assert len(list(tmp_path.iterdir())) == 2


def test_one_failure_ends_all_and_leaves_no_half_file(tmp_path: Path) -> None:
    wrong = SceneSettings(320, 180, FPS, 1.0)
    with pytest.raises(FrameError):
        build_scene_clips([wrong, *scenes(8)], ENCODER, tmp_path, CLOCK)
    assert not list(tmp_path.glob(".*.part"))


def test_the_truth_of_a_clip_is_that_of_its_scene(tmp_path: Path) -> None:
    [clip] = build_scene_clips(scenes(1), ENCODER, tmp_path, CLOCK)
    assert clip.truth.objects_at(3)
    assert clip.truth.objects_at(3) is clip.truth.objects_at(3)


def test_a_file_for_several_cameras_is_read_once(tmp_path: Path) -> None:
    build_scene_clips(scenes(2), ENCODER, tmp_path, CLOCK)
    first, second = sorted(tmp_path.iterdir())
    clips = build_file_clips([first, second, first], 1.0, tmp_path, CLOCK)
    assert clips[0].loop is clips[2].loop
    assert clips[0].loop != clips[1].loop
    assert clips[0].truth.objects_at(0) == ()


def test_the_cache_keeps_what_was_used_last(tmp_path: Path) -> None:
    for age, name in enumerate(("new.mp4", "middle.mp4", "old.mp4")):
        path = tmp_path / name
        path.write_bytes(bytes(100))
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
    (tmp_path / "other.txt").write_bytes(bytes(1000))
    prune_cache(tmp_path, 250, CLOCK)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["middle.mp4", "new.mp4", "other.txt"]
    prune_cache(tmp_path / "none", 0, CLOCK)


@pytest.mark.parametrize("damage", ["empty", "cut off", "no video"])
def test_a_damaged_file_of_the_cache_is_rendered_again(damage: str, tmp_path: Path) -> None:
    [clip] = build_scene_clips(scenes(1), ENCODER, tmp_path, CLOCK)
    [cached] = tmp_path.iterdir()
    whole = cached.read_bytes()
    cached.write_bytes({"empty": b"", "cut off": whole[: len(whole) // 2], "no video": b"x" * 4000}[damage])
    [again] = build_scene_clips(scenes(1), ENCODER, tmp_path, CLOCK)
    assert [path.name for path in tmp_path.iterdir()] == [cached.name]
    assert again.loop == clip.loop


@pytest.mark.parametrize("folder", ["/proc/nope", "/" + "a" * 300, "{tmp}/file/below"])
def test_a_cache_that_cannot_be_used_is_a_wrong_setting(folder: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"no folder")
    with pytest.raises(ConfigurationError, match=r"cache cannot be read|cannot be kept there"):
        build_scene_clips(scenes(1), ENCODER, Path(folder.format(tmp=tmp_path)), CLOCK)


def test_a_file_that_needs_no_cache_is_played_whatever_becomes_of_the_cache(tmp_path: Path) -> None:
    build_scene_clips(scenes(1), ENCODER, tmp_path, CLOCK)
    [file] = tmp_path.iterdir()
    [clip] = build_file_clips([file], 1.0, Path("/" + "a" * 300), CLOCK)
    assert len(clip.loop.units) == 10


@pytest.mark.parametrize("kind", ["scenes", "files"])
def test_each_start_clears_away_what_others_left_unfinished(kind: str, tmp_path: Path) -> None:
    [clip] = build_scene_clips(scenes(1), ENCODER, tmp_path / "source", CLOCK)
    file = next((tmp_path / "source").iterdir())
    cache = tmp_path / "cache"
    cache.mkdir()
    clock = ManualClock()
    now_s = clock.now().timestamp()
    for name, age_s in ((".old.part", 4000), (".new.part", 10)):
        (cache / name).write_bytes(b"half")
        os.utime(cache / name, (now_s - age_s, now_s - age_s))
    if kind == "scenes":
        build_scene_clips(scenes(1), ENCODER, cache, clock)
    else:
        assert build_file_clips([file], 1.0, cache, clock)[0].loop == clip.loop
    assert sorted(path.name for path in cache.glob(".*")) == [".new.part"]


def test_what_another_process_deletes_meanwhile_ends_no_pruning(tmp_path: Path) -> None:
    for index in range(10):
        (tmp_path / f"old{index}.mp4").write_bytes(bytes(100))
        os.utime(tmp_path / f"old{index}.mp4", (1_000_000, 1_000_000))
        # Listed, and yet there is no file to ask: as one that was deleted between the two.
        (tmp_path / f"gone{index}.mp4").symlink_to(tmp_path / "deleted since")
    (tmp_path / "new.mp4").write_bytes(bytes(100))
    prune_cache(tmp_path, 100, CLOCK)
    assert [path.name for path in tmp_path.iterdir() if path.exists()] == ["new.mp4"]
