from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from bench._media_clips import Clip, ClipStore, Coding, original_clip, scene_clip, spliced_clip
from bench._media_cutouts import Image, cut_by_difference, cut_by_truth, read_frames
from bench._media_events import Event

from nvr.media.encode import EncoderSettings, encode_pictures

SIZE_PX = (160, 96)
FPS = 10


def street(number: int) -> Image:
    """A car drives through in frames 20 to 39, and again in 60 to 79."""
    picture = np.full((SIZE_PX[1], SIZE_PX[0], 3), 90, np.uint8)
    picture[:, 40:44] = 140
    if 20 <= number % 40 < 40 and number < 80:
        left = (number % 40 - 20) * 6
        picture[40:70, left : left + 40] = (40, 40, 220)
    return picture


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "street.mp4"
    settings = EncoderSettings(*SIZE_PX, Fraction(FPS), 1.0, bitrate_bps=1_000_000)
    encode_pictures(map(street, range(200)), path, settings)
    return path


def test_things_are_found_where_they_differ_from_the_empty_scene(video: Path) -> None:
    material = cut_by_difference(video)
    assert (material.n_frames, material.fps) == (200, FPS)
    assert np.abs(material.plate.astype(int) - street(0)).mean() < 3
    assert [(walk.start_frame, len(walk.cutouts)) for walk in material.walks] == [(20, 20), (60, 20)]
    clip = original_clip("street", video, material)
    assert [(event.start_s, event.end_s) for event in clip.events] == [(2.0, 3.9), (6.0, 7.9)]
    assert sum(1 for _ in clip.pictures()) == clip.n_frames


def test_true_boxes_are_cut_out_and_a_pause_begins_a_new_walk(video: Path) -> None:
    boxes = {
        number: ((number % 40 - 20) * 6, 40, (number % 40 - 20) * 6 + 40, 70)
        for number in (*range(20, 30), *range(60, 80))
    }
    material = cut_by_truth(video, {7: boxes})
    assert [(walk.start_frame, len(walk.cutouts)) for walk in material.walks] == [(20, 10), (60, 20)]


def test_a_spliced_clip_shows_its_things_when_it_says_and_is_still_else(video: Path) -> None:
    clip = spliced_clip("street", cut_by_difference(video), 120.0, seed=1)
    assert len(clip.events) >= 6
    gaps = [later.start_s - earlier.end_s for earlier, later in pairwise(clip.events)]
    assert min(gaps) >= 5
    pictures = list(clip.pictures())
    assert len(pictures) == 1200
    red = [int(picture[40:70, :, 2].max()) for picture in pictures]
    busy = {
        number for event in clip.events for number in range(round(event.start_s * FPS), round(event.end_s * FPS) + 1)
    }
    assert all((red[number] > 180) == (number in busy) for number in range(1200))
    assert (pictures[0] != pictures[1]).any()


def test_the_same_seed_gives_the_same_clip(video: Path) -> None:
    material = cut_by_difference(video)
    assert spliced_clip("street", material, 60.0, 1).events == spliced_clip("street", material, 60.0, 1).events
    assert spliced_clip("street", material, 60.0, 1).events != spliced_clip("street", material, 60.0, 2).events


def test_a_drawn_clip_has_the_events_of_its_scene() -> None:
    clip = scene_clip(0, 40.0, (160, 90))
    assert clip.events
    assert all(0 < event.start_s < event.end_s < 40 for event in clip.events)
    assert clip.frame_s == 0.04


def test_coded_clips_are_kept_with_their_truth(tmp_path: Path) -> None:
    made = []

    def make() -> Clip:
        def pictures() -> Iterator[Image]:
            return map(street, range(30))

        made.append(1)
        return Clip("street", Fraction(FPS), *SIZE_PX, 30, (Event(2.0, 2.9, "car", 1200),), pictures)

    codings = [Coding("cbr", 1.0), Coding("vbr", 2.0)]
    first = ClipStore(tmp_path).code("street", make, codings)
    again = ClipStore(tmp_path).code("street", make, codings)
    assert again == first
    assert made == [1]
    assert list(first) == ["cbr.gop1", "vbr.gop2"]
    assert first["vbr.gop2"].events == (Event(2.0, 2.9, "car", 1200),)
    assert sum(1 for _ in read_frames(first["cbr.gop1"].path)) == 30
    assert ClipStore(tmp_path).code("other", make, codings)["cbr.gop1"].path != first["cbr.gop1"].path
    assert made == [1, 1]
