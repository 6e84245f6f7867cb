import itertools
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from nvr.core.clock import ManualClock
from nvr.core.errors import FrameError, InvalidInputError
from nvr.detection.detections import Detections
from nvr.detection.load import load_detector
from nvr.detection.motion import MotionDetector, find_objects, small_luma

WIDTH, HEIGHT = 640, 360


def ground(seed: int, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """A textured floor, always the same, under fresh noise."""
    floor = np.random.default_rng(1000).integers(80, 140, (height // 20, width // 20, 3)).repeat(20, 0).repeat(20, 1)
    return np.clip(floor + np.random.default_rng(seed).normal(0, 3, floor.shape), 0, 255).astype(np.uint8)


def with_walker(image: NDArray[np.uint8], left: int, top: int = 150) -> NDArray[np.uint8]:
    image[top : top + 100, left : left + 40] = (220, 230, 240)
    return image


def overlap(a: NDArray[np.float32], b: list[float]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    intersection = max(0.0, float(width)) * max(0.0, float(height))
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return float(intersection / (areas - intersection))


def taught(detector: MotionDetector, n: int = 20, source_id: int = 0) -> MotionDetector:
    for seed in range(n):
        assert len(detector.infer([ground(seed)], [source_id])[0]) == 0
    return detector


def test_a_walker_is_one_box_at_its_place_in_each_picture() -> None:
    detector = taught(MotionDetector())
    for step in range(40):
        left = 20 + 12 * step
        found = detector.infer([with_walker(ground(100 + step), left)], [0])[0]
        assert len(found) == 1
        assert overlap(found.xyxy_px[0], [left, 150, left + 40, 250]) > 0.75
        assert found.confidence[0] > 0.7
    assert detector.class_names == ("motion",)
    assert detector.model_id == "motion"


def test_two_walkers_are_two_boxes() -> None:
    detector = taught(MotionDetector())
    for step in range(10):
        image = with_walker(with_walker(ground(100 + step), 100 + 8 * step), 500 - 8 * step, 40)
        found = detector.infer([image], [0])[0]
        assert len(found) == 2
        for truth in ([100 + 8 * step, 150, 140 + 8 * step, 250], [500 - 8 * step, 40, 540 - 8 * step, 140]):
            assert max(overlap(box, [float(v) for v in truth]) for box in found.xyxy_px) > 0.75


def test_each_camera_has_its_own_background() -> None:
    detector = MotionDetector()
    for seed in range(20):
        pair = [ground(seed), 255 - ground(seed)]
        # The order in the batch changes from picture to picture: only the ids count.
        order = [0, 1] if seed % 2 else [1, 0]
        answers = detector.infer([pair[i] for i in order], [10 + i for i in order])
        assert [len(found) for found in answers] == [0, 0]
    answers = detector.infer([255 - ground(50), with_walker(ground(50), 200)], [11, 10])
    assert [len(found) for found in answers] == [0, 1]


def test_without_ids_the_places_in_the_batch_are_the_cameras() -> None:
    detector = MotionDetector()
    for seed in range(5):
        assert [len(found) for found in detector.infer([ground(seed), 255 - ground(seed)])] == [0, 0]
    assert detector.n_sources == 2


def test_a_light_switch_is_no_motion() -> None:
    detector = taught(MotionDetector())
    for seed in range(100, 110):
        dark = (ground(seed) // 5).astype(np.uint8)
        assert len(detector.infer([dark], [0])[0]) == 0


def test_what_stands_still_for_long_is_no_motion_and_leaves_no_hole() -> None:
    detector = taught(MotionDetector())
    for step in range(80):
        found = detector.infer([with_walker(ground(200 + step), 300)], [0])[0]
    assert len(found) == 0
    for step in range(80):
        found = detector.infer([ground(400 + step)], [0])[0]
    assert len(found) == 0


def test_a_picture_of_another_size_starts_anew() -> None:
    detector = taught(MotionDetector())
    assert len(detector.infer([ground(1, 400, 400)], [0])[0]) == 0
    assert len(detector.infer([ground(2, 400, 400)], [0])[0]) == 0
    assert detector.n_sources == 1


def test_a_camera_unseen_for_a_minute_is_forgotten() -> None:
    clock = ManualClock()
    detector = MotionDetector(clock=clock)
    detector.infer([ground(0), ground(1)], [1, 2])
    clock.advance(50)
    detector.infer([ground(2)], [2])
    clock.advance(20)
    detector.infer([ground(3)], [3])
    assert detector.n_sources == 2
    # Its old background would show the whole difference of the day.
    assert len(detector.infer([with_walker(ground(4), 100)], [1])[0]) == 0


def test_the_number_of_cameras_it_remembers_is_bounded() -> None:
    detector = MotionDetector(clock=ManualClock())
    image = np.zeros((8, 8, 3), np.uint8)
    for source_id in range(600):
        detector.infer([image], [source_id])
    assert detector.n_sources <= 257
    detector.close()
    assert detector.n_sources == 0


@pytest.mark.parametrize("shape", [(1, 1), (2, 3000), (3000, 2), (7, 5), (1081, 1919)])
def test_any_size_of_picture_is_taken(shape: tuple[int, int]) -> None:
    detector = MotionDetector()
    for seed in range(3):
        image = np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)
        found = detector.infer([image], [0])[0]
        assert (found.xyxy_px >= 0).all()
        assert (found.xyxy_px <= [shape[1], shape[0], shape[1], shape[0]]).all()
    assert small_luma(image).shape[1] <= 320


@pytest.mark.parametrize("image", [np.zeros((0, 4, 3), np.uint8), np.zeros((4, 4), np.uint8), "picture"])
def test_refuses_what_is_no_image_and_learns_nothing_from_the_batch(image: NDArray[np.uint8]) -> None:
    detector = MotionDetector()
    with pytest.raises(FrameError):
        detector.infer([ground(0), image], [1, 2])
    assert detector.n_sources == 0


def test_one_id_for_each_image() -> None:
    with pytest.raises(InvalidInputError, match="source_ids: expected 1, one per image, got 2"):
        MotionDetector().infer([ground(0)], [1, 2])


def test_parts_near_each_other_are_one_object_and_specks_are_none() -> None:
    foreground = np.zeros((180, 320), np.uint8)
    foreground[40:70, 100:120] = 1
    foreground[74:100, 102:118] = 1
    foreground[10, 10] = 1
    foreground[150:153, 200:203] = 1
    found = find_objects(foreground, np.ones_like(foreground))
    assert found.xyxy_px.tolist() == [[100, 40, 120, 100]]
    assert len(find_objects(foreground, np.zeros_like(foreground))) == 0


def test_snow_is_nothing_and_a_hundred_objects_are_the_most() -> None:
    snow, crowd = np.zeros((180, 320), np.uint8), np.zeros((180, 320), np.uint8)
    for top, left in itertools.product(range(20, 160, 18), range(20, 300, 18)):
        snow[top : top + 5, left : left + 5] = 1
        crowd[top : top + 9, left : left + 9] = 1
    assert len(find_objects(snow, np.ones_like(snow))) == 0
    found = find_objects(crowd, np.ones_like(crowd))
    assert len(found) == 100
    assert np.all(found.xyxy_px[:, 2:] - found.xyxy_px[:, :2] == 9)


def boxes_of_video(path: Path, step: int, until: int) -> list[tuple[int, int, Detections]]:
    detector = MotionDetector()
    answers = []
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number > until:
                break
            if number % step == 0:
                image = frame.to_ndarray(format="bgr24").astype(np.uint8, copy=False)
                answers.append((frame.width, frame.height, detector.infer([image], [0])[0]))
    return answers


@pytest.mark.assets
def test_a_real_car_is_followed_from_picture_to_picture(assets_dir: Path) -> None:
    answers = boxes_of_video(assets_dir / "videos" / "car-detection.mp4", 1, 120)
    boxes = [found.xyxy_px[0] for _, _, found in answers if len(found) == 1]
    assert len(boxes) > 30
    assert all(len(found) <= 3 for _, _, found in answers)
    steady = [overlap(a, b.tolist()) > 0.4 for a, b in itertools.pairwise(boxes)]
    assert np.mean(steady) > 0.8


@pytest.mark.assets
def test_real_people_are_boxed_where_a_network_sees_them(assets_dir: Path) -> None:
    motion = MotionDetector()
    path = assets_dir / "models" / "yolox_nano_416.onnx"
    network = load_detector("nano", path, None, confidence_threshold=0.6, classes=["person"])
    n_seen = n_boxed = 0
    with av.open(str(assets_dir / "videos" / "one-by-one-person-detection.mp4")) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number > 400:
                break
            if number % 2 == 0:
                image = frame.to_ndarray(format="bgr24").astype(np.uint8, copy=False)
                moving = motion.infer([image], [0])[0]
                if number % 10 == 0:
                    for person in network.infer([image])[0].xyxy_px:
                        n_seen += 1
                        n_boxed += any(overlap(box, person.tolist()) > 0.3 for box in moving.xyxy_px)
    assert n_seen >= 10
    assert n_boxed >= 0.8 * n_seen
