"""How a model looks at the frames of many cameras: at their parts side by side, or at each as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from nvr.detection.canvas_detector import CanvasDetector, Look
from nvr.detection.detections import Detections, Detector, Image
from nvr.detection.pool import DetectorPool
from nvr.detection.region_planner import RegionPlan
from nvr.detection.regions import Box, Size
from nvr.media.frame import Frame
from nvr.media.pixels import Converted, ConvertibleFrame, cut_to_bgr, shrink_to_bgr
from nvr.processor.analyst import CameraAnalyst

MANY = 1 << 16
"""As many as there are."""


@dataclass(frozen=True, slots=True, eq=False)
class Glance:
    """A frame that is ready to be looked at."""

    frame: Frame
    analyst: CameraAnalyst
    plan: RegionPlan | None = None
    """Where to look; None for the whole."""
    picture: ConvertibleFrame | None = None
    """What parts are cut out of; None where the whole is looked at."""
    image: Image | None = None
    """The whole; None where parts are looked at."""


class Eye(Protocol):
    """One way of looking. For one thread at a time."""

    @property
    def n_at_once(self) -> int:
        """So many frames take no longer than one, or little; of more, the first would only wait for the last."""
        ...

    @property
    def gains_by_waiting(self) -> bool:
        """Whether frames of other cameras would come along at less than the price of an inference of their own."""
        ...

    @property
    def inferences(self) -> int:
        """Pictures that the model has looked at so far."""
        ...

    @property
    def used_px(self) -> int:
        """Pixels of canvases so far that showed something; 0 where whole frames are looked at."""
        ...

    @property
    def canvas_px(self) -> int:
        """Pixels of one canvas; 0 where whole frames are looked at."""
        ...

    def prepare(self, frame: Frame, analyst: CameraAnalyst) -> Glance:
        """Make a frame ready.

        Raises:
            FrameError: Its picture is not what it should be.
        """
        ...

    def look(self, glances: Sequence[Glance]) -> list[Detections | None]:
        """Find objects, in source pixels; None for a frame in which nothing is worth a look.

        Raises whatever the model does.
        """
        ...


def open_eye(detector: Detector, *, wants_canvases: bool) -> Eye:
    """Return the best way to look with a detector."""
    size_px = detector.canvas_size_px
    return FrameEye(detector) if size_px is None or not wants_canvases else CanvasEye(detector, size_px)


class CanvasEye:
    """Looks at the parts of all frames that are worth a look, side by side on as few canvases as they fit on."""

    def __init__(self, detector: Detector, canvas_size_px: Size) -> None:
        self._detector = detector
        self._canvas = CanvasDetector(detector, canvas_size_px)

    @property
    def n_at_once(self) -> int:
        """See `Eye`."""
        return MANY if self._canvas.can_share else n_at_once(self._detector)

    @property
    def gains_by_waiting(self) -> bool:
        """See `Eye`."""
        return self._canvas.can_share or self._detector.has_real_batches

    @property
    def inferences(self) -> int:
        """See `Eye`."""
        return self._canvas.inferences

    @property
    def used_px(self) -> int:
        """See `Eye`."""
        return self._canvas.used_px

    @property
    def canvas_px(self) -> int:
        """See `Eye`."""
        return self._canvas.canvas_size_px[0] * self._canvas.canvas_size_px[1]

    def prepare(self, frame: Frame, analyst: CameraAnalyst) -> Glance:
        """See `Eye`."""
        # of what is not 4:2:0 a part is as dear as the whole, which is then converted once for all parts
        picture = frame if frame.planes() is not None else Converted(frame.to_bgr())
        return Glance(frame, analyst, plan=analyst.plan(frame, picture, self._canvas.canvas_size_px), picture=picture)

    def look(self, glances: Sequence[Glance]) -> list[Detections | None]:
        """See `Eye`."""
        looks = {
            i: Look(
                glance.frame.source_id,
                (glance.frame.width, glance.frame.height),
                glance.plan.regions,
                partial(_cut, glance.picture or glance.frame),
            )
            for i, glance in enumerate(glances)
            if glance.plan is not None and glance.plan.regions
        }
        found = dict(zip(looks, self._canvas.detect(list(looks.values())), strict=True)) if looks else {}
        return [found.get(i) for i in range(len(glances))]


class FrameEye:
    """Looks at each frame as a whole."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._inferences = 0

    @property
    def n_at_once(self) -> int:
        """See `Eye`."""
        return n_at_once(self._detector)

    @property
    def gains_by_waiting(self) -> bool:
        """See `Eye`."""
        return self._detector.has_real_batches

    @property
    def inferences(self) -> int:
        """See `Eye`."""
        return self._inferences

    @property
    def used_px(self) -> int:
        """See `Eye`."""
        return 0

    @property
    def canvas_px(self) -> int:
        """See `Eye`."""
        return 0

    def prepare(self, frame: Frame, analyst: CameraAnalyst) -> Glance:
        """See `Eye`."""
        size = self._detector.input_size_px(frame.width, frame.height)
        return Glance(frame, analyst, image=frame.to_bgr() if size is None else shrink_to_bgr(frame, *size))

    def look(self, glances: Sequence[Glance]) -> list[Detections | None]:
        """See `Eye`."""
        images = [glance.image for glance in glances if glance.image is not None]
        found = self._detector.infer(images, [glance.frame.source_id for glance in glances])
        self._inferences += len(images)
        return [
            small.scaled(glance.frame.width / image.shape[1], glance.frame.height / image.shape[0])
            for glance, image, small in zip(glances, images, found, strict=True)
        ]


def n_at_once(detector: Detector) -> int:
    """Return how many images a detector looks at in the time of one."""
    if detector.has_real_batches:
        return MANY
    return detector.size if isinstance(detector, DetectorPool) else 1


def _cut(frame: ConvertibleFrame, xyxy_px: Box, size_px: Size) -> Image:
    return cut_to_bgr(frame, xyxy_px, *size_px)
