"""A detector made of a network and its head."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvr.assets.spec import ModelSpec
from nvr.core.errors import InvalidInputError, ModelError
from nvr.detection.detections import Detections, Image
from nvr.detection.heads import Decoder, make_decoder
from nvr.detection.letterbox import Placement, place
from nvr.detection.network import Network
from nvr.detection.nms import Selection
from nvr.detection.preprocess import Preprocessor, check_image

ROWS_PX = 32
"""Rows that a network can be given fewer of: its largest stride."""


class NetworkDetector:
    """Images in, boxes in their own pixels out. For one thread at a time.

    See `nvr.detection.detections.Detector`; `nvr.detection.load.load_detector` makes one from a file.
    """

    def __init__(
        self, model_id: str, network: Network, spec: ModelSpec, selection: Selection, *, is_tried: bool = False
    ) -> None:
        """Join a network and its head, and run it once to see that they fit, unless that `is_tried` already.

        Raises:
            ModelError: They do not.
        """
        self._model_id = model_id
        self._network: Network | None = network
        self._spec = spec
        self._class_names = spec.class_names
        self._preprocessor = Preprocessor(spec)
        self._output_names = [output.name for output in network.signature.outputs]
        self._decoder = make_decoder(spec, selection, self._output_names)
        self._selection = selection
        self._decoders: dict[int, Decoder] = {}
        self._leaves_out_rows = network.has_free_height and not network.has_real_batches and can_leave_out_rows(spec)
        if not is_tried:  # with black, as grey rows would be left out
            self._infer_all([np.zeros((spec.input_height_px, spec.input_width_px, 3), np.uint8)])

    @property
    def model_id(self) -> str:
        """The name that events carry."""
        return self._model_id

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names by class id."""
        return self._class_names

    @property
    def has_real_batches(self) -> bool:
        """Whether several images go through the network in one run: on a GPU, or where it was asked for."""
        return self._network is not None and self._network.has_real_batches

    def input_size_px(self, width: int, height: int) -> tuple[int, int] | None:
        """See `Detector.input_size_px`."""
        spec = self._spec
        placement = place(width, height, spec.input_width_px, spec.input_height_px, spec.resize)
        even = (placement.width_px + placement.width_px % 2, placement.height_px + placement.height_px % 2)
        return even if even[0] < width and even[1] < height else None

    @property
    def canvas_size_px(self) -> tuple[int, int]:
        """Width and height of the network's input."""
        return self._spec.input_width_px, self._spec.input_height_px

    @property
    def confidence_threshold(self) -> float:
        """See `AdjustableDetector`."""
        return self._selection.confidence_threshold

    def set_confidence_threshold(self, confidence: float) -> None:
        """See `AdjustableDetector`."""
        self._selection = replace(self._selection, confidence_threshold=confidence)
        self._decoder = make_decoder(self._spec, self._selection, self._output_names)
        self._decoders = {}

    def twin(self) -> "NetworkDetector":
        """Load the same once more, for another thread, in a fraction of the time.

        Raises:
            ModelError: This one is closed, or the network cannot be loaded again.
        """
        if self._network is None:
            raise ModelError(f"model {self._model_id}: the detector is closed")
        return NetworkDetector(self._model_id, self._network.twin(), self._spec, self._selection, is_tried=True)

    def infer(self, images: Sequence[Image], source_ids: Sequence[int] | None = None) -> list[Detections]:
        """See `Detector.infer`; the sources make no difference here."""
        if source_ids is not None and len(source_ids) != len(images):
            raise InvalidInputError(f"source_ids: expected {len(images)}, one per image, got {len(source_ids)}")
        return self._infer_all(images) if len(images) else []

    def close(self) -> None:
        """Free the network; `infer` raises ModelError from now on."""
        self._network = None

    def _infer_all(self, images: Sequence[Image]) -> list[Detections]:
        if self._network is None:
            raise ModelError(f"model {self._model_id}: the detector is closed")
        if self._leaves_out_rows:
            for image in images:
                check_image(image)
            return [self._infer_used_rows(self._network, image) for image in images]
        batch, placements = self._preprocessor.fill(images)
        return [
            self._answer(self._decoder, outputs, placement)
            for outputs, placement in zip(self._network.run(batch), placements, strict=True)
        ]

    def _infer_used_rows(self, network: Network, image: Image) -> Detections:
        batch, placement = self._preprocessor.fill_rows(image, ROWS_PX)
        rows = batch.shape[2]
        decoder = self._decoder
        if rows != self._spec.input_height_px:
            if rows not in self._decoders:
                self._decoders[rows] = make_decoder(replace(self._spec, input_height_px=rows), self._selection)
            decoder = self._decoders[rows]
        return self._answer(decoder, network.run(batch)[0], placement)

    def _answer(self, decoder: Decoder, outputs: Sequence[NDArray[Any]], placement: Placement) -> Detections:
        found = decoder.decode(outputs)
        xyxy_px = placement.to_source(found.xyxy_px)
        # Outside the image nothing is left of a box, e.g. of one in the grey part of the letterbox.
        inside = (xyxy_px[:, 2] > xyxy_px[:, 0]) & (xyxy_px[:, 3] > xyxy_px[:, 1])
        in_range = inside & (found.class_id >= 0) & (found.class_id < len(self._class_names))
        return Detections(xyxy_px[in_range], found.confidence[in_range], found.class_id[in_range])


def can_leave_out_rows(spec: ModelSpec) -> bool:
    """Return whether a model answers for the upper rows of its input alone as if the rest were grey.

    True of a convolutional network whose head has a cell for each place, if images lie at the top.
    """
    return spec.head == "yolox" and spec.resize == "letterbox_top_left"
