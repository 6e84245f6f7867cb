"""What the quantiser is told to leave alone, and that the rest has 8 bits."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from bench._quantize_graph import METHODS, Recipe, quantised, simplified
from onnx import helper

from nvr.assets.spec import default_spec
from nvr.detection.runtime import Session
from tests.detection.onnx_graphs import save, tensor

SPEC = default_spec("yolox", 64, 32, ("person",))
RNG = np.random.default_rng(0)
FRAMES = [RNG.integers(0, 256, (32, 64, 3)).astype(np.uint8) for _ in range(4)]
CONVS = ("stem", "body", "head")


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """Three convolutions, all weights listed as inputs too, as old exporters do."""
    nodes, weights, last = [], {}, "images"
    for name, columns in zip(CONVS, (3, 8, 8), strict=True):
        weights[f"{name}_w"] = RNG.normal(0, 0.1, (8, columns, 3, 3)).astype(np.float32)
        nodes.append(helper.make_node("Conv", [last, f"{name}_w"], [f"{name}_c"], name, pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Sigmoid", [f"{name}_c"], [f"{name}_s"], f"{name}_sigmoid"))
        last = f"{name}_s"
    inputs = [tensor("images", [1, 3, 32, 64]), *(tensor(name, array.shape) for name, array in weights.items())]
    return save(tmp_path / "float.onnx", nodes, inputs, [tensor(last, [1, 8, 32, 64])], weights)


def in_8_bits(path: Path) -> set[str]:
    """Return the convolutions whose weights come from integers."""
    graph = onnx.load(str(path)).graph
    dequantised = {name for node in graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    return {node.name for node in graph.node if node.op_type == "Conv" and node.input[1] in dequantised}


def test_weights_are_no_inputs_any_more(network: Path, tmp_path: Path) -> None:
    simple = simplified(network, tmp_path / "simple.onnx")
    assert [value.name for value in onnx.load(str(network)).graph.input][1:] == [f"{name}_w" for name in CONVS]
    assert [value.name for value in onnx.load(str(simple)).graph.input] == ["images"]


@pytest.mark.parametrize(("kept", "expected"), [(0, {"stem", "body"}), (1, {"body"}), (2, set())])
def test_the_head_stays_in_float_and_as_many_convolutions_as_asked(
    network: Path, tmp_path: Path, kept: int, expected: set[str]
) -> None:
    simple = simplified(network, tmp_path / "simple.onnx")
    path = quantised(simple, tmp_path / "int8.onnx", SPEC, FRAMES, Recipe("kept", kept, "min-max"))
    assert in_8_bits(path) == expected


@pytest.mark.parametrize("method", METHODS)
def test_the_quantised_network_answers_nearly_the_same(network: Path, tmp_path: Path, method: str) -> None:
    simple = simplified(network, tmp_path / "simple.onnx")
    path = quantised(simple, tmp_path / "int8.onnx", SPEC, FRAMES, Recipe("all", 0, method))
    batch = FRAMES[0].transpose(2, 0, 1)[None].astype(np.float32)
    expected, got = (Session(file, None, ["cpu"]).run({"images": batch})[0] for file in (network, path))
    assert 0 < np.abs(got - expected).mean() < 0.01
