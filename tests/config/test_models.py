"""Which cameras share a model."""

import pytest
from pydantic import Field, ValidationError

from nvr.config.camera import CameraConfig
from nvr.config.models import ModelGroup, ModelText, group_by_model


class Camera(CameraConfig):
    """A camera that may choose its model."""

    model_id: ModelText | None = Field(default=None)


def camera(model_id: str | None) -> Camera:
    return Camera(uri="rtsp://camera/1", model_id=model_id)


def test_cameras_that_choose_nothing_share_the_model_of_the_processor() -> None:
    cameras = [(0, camera(None)), (7, camera(None))]
    assert group_by_model(cameras, "yolox-nano") == (ModelGroup("yolox-nano", (0, 7)),)


def test_each_model_comes_once_in_the_order_of_the_cameras() -> None:
    cameras = [(0, camera("motion")), (1, camera(None)), (2, camera("plates.onnx")), (3, camera("motion"))]
    assert group_by_model(cameras, "yolox-nano") == (
        ModelGroup("motion", (0, 3)),
        ModelGroup("yolox-nano", (1,)),
        ModelGroup("plates.onnx", (2,)),
    )


def test_naming_the_model_of_the_processor_is_no_second_model() -> None:
    cameras = [(0, camera(None)), (1, camera("yolox-nano"))]
    assert group_by_model(cameras, "yolox-nano") == (ModelGroup("yolox-nano", (0, 1)),)


def test_without_cameras_no_model_is_needed() -> None:
    assert group_by_model([], "yolox-nano") == ()


@pytest.mark.parametrize("model_id", ["", "x" * 1025])
def test_a_model_has_a_name_of_a_sensible_length(model_id: str) -> None:
    with pytest.raises(ValidationError):
        camera(model_id)
