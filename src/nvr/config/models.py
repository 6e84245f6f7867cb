"""Several models at once: which cameras each of them looks at."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Protocol

from pydantic import Field

ModelText = Annotated[str, Field(min_length=1, max_length=1024)]
"""A model as users name it: catalogue name, path of an .onnx file, `motion`, or `roboflow:<model id>`."""


class ChoosesModel(Protocol):
    """What is asked of a camera's settings."""

    @property
    def model_id(self) -> str | None:
        """The model that looks at this camera; None for the processor's."""
        ...


@dataclass(frozen=True, slots=True)
class ModelGroup:
    """A model and the cameras that it looks at."""

    model_id: str
    source_ids: tuple[int, ...]
    """In the order of the settings; at least one."""


def group_by_model(cameras: Iterable[tuple[int, ChoosesModel]], model_id: str) -> tuple[ModelGroup, ...]:
    """Return each model once, in the order of the first camera of each.

    Two spellings of one model, such as a name and its path, are two models: what a path holds is not known here.

    Args:
        cameras: With their source ids, as `StreamProcessorConfig.numbered_cameras` gives them.
        model_id: Of the cameras that choose none.
    """
    groups: dict[str, list[int]] = {}
    for source_id, camera in cameras:
        groups.setdefault(model_id if camera.model_id is None else camera.model_id, []).append(source_id)
    return tuple(ModelGroup(model, tuple(source_ids)) for model, source_ids in groups.items())
