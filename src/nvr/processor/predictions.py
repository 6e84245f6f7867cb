"""Read Roboflow's prediction dictionaries.

`{"image": {"width", "height"}, "predictions": [{x, y, width, height, confidence, class, class_id, detection_id}]}`,
x and y being the centre of the box in pixels; `tracker_id` and `time` (seconds) only where they are known.
"""

import math
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from nvr.core.errors import MessageError
from nvr.core.validation import first_problem
from nvr.events.schema import BoundingBox, Detection

Prediction = Mapping[str, Any]
"""As the pipeline hands it over; nothing in it is trusted."""


def detections_of(prediction: Prediction) -> tuple[Detection, ...]:
    """Return the objects of a prediction.

    Raises:
        MessageError: It has another shape or values out of range; names the field.
    """
    objects = prediction.get("predictions", ())
    if not isinstance(objects, list | tuple):
        raise MessageError(f"predictions: expected a list, got {type(objects).__name__}")
    return tuple(_detection_of(found) for found in objects)


def _detection_of(found: object) -> Detection:
    if not isinstance(found, Mapping):
        raise MessageError(f"predictions: expected dictionaries, got {type(found).__name__}")
    try:
        return Detection(
            class_name=found["class"],
            confidence=found["confidence"],
            bbox=BoundingBox(x=found["x"], y=found["y"], width=found["width"], height=found["height"]),
            tracker_id=found.get("tracker_id"),
            class_id=found.get("class_id"),
        )
    except KeyError as error:
        raise MessageError(f"predictions: {error.args[0]!r} is missing, got {sorted(map(str, found))}") from error
    except ValidationError as error:
        raise MessageError(f"predictions: {first_problem(error)}") from error


def frame_size_of(prediction: Prediction) -> tuple[int | None, int | None]:
    """Return width and height of the frame in pixels, None where the prediction does not say."""
    image = prediction.get("image")
    if not isinstance(image, Mapping):
        return None, None
    width, height = image.get("width"), image.get("height")
    if isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0:
        return width, height
    return None, None


def inference_time_ms_of(prediction: Prediction) -> float:
    """Return the time of the inference; 0 where the pipeline does not tell it."""
    seconds = prediction.get("time")
    if isinstance(seconds, int | float) and math.isfinite(seconds) and seconds >= 0:
        return seconds * 1000.0
    return 0.0
