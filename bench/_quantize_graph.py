"""An ONNX file with 8 bit weights and activations, by ONNX Runtime's own quantiser (static, QDQ)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, version_converter
from onnxruntime.quantization import (  # type: ignore[import-untyped]  # ships no types
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process  # type: ignore[import-untyped]  # as above

from nvr.assets.spec import ModelSpec
from nvr.detection.detections import Image
from nvr.detection.preprocess import Preprocessor

LEAST_OPSET = 13
"""DequantizeLinear has an axis, for one scale a channel, since then."""
OPSET = 17

METHODS: dict[str, tuple[CalibrationMethod, dict[str, object]]] = {
    "min-max": (CalibrationMethod.MinMax, {}),
    "moving-average": (CalibrationMethod.MinMax, {"CalibMovingAverage": True}),
    "entropy": (CalibrationMethod.Entropy, {}),
    "percentile": (CalibrationMethod.Percentile, {"CalibPercentile": 99.99}),
}
"""How ranges of activations are found: all that was seen, the mean of the frames', by least loss, without outliers."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is quantised, and how the ranges of activations are found."""

    name: str
    first_convs_kept: int
    """Convolutions from the input on that stay in float; the decode head always does."""
    method: str
    """One of `METHODS`."""


def simplified(path: Path, target: Path) -> Path:
    """Write the graph as the quantiser wants it: weights that are no inputs, a newer opset, what is constant folded."""
    model = onnx.load(str(path))
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    if model.opset_import[0].version < LEAST_OPSET:
        model = version_converter.convert_version(model, OPSET)
    onnx.save(model, str(target))
    # shapes with symbols need another package, and only models with free sizes gain by it
    quant_pre_process(str(target), str(target), skip_symbolic_shape=True)
    return target


def quantised(simple: Path, target: Path, spec: ModelSpec, frames: Sequence[Image], recipe: Recipe) -> Path:
    """Write `simple` with 8 bits: weights signed, one scale a channel; activations unsigned, one scale a tensor."""
    model = onnx.load(str(simple))
    method, options = METHODS[recipe.method]
    quantize_static(
        str(simple),
        str(target),
        _Frames(frames, spec, [value.name for value in model.graph.input]),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=method,
        nodes_to_exclude=sorted(_decode_head(model) | _first_nodes(model, recipe.first_convs_kept)),
        extra_options=options,
    )
    return target


class _Frames(CalibrationDataReader):  # type: ignore[misc]  # the base class has no types
    """Frames as the product feeds them, each once."""

    def __init__(self, frames: Sequence[Image], spec: ModelSpec, input_names: Sequence[str]) -> None:
        self._feeds = self._make_feeds(frames, spec, input_names)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self._feeds, None)

    @staticmethod
    def _make_feeds(
        frames: Sequence[Image], spec: ModelSpec, input_names: Sequence[str]
    ) -> Iterator[dict[str, NDArray[Any]]]:
        preprocessor = Preprocessor(spec)
        for frame in frames:
            batch, _ = preprocessor.fill([frame])
            yield feeds(input_names, batch.copy())


def feeds(input_names: Sequence[str], batch: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return a batch under the names of a network's inputs; DETR exports want its size, too."""
    sizes = np.array([[batch.shape[3], batch.shape[2]]], np.int64)
    return {name: sizes if name == "orig_target_sizes" else batch for name in input_names}


def _first_nodes(model: ModelProto, n_convs: int) -> set[str]:
    names: set[str] = set()
    for node in model.graph.node:
        n_convs -= node.op_type == "Conv"
        if n_convs < 0:
            break
        names.add(node.name)
    return names if names and n_convs < 0 else set()


def _decode_head(model: ModelProto) -> set[str]:
    """Return the last convolutions, and all behind them, whose numbers are coordinates and scores."""
    producers: dict[str, NodeProto] = {name: node for node in model.graph.node for name in node.output}
    waiting = [producers[value.name] for value in model.graph.output]
    names: set[str] = set()
    while waiting:
        node = waiting.pop()
        if node.name in names:
            continue
        names.add(node.name)
        if node.op_type != "Conv":
            waiting += [producers[name] for name in node.input if name in producers]
    return names
