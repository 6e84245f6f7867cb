"""What a detector answers, and what a detector is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from nvr.core.errors import InvalidInputError

Image = NDArray[np.uint8]
"""(H, W, 3) uint8, BGR."""


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """The objects seen in one image, as parallel arrays of length n, strongest first."""

    xyxy_px: NDArray[np.float32]
    """(n, 4) left, top, right, bottom in pixels of the image, inside it."""
    confidence: NDArray[np.float32]
    """(n,) 0..1."""
    class_id: NDArray[np.int32]
    """(n,) index into the detector's `class_names`."""

    def __post_init__(self) -> None:
        n = len(self.xyxy_px)
        for name, array, shape, dtype in (
            ("xyxy_px", self.xyxy_px, (n, 4), np.float32),
            ("confidence", self.confidence, (n,), np.float32),
            ("class_id", self.class_id, (n,), np.int32),
        ):
            if array.shape != shape or array.dtype != dtype:
                raise InvalidInputError(f"{name}: expected {shape} {np.dtype(dtype)}, got {array.shape} {array.dtype}")

    @classmethod
    def empty(cls) -> Self:
        """Return the answer of a detector that saw nothing."""
        return cls(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int32))

    def scaled(self, x: float, y: float) -> Self:
        """Return the same objects in pixels of an image that is larger by these factors."""
        if x == y == 1:
            return self
        return type(self)(self.xyxy_px * np.array([x, y, x, y], np.float32), self.confidence, self.class_id)

    def where(self, chosen: NDArray[np.bool_]) -> Self:
        """Return those that an (n,) mask chooses."""
        return type(self)(self.xyxy_px[chosen], self.confidence[chosen], self.class_id[chosen])

    def joined(self, others: Self) -> Self:
        """Return these and then the others."""
        return type(self)(
            np.concatenate([self.xyxy_px, others.xyxy_px]),
            np.concatenate([self.confidence, others.confidence]),
            np.concatenate([self.class_id, others.class_id]),
        )

    def __len__(self) -> int:
        return len(self.xyxy_px)


class Detector(Protocol):
    """Anything that finds objects in images. Called from one thread at a time."""

    @property
    def model_id(self) -> str:
        """The name that events carry."""
        ...

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names by class id."""
        ...

    @property
    def has_real_batches(self) -> bool:
        """Whether several images go through at once; else the last answer of a batch is as late as all together."""
        ...

    def input_size_px(self, width: int, height: int) -> tuple[int, int] | None:
        """Return the even width and height that an image of a size is scaled to before anything looks at it.

        Who has the image in another form may scale it so himself, at a tenth of the cost, and scale the boxes back.
        None where the whole image is looked at, or nothing is gained.
        """
        ...

    @property
    def canvas_size_px(self) -> tuple[int, int] | None:
        """Width and height of a picture composed of parts of many images, which it looks at without scaling it.

        None where it must see whole images of one camera each.
        """
        ...

    def infer(self, images: Sequence[Image], source_ids: Sequence[int] | None = None) -> list[Detections]:
        """Find objects in a batch of images of any sizes; one answer per image, in order.

        Args:
            images: May be of different cameras and sizes. Not modified, not kept.
            source_ids: The camera of each image, for detectors that learn what a camera usually sees; without
                them each place in the batch counts as one camera.

        Raises:
            FrameError: An image is empty or not (H, W, 3) uint8.
            InvalidInputError: There are more or fewer source ids than images.
        """
        ...

    def close(self) -> None:
        """Free the network; the detector cannot be used afterwards."""
        ...


@runtime_checkable
class AdjustableDetector(Protocol):
    """A detector whose threshold can be changed while it is in use, by the thread that asks it."""

    @property
    def confidence_threshold(self) -> float:
        """What is weaker is not reported, 0..1."""
        ...

    def set_confidence_threshold(self, confidence: float) -> None:
        """Report from the next image on what is at least so sure, 0..1."""
        ...
