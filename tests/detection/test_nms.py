import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nvr.detection.detections import Detections
from nvr.detection.nms import Selection, select

Boxes = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]


def overlap(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    width = max(0.0, min(float(a[2]), float(b[2])) - max(float(a[0]), float(b[0])))
    height = max(0.0, min(float(a[3]), float(b[3])) - max(float(a[1]), float(b[1])))
    areas = [float(box[2] - box[0]) * float(box[3] - box[1]) for box in (a, b)]
    union = sum(areas) - width * height
    return width * height / union if union > 0 else 0.0


@st.composite
def candidates(draw: st.DrawFn) -> Boxes:
    # Whole numbers and sizes of at least 1 keep ties and empty boxes out of the comparison.
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(-30, 60), st.integers(-30, 60), st.integers(1, 50), st.integers(1, 50), st.integers(0, 2)
            ),
            max_size=40,
        )
    )
    confidence = draw(st.permutations(range(1, len(rows) + 1)))
    table = np.array(rows, np.float32).reshape(-1, 5)
    xyxy = np.concatenate([table[:, :2], table[:, :2] + table[:, 2:4]], axis=1)
    return xyxy, (np.array(confidence) / (len(rows) + 1)).astype(np.float32), table[:, 4].astype(np.int32)


def reference(boxes: Boxes, nms_iou: float) -> list[int]:
    xyxy, confidence, class_id = boxes
    kept: list[int] = []
    for i in np.argsort(-confidence):
        if all(class_id[i] != class_id[j] or overlap(xyxy[i], xyxy[j]) <= nms_iou for j in kept):
            kept.append(int(i))
    return kept


@given(candidates(), st.sampled_from([0.313, 0.4517, 0.6173]))
def test_keeps_what_the_definition_keeps(boxes: Boxes, nms_iou: float) -> None:
    found = select(*boxes, Selection(0.0, nms_iou))
    kept = reference(boxes, nms_iou)
    np.testing.assert_array_equal(found.xyxy_px, boxes[0][kept])
    np.testing.assert_array_equal(found.confidence, boxes[1][kept])
    np.testing.assert_array_equal(found.class_id, boxes[2][kept])


@given(candidates())
def test_selecting_again_changes_nothing(boxes: Boxes) -> None:
    once = select(*boxes, Selection(0.2, 0.4517))
    twice = select(once.xyxy_px, once.confidence, once.class_id, Selection(0.2, 0.4517))
    np.testing.assert_array_equal(once.xyxy_px, twice.xyxy_px)


@given(candidates())
def test_without_nms_all_above_the_threshold_stay_strongest_first(boxes: Boxes) -> None:
    found = select(*boxes, Selection(0.5, None))
    assert len(found) == np.count_nonzero(boxes[1] >= 0.5)
    assert (np.diff(found.confidence) <= 0).all()


def test_only_wanted_classes_stay() -> None:
    boxes = np.array([[0, 0, 9, 9], [20, 0, 29, 9], [40, 0, 49, 9]], np.float32)
    confidence, class_id = np.array([0.9, 0.8, 0.7], np.float32), np.array([0, 1, 2], np.int32)
    assert select(boxes, confidence, class_id, Selection(0.1, 0.5, frozenset({2, 0}))).class_id.tolist() == [0, 2]
    assert len(select(boxes, confidence, class_id, Selection(0.1, 0.5, frozenset()))) == 0


def test_the_number_of_answers_is_bounded() -> None:
    n = 5000
    boxes = np.arange(n, dtype=np.float32)[:, None] * 10 + np.array([0, 0, 5, 5], np.float32)
    confidence = np.linspace(0.2, 0.9, n).astype(np.float32)
    found = select(boxes, confidence, np.zeros(n, np.int32), Selection(0.1, 0.5))
    assert len(found) == 300
    assert found.confidence[0] == confidence[-1]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_boxes_that_are_no_numbers_are_left_out(bad: float) -> None:
    boxes = np.array([[0, 0, 9, 9], [0, 0, bad, 9]], np.float32)
    found = select(boxes, np.array([0.5, 0.9], np.float32), np.zeros(2, np.int32), Selection(0.1, 0.5))
    assert found.xyxy_px.tolist() == [[0, 0, 9, 9]]


def test_confidence_that_is_no_number_is_left_out_and_more_than_1_is_1() -> None:
    boxes = np.array([[0, 0, 9, 9], [20, 0, 29, 9]], np.float32)
    found = select(boxes, np.array([np.nan, 1.2], np.float32), np.zeros(2, np.int32), Selection(0.1, 0.5))
    assert found.confidence.tolist() == [1.0]


def test_nothing_in_is_nothing_out() -> None:
    none = Detections.empty()
    assert len(select(none.xyxy_px, none.confidence, none.class_id, Selection(0.3, 0.5))) == 0
