"""Small real networks in the layouts of well-known exporters, written as ONNX files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


def save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    weights: Mapping[str, NDArray[Any]],
    *,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    initializers = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(list(nodes), "test", list(inputs), list(outputs), initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, dict(metadata or {}))
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def tensor(name: str, shape: Sequence[int | str], elem_type: int = FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, elem_type, list(shape))


def yolox_like(
    path: Path, n_classes: int = 3, size_px: tuple[int, int] = (64, 32), *, keeps_batch: bool = True
) -> Path:
    """A convolution per stride, joined as YOLOX joins them; everything is frozen to one image of one size.

    With `keeps_batch=False` the reshape leaves no place for a batch, which only a run can show.
    """
    rng = np.random.default_rng(1)
    channels = 5 + n_classes
    nodes, weights, parts = [], {}, []
    for stride in (8, 16, 32):
        weights[f"w{stride}"] = rng.normal(0, 0.05, (channels, 3, stride, stride)).astype(np.float32)
        nodes.append(helper.make_node("Conv", ["images", f"w{stride}"], [f"c{stride}"], strides=[stride, stride]))
        nodes.append(helper.make_node("Sigmoid", [f"c{stride}"], [f"s{stride}"]))
        nodes.append(helper.make_node("Reshape", [f"s{stride}", "shape"], [f"r{stride}"]))
        parts.append(f"r{stride}")
    weights["shape"] = np.array([1, channels, -1] if keeps_batch else [channels, -1], np.int64)
    nodes.append(helper.make_node("Concat", parts, ["joined"], axis=-1))
    if keeps_batch:
        nodes.append(helper.make_node("Transpose", ["joined"], ["output"], perm=[0, 2, 1]))
    else:
        weights["axes"] = np.array([0], np.int64)
        nodes.append(helper.make_node("Transpose", ["joined"], ["turned"], perm=[1, 0]))
        nodes.append(helper.make_node("Unsqueeze", ["turned", "axes"], ["output"]))
    width, height = size_px
    n_cells = sum((width // s) * (height // s) for s in (8, 16, 32))
    images, output = tensor("images", [1, 3, height, width]), tensor("output", [1, n_cells, channels])
    return save(path, nodes, [images], [output], weights)


def constant_outputs(
    path: Path,
    answers: Mapping[str, NDArray[Any]],
    size_px: tuple[int, int] = (64, 64),
    metadata: Mapping[str, str] | None = None,
    *,
    takes_sizes: bool = False,
) -> Path:
    """A network that answers the same for each image; answers come with their batch axis of 1.

    With `takes_sizes` the output `boxes` is relative and is multiplied by `orig_target_sizes`, as DETR exports do.
    """
    nodes, weights, outputs = [], {}, []
    inputs = [tensor("images", [1, 3, size_px[1], size_px[0]])]
    if takes_sizes:
        inputs.append(tensor("orig_target_sizes", [1, 2], TensorProto.INT64))
        nodes.append(helper.make_node("Cast", ["orig_target_sizes"], ["wh"], to=FLOAT))
        nodes.append(helper.make_node("Concat", ["wh", "wh"], ["whwh"], axis=1))
    for name, answer in answers.items():
        weights[f"{name}_value"] = answer
        factor = "whwh" if takes_sizes and name == "boxes" else None
        operands = [f"{name}_value", factor] if factor else [f"{name}_value"]
        nodes.append(helper.make_node("Mul" if factor else "Identity", operands, [name]))
        elem_type = helper.np_dtype_to_tensor_dtype(answer.dtype)
        outputs.append(tensor(name, answer.shape, elem_type))
    return save(path, nodes, inputs, outputs, weights, metadata=metadata)
