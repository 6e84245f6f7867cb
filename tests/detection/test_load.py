"""Whole detectors on small real networks: file in, boxes in source pixels out."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench._datasets import coco
from numpy.typing import NDArray

from nvr.assets.spec import ModelSpec
from nvr.core.errors import ConfigurationError, FrameError, InvalidInputError, ModelError
from nvr.detection.detections import Detector
from nvr.detection.load import load_detector
from tests.detection.onnx_graphs import constant_outputs, yolox_like

V8 = {"names": "{0: 'person', 1: 'car'}", "task": "detect"}
GREY = np.full((100, 200, 3), 128, np.uint8)
"""In a centred 64x64 letterbox: scale 0.32, 16 rows of grey above and below."""


def v8_output() -> NDArray[np.float32]:
    columns = [
        # centre x, y, width, height, person, car
        [32, 32, 16, 16, 0.9, 0.1],
        [33, 32, 16, 16, 0.7, 0.1],  # a duplicate of the first
        [32, 32, 16, 16, 0.1, 0.8],  # at the same place, another class
        [0, 32, 20, 16, 0.6, 0.0],  # reaches out of the image
        [32, 4, 8, 8, 0.95, 0.0],  # in the grey of the letterbox
        [50, 32, 8, 8, 0.2, 0.1],  # too weak
        *[[0, 0, 0, 0, 0, 0]] * 78,
    ]
    return np.array(columns, np.float32).T[None]


def rows(detector: Detector, image: NDArray[np.uint8]) -> list[tuple[str, float, list[float]]]:
    found = detector.infer([image], [7])[0]
    return [
        (detector.class_names[class_id], round(float(confidence), 3), [round(float(v), 1) for v in box])
        for box, confidence, class_id in zip(found.xyxy_px, found.confidence, found.class_id, strict=True)
    ]


def test_an_ultralytics_export_gives_boxes_in_source_pixels(tmp_path: Path) -> None:
    path = constant_outputs(tmp_path / "v8.onnx", {"output0": v8_output()}, metadata=V8)
    detector = load_detector("my-v8", path, None)
    assert (detector.model_id, detector.class_names) == ("my-v8", ("person", "car"))
    assert rows(detector, GREY) == [
        ("person", 0.9, [75, 25, 125, 75]),
        ("car", 0.8, [75, 25, 125, 75]),
        ("person", 0.6, [0, 25, 31.2, 75]),
    ]


def test_a_twin_answers_alike_and_outlives_the_first(tmp_path: Path) -> None:
    path = constant_outputs(tmp_path / "v8.onnx", {"output0": v8_output()}, metadata=V8)
    first = load_detector("my-v8", path, None, confidence_threshold=0.7)
    before = rows(first, GREY)
    twin = first.twin()
    first.close()
    assert (twin.model_id, twin.class_names) == ("my-v8", ("person", "car"))
    assert rows(twin, GREY) == before
    with pytest.raises(ModelError, match="closed"):
        first.twin()


def test_an_end_to_end_export_gives_the_same_kind_of_boxes(tmp_path: Path) -> None:
    output = np.zeros((1, 300, 6), np.float32)
    output[0, :3] = [[24, 24, 40, 40, 0.9, 1], [0, 20, 9, 30, 0.5, 0], [0, 20, 9, 30, 0.4, 9]]  # no class 9
    path = constant_outputs(tmp_path / "e2e.onnx", {"output0": output}, metadata=V8)
    assert rows(load_detector("e2e", path, None), GREY) == [
        ("car", 0.9, [75, 25, 125, 75]),
        ("person", 0.5, [0, 12.5, 28.1, 43.8]),
    ]


def test_a_detr_export_is_told_in_which_pixels_to_answer(tmp_path: Path) -> None:
    answers: dict[str, NDArray[Any]] = {
        "labels": np.array([[2, 0]], np.int64),
        "boxes": np.array([[[0.25, 0.5, 0.75, 1.0], [0, 0, 0.5, 0.5]]], np.float32),
        "scores": np.array([[0.8, 0.31]], np.float32),
    }
    path = constant_outputs(tmp_path / "detr.onnx", answers, takes_sizes=True)
    assert rows(load_detector("detr", path, None), GREY) == [
        ("car", 0.8, [50, 50, 150, 100]),
        ("person", 0.31, [0, 0, 100, 50]),
    ]


def test_a_raw_detr_export_is_read_too(tmp_path: Path) -> None:
    logits = np.full((1, 4, 91), -20, np.float32)
    logits[0, 1, 3] = 3.0  # category 3 of COCO: car
    boxes = np.full((1, 4, 4), 0.5, np.float32)
    path = constant_outputs(tmp_path / "rf.onnx", {"dets": boxes, "labels": logits})
    assert rows(load_detector("rf", path, None), GREY) == [("car", 0.953, [50, 25, 150, 75])]


def test_only_wanted_classes_above_the_threshold_are_answered(tmp_path: Path) -> None:
    path = constant_outputs(tmp_path / "v8.onnx", {"output0": v8_output()}, metadata=V8)
    cars = load_detector("v8", path, None, classes=["car"])
    assert [name for name, _, _ in rows(cars, GREY)] == ["car"]
    strong = load_detector("v8", path, None, confidence_threshold=0.85)
    assert [confidence for _, confidence, _ in rows(strong, GREY)] == [0.9]


def test_a_batch_of_mixed_sizes_answers_as_each_image_alone(tmp_path: Path) -> None:
    path = yolox_like(tmp_path / "tiny.onnx")
    rng = np.random.default_rng(2)
    images = [rng.integers(0, 256, (h, w, 3), np.uint8) for h, w in [(32, 64), (100, 50), (7, 300), (32, 64)]]
    together = load_detector("tiny", path, None, confidence_threshold=0.1, batching="always")
    alone = load_detector("tiny", path, None, confidence_threshold=0.1, providers=["cpu"])
    assert (together.has_real_batches, alone.has_real_batches) == (True, False)
    n_found = 0
    for n in (4, 1, 3):
        answers = together.infer(images[:n], range(n))
        assert len(answers) == n
        for image, found in zip(images, answers, strict=False):
            expected = alone.infer([image])[0]
            n_found += len(expected)
            np.testing.assert_allclose(found.xyxy_px, expected.xyxy_px, atol=0.05)
            assert (found.xyxy_px[:, 2] <= image.shape[1]).all()
    assert n_found > 10


def test_no_images_are_no_answers(tmp_path: Path) -> None:
    assert load_detector("tiny", yolox_like(tmp_path / "tiny.onnx"), None).infer([], []) == []


def test_a_bad_image_is_refused_and_the_next_is_answered(tmp_path: Path) -> None:
    detector = load_detector("tiny", yolox_like(tmp_path / "tiny.onnx"), None)
    with pytest.raises(FrameError):
        detector.infer([GREY, np.zeros((0, 5, 3), np.uint8)])
    with pytest.raises(InvalidInputError, match="source_ids: expected 1, one per image, got 2"):
        detector.infer([GREY], [1, 2])
    assert len(detector.infer([GREY])) == 1


def test_a_closed_detector_says_so(tmp_path: Path) -> None:
    detector = load_detector("tiny", yolox_like(tmp_path / "tiny.onnx"), None)
    detector.close()
    detector.close()
    with pytest.raises(ModelError, match="model tiny: the detector is closed"):
        detector.infer([GREY])


def test_a_specification_that_does_not_fit_is_refused_on_load(tmp_path: Path) -> None:
    path = yolox_like(tmp_path / "tiny.onnx", n_classes=3)
    spec = ModelSpec("yolox", 64, 32, "stretch", "bgr", 1.0, (0, 0, 0), (1, 1, 1), 0.45, ("person",))
    with pytest.raises(ModelError, match=r"tiny\.onnx: head yolox: expected one output \(42, 6\), got \[\(42, 8\)\]"):
        load_detector("tiny", path, spec)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_out_of_range_is_refused(tmp_path: Path, threshold: float) -> None:
    with pytest.raises(ConfigurationError, match=r"confidence_threshold: expected 0\.\.1, got"):
        load_detector("tiny", tmp_path / "any.onnx", None, confidence_threshold=threshold)


def test_a_class_that_the_model_does_not_know_is_refused(tmp_path: Path) -> None:
    path = constant_outputs(tmp_path / "v8.onnx", {"output0": v8_output()}, metadata=V8)
    with pytest.raises(ConfigurationError, match="classes: v8 has no zebra; it has person, car"):
        load_detector("v8", path, None, classes=["person", "zebra"])


@pytest.mark.assets
@pytest.mark.parametrize("file", ["yolox_nano_416", "picodet_xs_320", "deimv2_atto_320", "deimv2_femto_416"])
def test_real_detectors_agree_on_what_is_on_a_picture(assets_dir: Path, file: str) -> None:
    detector = load_detector(file, assets_dir / "models" / f"{file}.onnx", None, confidence_threshold=0.5)
    # 000000000139: a living room with a television at the left.
    sample = next(coco(assets_dir))
    best = rows(detector, sample.image)[0]
    assert best[0] == "tv"
    np.testing.assert_allclose(best[2], [7, 167, 156, 263], atol=10)
