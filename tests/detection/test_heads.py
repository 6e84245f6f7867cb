"""Each head against the formula of its paper or project, written as loops."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nvr.assets.spec import Head, ModelSpec
from nvr.core.errors import ModelError
from nvr.detection.detections import Detections
from nvr.detection.heads import make_decoder
from nvr.detection.nms import Selection

CLASSES = ("person", "car", "dog")
WIDTH, HEIGHT = 96, 64
THRESHOLD = 0.4
ALL = Selection(THRESHOLD, None)
Expected = list[tuple[list[float], float, int]]


def spec(head: Head, n_classes: int = 3) -> ModelSpec:
    names = tuple(f"class {i}" for i in range(n_classes))
    return ModelSpec(head, WIDTH, HEIGHT, "stretch", "rgb", 1.0, (0, 0, 0), (1, 1, 1), None, names)


def assert_same(found: Detections, expected: Expected) -> None:
    expected = sorted(expected, key=lambda entry: -entry[1])
    assert len(expected) > 0
    assert found.class_id.tolist() == [class_id for _, _, class_id in expected]
    np.testing.assert_allclose(found.confidence, [score for _, score, _ in expected], rtol=1e-4)
    np.testing.assert_allclose(found.xyxy_px, [box for box, _, _ in expected], rtol=1e-4, atol=1e-3)


def cells(stride: int) -> list[tuple[int, int]]:
    return [(x, y) for y in range(math.ceil(HEIGHT / stride)) for x in range(math.ceil(WIDTH / stride))]


def corners(cx: float, cy: float, w: float, h: float) -> list[float]:
    return [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2]


def yolox_rows(seed: int) -> NDArray[np.float32]:
    n = sum(len(cells(stride)) for stride in (8, 16, 32))
    rng = np.random.default_rng(seed)
    geometry = rng.normal(0, 1, (n, 4))
    return np.concatenate([geometry, rng.uniform(0, 1, (n, 4))], axis=1).astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_yolox(seed: int) -> None:
    rows = yolox_rows(seed)
    expected: Expected = []
    places = [(x, y, stride) for stride in (8, 16, 32) for x, y in cells(stride)]
    for (x, y, stride), row in zip(places, rows.tolist(), strict=True):
        score, class_id = max((row[4] * row[5 + c], c) for c in range(3))
        if score >= THRESHOLD:
            width, height = math.exp(row[2]) * stride, math.exp(row[3]) * stride
            expected.append((corners((row[0] + x) * stride, (row[1] + y) * stride, width, height), score, class_id))
    assert_same(make_decoder(spec("yolox"), ALL).decode([rows]), expected)


@pytest.mark.parametrize("seed", range(3))
def test_picodet(seed: int) -> None:
    rng = np.random.default_rng(seed)
    strides = (8, 16, 32, 64)
    scores = [rng.uniform(0, 0.6, (len(cells(s)), 3)).astype(np.float32) for s in strides]
    logits = [rng.normal(0, 2, (len(cells(s)), 32)).astype(np.float32) for s in strides]
    expected: Expected = []
    for level, stride in enumerate(strides):
        for i, (x, y) in enumerate(cells(stride)):
            score, class_id = max((score, c) for c, score in enumerate(scores[level][i].tolist()))
            if score < THRESHOLD:
                continue
            sides = []
            for side in logits[level][i].reshape(4, 8).astype(float):
                weights = [math.exp(value) for value in side]
                sides.append(stride * sum(k * weight for k, weight in enumerate(weights)) / sum(weights))
            cx, cy = (x + 0.5) * stride, (y + 0.5) * stride
            expected.append(([cx - sides[0], cy - sides[1], cx + sides[2], cy + sides[3]], score, class_id))
    assert_same(make_decoder(spec("picodet"), ALL).decode([*scores, *logits]), expected)


def test_picodet_with_nothing_above_the_threshold_is_empty() -> None:
    shapes = [(len(cells(s)), n) for n in (3, 32) for s in (8, 16, 32, 64)]
    assert len(make_decoder(spec("picodet"), ALL).decode([np.zeros(shape, np.float32) for shape in shapes])) == 0


def test_detr_with_the_post_processor_in_the_graph_in_any_order_of_outputs() -> None:
    labels = np.array([2, 0, 1], np.int64)
    boxes = np.array([[1, 2, 30, 40], [5, 6, 7, 8], [0, 0, 96, 64]], np.float32)
    scores = np.array([0.9, 0.3, 0.5], np.float32)
    expected: Expected = [([1, 2, 30, 40], 0.9, 2), ([0, 0, 96, 64], 0.5, 1)]
    decoder = make_decoder(spec("detr"), ALL)
    assert_same(decoder.decode([labels, boxes, scores]), expected)
    assert_same(decoder.decode([scores, labels, boxes]), expected)


@pytest.mark.parametrize("has_no_object_column", [False, True])
def test_detr_raw(*, has_no_object_column: bool) -> None:
    rng = np.random.default_rng(5)
    logits = rng.normal(0, 2, (50, 4 if has_no_object_column else 3)).astype(np.float32)
    boxes = rng.uniform(0.2, 0.6, (50, 4)).astype(np.float32)
    expected: Expected = []
    for row, (cx, cy, w, h) in zip(logits.tolist(), boxes.tolist(), strict=True):
        if has_no_object_column:
            total = sum(math.exp(value) for value in row)
            scores = [math.exp(value) / total for value in row[:3]]
        else:
            scores = [1 / (1 + math.exp(-value)) for value in row]
        score, class_id = max((score, c) for c, score in enumerate(scores))
        if score >= THRESHOLD:
            expected.append((corners(cx * WIDTH, cy * HEIGHT, w * WIDTH, h * HEIGHT), score, class_id))
    assert_same(make_decoder(spec("detr"), ALL).decode([logits, boxes]), expected)
    for names in (("logits", "pred_boxes"), ("labels", "dets")):
        assert_same(make_decoder(spec("detr"), ALL, names).decode([logits, boxes]), expected)
        assert_same(make_decoder(spec("detr"), ALL, names[::-1]).decode([boxes, logits]), expected)


def test_detr_raw_survives_logits_that_overflow() -> None:
    logits = np.array([[1e4, -1e4, 0], [-1e4, -1e4, -1e4]], np.float32)
    found = make_decoder(spec("detr"), ALL).decode([logits, np.full((2, 4), 0.5, np.float32)])
    assert found.confidence.tolist() == [1.0]


def test_ultralytics() -> None:
    rng = np.random.default_rng(6)
    output = np.concatenate([rng.uniform(5, 60, (4, 80)), rng.uniform(0, 0.6, (3, 80))]).astype(np.float32)
    expected: Expected = []
    for column in output.T.tolist():
        score, class_id = max((score, c) for c, score in enumerate(column[4:]))
        if score >= THRESHOLD:
            cx, cy, w, h = column[:4]
            expected.append((corners(cx, cy, w, h), score, class_id))
    assert_same(make_decoder(spec("ultralytics"), ALL).decode([output]), expected)


def test_ultralytics_end_to_end() -> None:
    rows = np.zeros((300, 6), np.float32)
    rows[:3] = [[1, 2, 3, 4, 0.9, 2], [5, 6, 7, 8, 0.5, 0], [9, 9, 10, 10, 0.1, 1]]
    expected: Expected = [([1, 2, 3, 4], 0.9, 2), ([5, 6, 7, 8], 0.5, 0)]
    assert_same(make_decoder(spec("ultralytics"), ALL).decode([rows]), expected)


@pytest.mark.parametrize("half", [np.float16, np.float32])
def test_networks_in_half_precision_are_read_too(half: type[np.floating[Any]]) -> None:
    rows = yolox_rows(1)
    full = make_decoder(spec("yolox"), ALL).decode([rows])
    found = make_decoder(spec("yolox"), ALL).decode([rows.astype(half)])
    assert abs(len(found) - len(full)) <= 2
    assert found.xyxy_px.dtype == np.float32


@pytest.mark.parametrize("head", ["yolox", "picodet", "detr", "ultralytics"])
@pytest.mark.parametrize(
    "outputs", [[], [np.zeros((3, 5), np.float32)], [np.zeros(4, np.float32)] * 3, [np.zeros((9, 2), np.float32)] * 8]
)
def test_outputs_of_another_head_are_refused_with_their_shapes(head: Head, outputs: list[NDArray[Any]]) -> None:
    with pytest.raises(ModelError, match=rf"head {head}: expected .* got \["):
        make_decoder(spec(head), ALL).decode(outputs)


def test_an_embedding_network_is_no_detector() -> None:
    with pytest.raises(ModelError, match="head embedding: it answers with no boxes"):
        make_decoder(spec("embedding"), ALL)
