"""What a network says about itself: its inputs, outputs and metadata."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from nvr.core.errors import ModelError

Shape = tuple[int | None, ...]
"""None where the size is free."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output of a network."""

    name: str
    shape: Shape
    type: str
    """As ONNX Runtime writes it, e.g. `tensor(float)`."""

    def __str__(self) -> str:
        return f"{self.name} ({', '.join('?' if size is None else str(size) for size in self.shape)})"


@dataclass(frozen=True, slots=True)
class Signature:
    """All inputs and outputs of a network, in its order."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Custom metadata of the file, e.g. class names."""

    @property
    def image(self) -> Tensor:
        """The input that takes images, (n, 3, height, width).

        Raises:
            ModelError: There is none, or more than one.
        """
        images = [tensor for tensor in self.inputs if len(tensor.shape) == 4 and tensor.shape[1] in (3, None)]
        if len(images) != 1:
            raise ModelError(f"expected one input (n, 3, height, width), got {describe(self.inputs)}")
        return images[0]

    @property
    def size_px(self) -> tuple[int | None, int | None]:
        """Width and height of the image input."""
        shape = self.image.shape
        return shape[3], shape[2]

    @property
    def has_free_batch(self) -> bool:
        """Whether the network takes several images at once as it is."""
        return self.image.shape[0] is None


def describe(tensors: tuple[Tensor, ...]) -> str:
    """Return names and shapes for a message; only the first few of many."""
    text = ", ".join(str(tensor) for tensor in tensors[:8])
    return f"{text} and {len(tensors) - 8} more" if len(tensors) > 8 else text or "none"
