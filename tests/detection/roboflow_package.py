"""Makes a real model package of `inference-models` out of YOLOX-Nano, decoded to the output layout of YOLOv8."""

import json
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIDE_PX = 416


def write_package(folder: Path, yolox: Path, class_names: tuple[str, ...]) -> Path:
    """Write `folder` so that `AutoModel.from_pretrained(folder)` loads it without network."""
    folder.mkdir()
    onnx.save(_decoded(onnx.load(yolox)), folder / "weights.onnx")
    (folder / "class_names.txt").write_text("\n".join(class_names))
    config = {"model_architecture": "yolov8", "task_type": "object-detection", "backend_type": "onnx"}
    (folder / "model_config.json").write_text(json.dumps(config))
    network_input = {
        "training_input_size": {"height": SIDE_PX, "width": SIDE_PX},
        "dynamic_spatial_size_supported": False,
        "color_mode": "bgr",
        "resize_mode": "letterbox",
        "padding_value": 114,
        "input_channels": 3,
        "scaling_factor": 1,
    }
    inference = {
        "network_input": network_input,
        "forward_pass": {"static_batch_size": 1},
        "post_processing": {"type": "nms", "fused": False},
    }
    (folder / "inference_config.json").write_text(json.dumps(inference))
    return folder


def _decoded(model: onnx.ModelProto) -> onnx.ModelProto:
    cells, strides = _grid()
    raw = model.graph.output[0].name
    constants: dict[str, NDArray[np.float32] | NDArray[np.int64]] = {
        "cells": cells,
        "strides": strides,
        "axis": np.array([2], np.int64),
        **{f"at{n}": np.array([n], np.int64) for n in (0, 2, 4, 5, 85)},
    }
    nodes = [
        *(
            helper.make_node("Slice", [raw, f"at{begin}", f"at{end}", "axis"], [name])
            for name, begin, end in (("xy", 0, 2), ("wh", 2, 4), ("objectness", 4, 5), ("classes", 5, 85))
        ),
        helper.make_node("Add", ["xy", "cells"], ["in_cells"]),
        helper.make_node("Mul", ["in_cells", "strides"], ["centre"]),
        helper.make_node("Exp", ["wh"], ["size_in_cells"]),
        helper.make_node("Mul", ["size_in_cells", "strides"], ["size"]),
        helper.make_node("Mul", ["classes", "objectness"], ["scores"]),
        helper.make_node("Concat", ["centre", "size", "scores"], ["rows"], axis=2),
        helper.make_node("Transpose", ["rows"], ["decoded"], perm=[0, 2, 1]),
    ]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in constants.items())
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("decoded", TensorProto.FLOAT, [1, 84, len(cells)]))
    return model


def _grid() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    cells, strides = [], []
    for stride in (8, 16, 32):
        n = SIDE_PX // stride
        y, x = np.mgrid[:n, :n]
        cells.append(np.stack([x.ravel(), y.ravel()], axis=1))
        strides.append(np.full((n * n, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)
