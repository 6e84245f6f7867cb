from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from nvr.core.errors import ModelError
from nvr.detection.coco import coco_categories, coco_classes
from nvr.detection.recognise import recognise, recognise_file
from nvr.detection.signature import Shape, Signature, Tensor
from tests.detection.onnx_graphs import constant_outputs, yolox_like


def signature(
    outputs: Mapping[str, Shape],
    inputs: Mapping[str, Shape] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Signature:
    inputs = inputs or {"images": (1, 3, 64, 96)}
    return Signature(
        tuple(Tensor(name, shape, "tensor(float)") for name, shape in inputs.items()),
        tuple(Tensor(name, shape, "tensor(float)") for name, shape in outputs.items()),
        metadata or {},
    )


V8 = {"names": "{0: 'person', 1: 'car'}", "task": "detect", "stride": "32", "imgsz": "[64, 96]"}


def test_yolox_by_its_number_of_cells() -> None:
    # 96x64: 12x8 + 6x4 + 3x2 cells
    spec = recognise(signature({"output": (1, 126, 85)}))
    assert (spec.head, spec.input_width_px, spec.input_height_px) == ("yolox", 96, 64)
    assert (spec.colour, spec.scale, spec.resize) == ("bgr", 1.0, "letterbox_top_left")
    assert spec.class_names == coco_classes()


def test_classes_that_are_not_coco_get_numbers() -> None:
    assert recognise(signature({"output": (1, 126, 7)})).class_names == ("class 0", "class 1")


def test_picodet_by_its_eight_outputs() -> None:
    cells = (96, 24, 6, 2)
    outputs = {f"{kind}{n}": (1, n, columns) for kind, columns in (("s", 80), ("b", 32)) for n in cells}
    spec = recognise(signature(outputs))
    assert (spec.head, spec.resize, spec.colour) == ("picodet", "stretch", "rgb")
    assert spec.class_names == coco_classes()


def test_detr_with_post_processor_by_its_names() -> None:
    outputs: dict[str, Shape] = {"labels": (None, None), "boxes": (None, None, 4), "scores": (None, None)}
    spec = recognise(signature(outputs, {"images": (None, 3, 64, 96), "orig_target_sizes": (None, 2)}))
    assert (spec.head, spec.nms_iou, spec.class_names) == ("detr", 0.7, coco_classes())


@pytest.mark.parametrize(
    ("outputs", "names", "has_mean"),
    [
        ({"logits": (1, 300, 80), "pred_boxes": (1, 300, 4)}, coco_classes(), False),
        ({"dets": (1, 300, 4), "labels": (1, 300, 91)}, coco_categories(), True),  # RF-DETR
        ({"logits": (1, 100, 92), "pred_boxes": (1, 100, 4)}, coco_categories(), False),  # with "no object"
    ],
)
def test_raw_detr_by_its_names(outputs: dict[str, Shape], names: tuple[str, ...], *, has_mean: bool) -> None:
    spec = recognise(signature(outputs))
    assert (spec.head, spec.class_names, any(spec.mean)) == ("detr", names, has_mean)


def test_coco_category_ids_have_the_known_gaps() -> None:
    assert (coco_categories()[1], coco_categories()[3], coco_categories()[13], coco_categories()[90]) == (
        "person", "car", "stop sign", "toothbrush",
    )  # fmt: skip
    assert len(coco_classes()) == 80


@pytest.mark.parametrize(("shape", "nms_iou"), [((1, 6, 126), 0.7), ((1, 300, 6), None)])
def test_ultralytics_by_its_metadata(shape: Shape, nms_iou: float | None) -> None:
    spec = recognise(signature({"output0": shape}, metadata=V8))
    assert (spec.head, spec.class_names, spec.nms_iou) == ("ultralytics", ("person", "car"), nms_iou)
    assert (spec.resize, spec.colour, spec.scale) == ("letterbox_centre", "rgb", 1 / 255)


def test_a_free_ultralytics_size_is_read_from_the_metadata() -> None:
    free: dict[str, Shape] = {"images": (None, 3, None, None)}
    spec = recognise(signature({"output0": (None, 6, None)}, free, V8))
    assert (spec.input_width_px, spec.input_height_px) == (96, 64)


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (signature({"output": (1, 512)}), r"no known kind of detector: inputs images \(1, 3, 64, 96\); outputs output"),
        (signature({"output": (1, 378, 85)}), "no known kind of detector"),  # YOLOv5: three boxes a cell
        (signature({"output": (1, 126, 85)}, {"images": (1, 3, None, None)}), "its image size is free"),
        (signature({"output": (1, 126, 85)}, {"tokens": (1, 77)}), r"expected one input \(n, 3, height, width\)"),
        (signature({"o": (1, 6, 126)}, metadata={**V8, "task": "pose"}), "for the task pose, expected detect"),
        (signature({"o": (1, 6, 126)}, metadata={"names": "__import__('os')"}), "expected a dict or a list"),
        (signature({"o": (1, 6, 126)}, metadata={"names": "{"}), "expected a dict or a list"),
        (signature({"o": (1, 6, 126)}, metadata={"names": "{}"}), "expected a dict or a list"),
        (signature({"o": (1, 6, 126)}, metadata={"names": "{[]: 'a'}"}), "expected a dict or a list"),
        (signature({"o": (1, 6, 126)}, metadata={"names": "[[['a']]]"}), "expected a dict or a list"),
        (signature({"o": (1, 6, 126)}, metadata={"names": f"[0x{'f' * 5000}]"}), "expected a dict or a list"),
        (signature({"o": (1, 378, 7)}, metadata=V8), r"of 2 classes with outputs o \(1, 378, 7\)"),
        (signature({"o": (1, 6, None)}, {"i": (1, 3, None, None)}, {**V8, "imgsz": "[0, -1]"}), "imgsz is"),
        (signature({"logits": (1, 300, None), "pred_boxes": (1, 300, 4)}), "the number of its classes is free"),
        (signature({}), "outputs none"),
    ],
)
def test_says_what_it_saw_of_the_unknown(case: Signature, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        recognise(case)


def test_reads_the_signature_from_a_file(tmp_path: Path) -> None:
    path = yolox_like(tmp_path / "tiny.onnx", n_classes=80, size_px=(64, 32))
    spec = recognise_file(path)
    assert (spec.head, spec.input_width_px, spec.input_height_px, len(spec.class_names)) == ("yolox", 64, 32, 80)
    assert recognise_file(path, (128, 96)).input_width_px == 128


def test_an_unknown_file_is_named_with_what_can_help(tmp_path: Path) -> None:
    path = constant_outputs(tmp_path / "odd.onnx", {"output": np.zeros((1, 512), np.float32)})
    with pytest.raises(ModelError, match=r"odd\.onnx: no known kind.*sidecar odd\.toml can tell"):
        recognise_file(path)


@pytest.mark.assets
@pytest.mark.parametrize(
    ("file", "head", "size_px"),
    [
        ("yolox_nano_416", "yolox", (416, 416)),
        ("picodet_xs_320", "picodet", (320, 320)),
        ("deimv2_atto_320", "detr", (320, 320)),
        ("deimv2_femto_416", "detr", (416, 416)),
    ],
)
def test_real_files_are_recognised(assets_dir: Path, file: str, head: str, size_px: tuple[int, int]) -> None:
    spec = recognise_file(assets_dir / "models" / f"{file}.onnx")
    assert (spec.head, (spec.input_width_px, spec.input_height_px), spec.class_names) == (head, size_px, coco_classes())


@pytest.mark.assets
def test_a_real_embedding_network_is_not_taken_for_a_detector(assets_dir: Path) -> None:
    with pytest.raises(ModelError, match="no known kind of detector"):
        recognise_file(assets_dir / "models" / "osnet_x0_25_msmt17.onnx")
