"""Free the batch size and the image size that an exporter has frozen into an ONNX file.

In many exports of convolutional networks nothing is frozen but the declared shape of the input and a leading 1 in the
constant shapes of Reshape nodes. There, a 0 means "as it comes in". Whether that was all, only a run can tell:
`nvr.detection.network` compares the freed network with the original.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nvr.core.errors import ModelError, UnsupportedError

if TYPE_CHECKING:
    from onnx import GraphProto


def free_graph(path: Path, image_input: str) -> bytes:
    """Return the ONNX file with free batch, height and width; the file itself is not touched.

    Args:
        path: A file that ONNX Runtime has loaded before.
        image_input: Name of the input (n, 3, height, width).

    Raises:
        ModelError: The file is gone, or too large to be rewritten in memory.
        UnsupportedError: The package onnx is not installed.
    """
    try:
        import onnx  # noqa: PLC0415 - an extra, and 0.3 s that most starts do not need
    except ImportError as error:
        raise UnsupportedError(
            "freeing a model's size needs the package onnx: pip install nvr-multiplexer[cpu]"
        ) from error
    try:
        model = onnx.load(str(path))
        _free_shapes(model.graph, image_input)
        _free_reshapes(model.graph)
        content: bytes = model.SerializeToString()
    except (OSError, ValueError) as error:
        raise ModelError(f"model {path}: it cannot be rewritten: {error}") from error
    return content


def _free_shapes(graph: "GraphProto", image_input: str) -> None:
    # Old exporters list the weights as inputs too, which keeps ONNX Runtime from folding them.
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    del graph.input[:]
    graph.input.extend(inputs)
    for value in graph.input:
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
        if value.name == image_input:
            value.type.tensor_type.shape.dim[2].dim_param = "height"
            value.type.tensor_type.shape.dim[3].dim_param = "width"
    for value in graph.output:
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            dim.dim_param = "batch" if axis == 0 else f"{value.name}_{axis}"
    del graph.value_info[:]


def _free_reshapes(graph: "GraphProto") -> None:
    from onnx import numpy_helper  # noqa: PLC0415 - see above

    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "value":
                constants[node.output[0]] = attribute.t
    for i, node in enumerate(graph.node):
        if node.op_type != "Reshape" or node.input[1] not in constants:
            continue
        shape = numpy_helper.to_array(constants[node.input[1]])
        if shape.ndim == 1 and len(shape) > 1 and shape[0] == 1:
            # A constant of its own, since others may share the old one.
            freed = np.concatenate([[0], shape[1:]]).astype(np.int64)
            node.input[1] = f"freed_shape_{i}"
            graph.initializer.append(numpy_helper.from_array(freed, node.input[1]))
