"""The real network, with the rows of its input that hold nothing left out."""

from pathlib import Path

import numpy as np
import pytest
from bench._datasets import pets

from nvr.assets.catalogue import load_catalogue
from nvr.detection.detections import Detections, Image
from nvr.detection.load import load_detector
from nvr.detection.network import open_network
from nvr.detection.network_detector import NetworkDetector, can_leave_out_rows
from nvr.detection.nms import Selection

pytestmark = pytest.mark.assets


@pytest.fixture(scope="module")
def image(assets_dir: Path) -> Image:
    return next(pets(assets_dir)).image


def with_all_rows(assets: Path) -> NetworkDetector:
    path = assets / "models" / "yolox_nano_416.onnx"
    (spec,) = (entry.spec for entry in load_catalogue().entries if entry.path.name == path.name)
    assert spec is not None
    return NetworkDetector("nano", open_network(path, providers=["cpu"]), spec, Selection(0.4, spec.nms_iou))


def assert_alike(found: Detections, expected: Detections) -> None:
    assert len(found) == len(expected) >= 2
    np.testing.assert_allclose(found.confidence, expected.confidence, atol=0.06)
    np.testing.assert_allclose(found.xyxy_px, expected.xyxy_px, atol=4)


def test_a_wide_image_is_seen_alike_without_the_grey_below_it(assets_dir: Path, image: Image) -> None:
    path = assets_dir / "models" / "yolox_nano_416.onnx"
    detector = load_detector("nano", path, None, confidence_threshold=0.4, providers=["cpu"])
    assert_alike(detector.infer([image])[0], with_all_rows(assets_dir).infer([image])[0])


def test_a_canvas_that_is_not_full_is_seen_alike(assets_dir: Path, image: Image) -> None:
    path = assets_dir / "models" / "yolox_nano_416.onnx"
    detector = load_detector("nano", path, None, confidence_threshold=0.4, providers=["cpu"])
    canvas = np.full((416, 416, 3), 114, np.uint8)
    canvas[:250, :400] = image[100:350, 200:600]
    mixed = [image, canvas, image[:, :300]]
    for found, alone in zip(detector.infer(mixed), mixed, strict=True):
        again = detector.infer([alone])[0]
        np.testing.assert_allclose(found.xyxy_px, again.xyxy_px, atol=1e-3)
    assert_alike(detector.infer([canvas])[0], with_all_rows(assets_dir).infer([canvas])[0])


def test_only_networks_that_see_the_image_at_the_top_leave_rows_out() -> None:
    names = {entry.path.name: entry.spec for entry in load_catalogue().entries if entry.spec is not None}
    assert {name for name, spec in names.items() if can_leave_out_rows(spec)} == {
        name for name in names if name.startswith("yolox")
    }
