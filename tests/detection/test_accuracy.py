"""The guard against wrong pre- and post-processing, in small; `bench/accuracy.py` is the whole of it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bench._average_precision import average_precision
from bench._datasets import coco, mot17_mini

from nvr.detection.detections import Detections
from nvr.detection.load import load_detector


@pytest.mark.assets
@pytest.mark.parametrize(
    ("file", "expected"),
    # Measured on the same pictures with other code: see the table in the folder of assets.
    [("yolox_nano_416", 0.493), ("deimv2_atto_320", 0.439)],
)
def test_average_precision_on_coco_is_what_others_measured(assets_dir: Path, file: str, expected: float) -> None:
    detector = load_detector(file, assets_dir / "models" / f"{file}.onnx", None, confidence_threshold=0.01)
    samples = list(coco(assets_dir))
    truths = [(sample.xyxy_px, sample.class_id) for sample in samples]
    answers = [detector.infer([sample.image])[0] for sample in samples]
    assert average_precision(truths, answers)[1] == pytest.approx(expected, abs=0.01)


@pytest.mark.assets
def test_a_network_at_another_size_finds_persons_as_others_measured(assets_dir: Path) -> None:
    path = assets_dir / "models" / "yolox_nano_416.onnx"
    detector = load_detector("nano", path, None, confidence_threshold=0.05, size_px=(416, 256), classes=["person"])
    samples = list(mot17_mini(assets_dir))
    truths = [(sample.xyxy_px, sample.class_id) for sample in samples]
    answers = [detector.infer([sample.image])[0] for sample in samples]
    assert average_precision(truths, answers)[1] == pytest.approx(0.379, abs=0.01)


def test_average_precision_of_the_truth_is_1_and_of_nothing_0() -> None:
    boxes = np.array([[0, 0, 10, 10], [20, 20, 60, 80]], np.float64)
    truth = [(boxes, np.array([0, 3]))]
    perfect = Detections(boxes.astype(np.float32), np.array([0.9, 0.8], np.float32), np.array([0, 3], np.int32))
    assert average_precision(truth, [perfect]) == pytest.approx((1.0, 1.0))
    assert average_precision(truth, [Detections.empty()]) == (0.0, 0.0)


def test_the_whole_guard_fails_where_it_has_nothing_to_measure(tmp_path: Path) -> None:
    program = Path(__file__).parents[2] / "bench" / "accuracy.py"
    command = [sys.executable, str(program), "--assets", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"accuracy: nothing was measured: no models in {tmp_path}; set NVR_ASSETS_DIR\n"
