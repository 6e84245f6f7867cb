"""Stands in for the package `inference_models` in tests of faults: finds white rectangles, and misbehaves by model id.

The test copies this file into a folder of its own under the name of the package; the worker around it is the real one.
"""

import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np


class BaseInferenceModelsError(Exception):
    pass


class ModelInputError(BaseInferenceModelsError):
    pass


class UnauthorizedModelAccessError(BaseInferenceModelsError):
    pass


class ModelNotFoundError(BaseInferenceModelsError):
    pass


class ModelRuntimeError(BaseInferenceModelsError):
    pass


errors = SimpleNamespace(BaseInferenceModelsError=BaseInferenceModelsError, ModelInputError=ModelInputError)


class InstanceSegmentationModel:
    pass


class Tensor:
    def __init__(self, values: Any) -> None:  # noqa: ANN401 - whatever numpy takes
        self.values = np.asarray(values)

    def cpu(self) -> Any:  # noqa: ANN401 - as torch
        return self.values


class ObjectDetectionModel:
    class_names = ("dark", "bright")

    def __init__(self, model_id: str) -> None:
        self.model_id = model_id

    def infer(self, images: list[Any], *, confidence: float, input_color_format: str) -> list[Any]:
        assert input_color_format == "bgr"
        if self.model_id == "one-size" and len({image.shape for image in images}) > 1:
            raise ModelInputError("several sizes")
        if self.model_id == "fails" and images[0].max() == 0:
            raise ModelRuntimeError("out of memory, says the key sesame")
        if self.model_id == "hangs" and images[0].max() == 0:
            Path(__file__).with_name("hanging").touch()
            time.sleep(600)
        if self.model_id == "dies" and images[0].max() == 0:
            os._exit(3)
        sys.stdout.write("a library that prints to the standard output\n")
        return [self._find(image, confidence) for image in images]

    def _find(self, image: Any, confidence: float) -> Any:  # noqa: ANN401 - an array without a stub in that environment
        y, x = np.nonzero(image[..., 0] == 255)
        if len(x) == 0:
            return SimpleNamespace(xyxy=Tensor([]), confidence=Tensor([]), class_id=Tensor([]))
        box = [x.min(), y.min(), x.max() + 1, y.max() + 1]
        wide = [-5, -5, image.shape[1] + 5, image.shape[0] + 5]
        rows = [(box, confidence, 1), (wide, 0.9, 0), (box, 0.8, 7)]
        return SimpleNamespace(
            *(),
            xyxy=Tensor([r[0] for r in rows]),
            confidence=Tensor([r[1] for r in rows]),
            class_id=Tensor([r[2] for r in rows]),
        )


class AutoModel:
    @staticmethod
    def from_pretrained(model_id: str, *, api_key: str | None, **_options: bool) -> Any:  # noqa: ANN401 - any model
        if model_id == "secret" and api_key != "sesame":
            raise UnauthorizedModelAccessError(f"the key {api_key} is wrong")
        if model_id == "unknown":
            raise ModelNotFoundError("no such model")
        if model_id == "classifier":
            return SimpleNamespace()
        if model_id == "sleeps":
            Path(__file__).with_name("sleeping").touch()
            time.sleep(600)
        if model_id == "breaks":
            raise ValueError("the weights are broken")
        os.write(1, b"a library in C that prints\n")
        return ObjectDetectionModel(model_id)
