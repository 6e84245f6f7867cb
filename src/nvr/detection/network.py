"""A network that takes any number of images: in one run where that is faster, else one by one."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nvr.core.errors import ModelError, UnsupportedError
from nvr.detection.freeing import free_graph
from nvr.detection.preprocess import Batch
from nvr.detection.providers import BATCHING
from nvr.detection.runtime import Session
from nvr.detection.signature import Signature

logger = logging.getLogger(__name__)

Batching = Literal["auto", "always"]
"""`auto`: real batches where the provider gains by them. `always`: on a CPU too."""

MAX_BATCH = 32
"""Images in one run at most; bounds the memory of a burst."""

SIZE_INPUT = "orig_target_sizes"
"""The second input of DETR exports: (n, 2) int64 width and height in whose pixels the boxes shall be."""

Size = tuple[int, int]
"""Width and height in pixels."""


class Network:
    """Runs an ONNX file on batches. For one thread at a time."""

    def __init__(self, session: Session, size_px: Size, *, has_real_batches: bool, is_freed: bool = False) -> None:
        self._session = session
        self.size_px = size_px
        self.has_real_batches = has_real_batches
        """Whether several images go through in one run."""
        self.is_freed = is_freed
        """Whether the file had a fixed batch or size that was freed in memory."""

    @property
    def has_free_height(self) -> bool:
        """Whether a batch may have fewer rows than `size_px` says."""
        return self.signature.size_px[1] is None

    @property
    def provider(self) -> str:
        """ONNX Runtime's name of what runs the network."""
        return self._session.provider

    @property
    def signature(self) -> Signature:
        """Inputs and outputs of the network as it runs."""
        return self._session.signature

    def twin(self) -> "Network":
        """Return another one of the same, for another thread; what was tried on this one is not tried again."""
        return Network(
            self._session.twin(), self.size_px, has_real_batches=self.has_real_batches, is_freed=self.is_freed
        )

    def run(self, batch: Batch) -> list[list[NDArray[Any]]]:
        """Return for each image the network's outputs without their batch axis.

        Args:
            batch: (n, 3, height, width), n of any size.

        Raises:
            ModelError: The network failed.
        """
        step = MAX_BATCH if self.has_real_batches else 1
        answers: list[list[NDArray[Any]]] = []
        for start in range(0, len(batch), step):
            part = batch[start : start + step]
            outputs = _run(self._session, part)
            for output in outputs:
                if output.ndim == 0 or len(output) != len(part):
                    raise ModelError(f"outputs: expected {len(part)} answers, got {output.shape}")
            answers.extend([output[i] for output in outputs] for i in range(len(part)))
        return answers


def _run(session: Session, batch: Batch) -> list[NDArray[Any]]:
    image = session.signature.image
    feeds: dict[str, NDArray[Any]] = {image.name: batch}
    if image.type == "tensor(float16)":
        feeds[image.name] = batch.astype(np.float16)
    if any(tensor.name == SIZE_INPUT for tensor in session.signature.inputs):
        # Boxes are asked for in pixels of the input: the way back to the source is the same for all heads.
        feeds[SIZE_INPUT] = np.tile(np.array([batch.shape[3], batch.shape[2]], np.int64), (len(batch), 1))
    return session.run(feeds)


def open_network(
    path: Path,
    size_px: Size | None = None,
    *,
    providers: Sequence[str] | None = None,
    batching: Batching = "auto",
    wants_free_height: bool = False,
) -> Network:
    """Load an ONNX file, with a freed batch or image size where that is needed.

    Args:
        path: The file.
        size_px: Width and height to run at; None for what the file says.
        providers: See `choose_providers`.
        batching: See `Batching`.
        wants_free_height: Free the height too where that can be done and batches are not real: an image of half
            the rows costs half. See `Network.has_free_height` for the outcome.

    Raises:
        ConfigurationError: A provider's name is unknown.
        ModelError: The file is missing, broken, no detector, or cannot run at this size.
        UnsupportedError: ONNX Runtime is not installed.
    """
    return fit_network(Session(path, None, providers), size_px, batching=batching, wants_free_height=wants_free_height)


def fit_network(
    session: Session, size_px: Size | None = None, *, batching: Batching = "auto", wants_free_height: bool = False
) -> Network:
    """Make a network of a file that is open, freed where that is needed; arguments and errors as of `open_network`."""
    size_px = _wanted_size(session.signature, size_px)
    wants_batches = batching == "always" or session.provider in BATCHING
    must_free_size = any(
        own not in (None, wanted) for own, wanted in zip(session.signature.size_px, size_px, strict=True)
    )
    is_enough = session.signature.has_free_batch or not wants_batches
    if session.has_replaceable_weights:  # PicoDet-XS takes 31 ms with them and 18 without
        is_enough = False
    if wants_free_height and not wants_batches and session.signature.size_px[1] is not None:
        is_enough = False
    if not must_free_size and is_enough:
        network = Network(session, size_px, has_real_batches=wants_batches)
    else:
        network = _freed(session, size_px, wants_batches, must_free_size)
    logger.info(
        "%s runs on %s at %dx%d, %s",
        session.path.name, network.provider, *size_px, "in batches" if network.has_real_batches else "image by image",
    )  # fmt: skip
    return network


def _wanted_size(signature: Signature, size_px: Size | None) -> Size:
    own_width, own_height = signature.size_px
    width, height = size_px or (own_width, own_height)
    if width is None or height is None:
        raise ModelError(f"its image size is free ({signature.image}): a sidecar TOML must tell it")
    return width, height


def _freed(original: Session, size_px: Size, wants_batches: bool, must_free_size: bool) -> Network:
    path = original.path
    try:
        content = free_graph(path, original.signature.image.name)
        session = Session(path, content, [original.provider])
        _verify(session, size_px, original, n_images=2 if wants_batches or must_free_size else 1)
    except (ModelError, UnsupportedError) as error:
        if must_free_size:
            own = "x".join(str(size) for size in original.signature.size_px)
            raise ModelError(
                f"model {path}: it is made for {own} and cannot run at {size_px[0]}x{size_px[1]}"
            ) from error
        logger.warning("%s keeps its batch of one: %s", path.name, error)
        return Network(original, size_px, has_real_batches=False)
    return Network(session, size_px, has_real_batches=wants_batches, is_freed=True)


def _verify(session: Session, size_px: Size, original: Session, n_images: int) -> None:
    """Compare a run of some images with runs of one: of the original network, and at a size that it cannot of itself.

    Raises:
        ModelError: They differ, or one cannot be run.
    """
    (own_width, own_height), (width, height) = original.signature.size_px, size_px
    own_size_px = (own_width or width, own_height or height)
    _compare(session, original, own_size_px, n_images)
    if size_px != own_size_px:
        _compare(session, session, size_px, n_images)


def _compare(session: Session, reference: Session, size_px: Size, n_images: int) -> None:
    images = np.random.default_rng(0).uniform(0, 1, (n_images, 3, size_px[1], size_px[0])).astype(np.float32)
    together = _run(session, images)
    for i in range(n_images):
        for got, alone in zip(together, _run(reference, images[i : i + 1]), strict=True):
            if got[i : i + 1].shape != alone.shape or not np.allclose(got[i : i + 1], alone, 1e-3, 1e-3):
                raise ModelError("freed of its fixed batch it answers differently")
