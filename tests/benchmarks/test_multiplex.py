import numpy as np
from bench._multiplex_cameras import Camera, mosaic, numbers_at, there_and_back
from bench._multiplex_motion import moving_persons
from bench._multiplex_ways import square_around, without_doubles
from bench.multiplex import matches

from nvr.detection.detections import Detections


def persons(*boxes: tuple[float, float, float, float]) -> Detections:
    n = len(boxes)
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4), np.linspace(0.9, 0.5, n).astype(np.float32), np.zeros(n, np.int32)
    )


def test_five_looks_a_second_see_the_first_frame_not_before_each_moment() -> None:
    assert numbers_at(25.0, 179, 0.0, 1.0) == [0, 5, 10, 15, 20]
    assert numbers_at(25.0, 179, 2 / 25, 1e9)[-1] == 177
    assert numbers_at(7.0, 10, 0.0, 1e9) == [0, 2, 3, 5, 6, 7, 9]


def test_a_short_video_is_played_forwards_and_backwards_without_a_cut() -> None:
    assert there_and_back(4, 10) == [0, 1, 2, 3, 2, 1, 0, 1, 2, 3]


def test_a_square_is_moved_into_the_frame_and_cut_to_it() -> None:
    assert square_around((0, 0, 100, 50), (1280, 720)) == (0, 0, 416, 416)
    assert square_around((1200, 600, 1280, 720), (1280, 720)) == (864, 304, 1280, 720)
    assert square_around((100, 100, 700, 200), (768, 400)) == (100, 0, 700, 400)


def test_each_true_box_is_matched_once() -> None:
    truth = np.array([[0, 0, 10, 20], [100, 0, 110, 20]], np.float32)
    assert matches(truth, persons((0, 0, 10, 20), (1, 0, 11, 20))) == 1
    assert matches(truth, persons((0, 0, 10, 20), (100, 0, 110, 22))) == 2
    assert matches(truth, Detections.empty()) == 0
    assert matches(truth[:0], persons((0, 0, 10, 20))) == 0


def test_what_two_regions_show_is_counted_once() -> None:
    assert len(without_doubles([persons((0, 0, 10, 20)), persons((1, 0, 10, 20), (50, 0, 60, 20))])) == 2
    assert len(without_doubles([])) == 0


def camera(*xs: float) -> Camera:
    """One person, walking."""
    images = [np.zeros((40, 60, 3), np.uint8) for _ in xs]
    truths = [(np.array([[x, 0, x + 10, 20]], np.float64), np.zeros(1, np.int64)) for x in xs]
    return Camera("walker", images, truths, [np.array([7])] * len(xs))


def test_a_mosaic_shows_four_cameras_and_their_persons_where_they_are() -> None:
    wide = mosaic([camera(x) for x in (1, 2, 3, 4)])
    assert wide.size_px == (120, 80)
    assert wide.truths is not None
    assert wide.truths[0][0].tolist() == [[1, 0, 11, 20], [62, 0, 72, 20], [3, 40, 13, 60], [64, 40, 74, 60]]


def test_a_person_moves_by_a_tenth_of_their_height_in_a_second() -> None:
    found = np.array([[1, 0, 11, 20], [40, 0, 50, 20]], np.float32)
    assert moving_persons(camera(0, 0, 0, 0, 0, 3), 5, found + np.float32(2)).tolist() == [[3, 2, 13, 22]]
    assert len(moving_persons(camera(0, 0, 0, 0, 0, 1), 5, found)) == 0
