"""One inference for the regions of many cameras: composed onto canvases, and the boxes mapped back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nvr.core.errors import FrameError
from nvr.detection.detections import Detections, Detector, Image
from nvr.detection.merging import areas, intersections
from nvr.detection.packing import Placement, pack
from nvr.detection.regions import Box, Region, Size

Crop = Callable[[Box, Size], Image]
"""Cuts a rectangle of the source, in its pixels, and scales it to an even width and height, BGR."""

FILL = 114
"""Grey between the regions; what YOLOX and others are trained to see around a picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What shall be looked at in one frame of a camera."""

    source_id: int
    size_px: Size
    """Width and height of the frame."""
    regions: Sequence[Region]
    crop: Crop


@dataclass(frozen=True, slots=True)
class _Piece:
    look: int
    region: Region
    size_px: Size
    placement: Placement


class CanvasDetector:
    """Looks at the regions of many cameras with as few inferences as they fit on. For one thread at a time."""

    def __init__(self, detector: Detector, canvas_size_px: Size, *, gutter_px: int = 8) -> None:
        """Compose for a detector; it stays the caller's to close.

        Args:
            detector: Is given pictures of `canvas_size_px`.
            canvas_size_px: Width and height, best those of the network's input: nothing is scaled then.
            gutter_px: Grey between two regions.
        """
        self._detector = detector
        self._canvas_size_px = canvas_size_px
        self._gutter_px = gutter_px
        self._canvases: list[Image] = []
        self._inferences = 0

    @property
    def detector(self) -> Detector:
        """What looks at the canvases."""
        return self._detector

    @property
    def canvas_size_px(self) -> Size:
        """Width and height of a canvas."""
        return self._canvas_size_px

    @property
    def inferences(self) -> int:
        """Canvases looked at so far."""
        return self._inferences

    def detect(self, looks: Sequence[Look]) -> list[Detections]:
        """Find objects in the regions of frames; one answer per look, in order, in pixels of its source.

        Raises:
            FrameError: A `crop` gave something else than a picture of the size that it was asked for.
            ModelError: The network failed.
        """
        pieces = self._arrange(looks)
        n_canvases = 1 + max((piece.placement.bin for piece in pieces), default=-1)
        canvases = self._compose(looks, pieces, n_canvases)
        found = self._detector.infer(canvases) if canvases else []
        self._inferences += n_canvases
        parts: list[list[Detections]] = [[] for _ in looks]
        for piece in pieces:
            parts[piece.look].append(_of_piece(found[piece.placement.bin], piece, looks[piece.look].size_px))
        return [_joined(answers) for answers in parts]

    def _arrange(self, looks: Sequence[Look]) -> list[_Piece]:
        regions = [(i, region) for i, look in enumerate(looks) for region in look.regions]
        width, height = self._canvas_size_px
        sizes = []
        for _, region in regions:
            wanted = region.canvas_size_px
            shrink = min(1.0, width / wanted[0], height / wanted[1])
            sizes.append((max(2, int(wanted[0] * shrink) // 2 * 2), max(2, int(wanted[1] * shrink) // 2 * 2)))
        placements = pack(sizes, self._canvas_size_px, self._gutter_px)
        return [
            _Piece(i, region, size, placement)
            for (i, region), size, placement in zip(regions, sizes, placements, strict=True)
        ]

    def _compose(self, looks: Sequence[Look], pieces: Sequence[_Piece], n: int) -> list[Image]:
        width, height = self._canvas_size_px
        while len(self._canvases) < n:
            self._canvases.append(np.empty((height, width, 3), np.uint8))
        canvases = self._canvases[:n]
        for canvas in canvases:
            canvas.fill(FILL)
        for piece in pieces:
            look, (w, h) = looks[piece.look], piece.size_px
            picture = look.crop(piece.region.xyxy_px, piece.size_px)
            if picture.shape != (h, w, 3) or picture.dtype != np.uint8:
                got = f"{picture.shape} {picture.dtype}"
                raise FrameError(f"camera {look.source_id}: expected a picture {(h, w, 3)} uint8, got {got}")
            left, top = piece.placement.left_px, piece.placement.top_px
            canvases[piece.placement.bin][top : top + h, left : left + w] = picture
        return canvases


def _of_piece(found: Detections, piece: _Piece, size_px: Size) -> Detections:
    """Return what has its centre in a piece, trimmed to it, in source pixels."""
    left, top = piece.placement.left_px, piece.placement.top_px
    width, height = piece.size_px
    xyxy = found.xyxy_px
    centre_x, centre_y = (xyxy[:, 0] + xyxy[:, 2]) / 2 - left, (xyxy[:, 1] + xyxy[:, 3]) / 2 - top
    inside = (centre_x >= 0) & (centre_x < width) & (centre_y >= 0) & (centre_y < height)
    x0, y0, x1, y1 = piece.region.xyxy_px
    scale = np.array([(x1 - x0) / width, (y1 - y0) / height] * 2, np.float32)
    local = np.clip(xyxy[inside] - np.array([left, top, left, top], np.float32), 0, [width, height, width, height])
    source = (local * scale + np.array([x0, y0, x0, y0])).astype(np.float32)
    source = np.clip(source, np.float32(0), np.array([*size_px, *size_px], np.float32))
    return Detections(source, found.confidence[inside], found.class_id[inside])


def _joined(parts: Sequence[Detections]) -> Detections:
    """Return the detections of one camera without those that two of its regions share, strongest first."""
    if not parts:
        return Detections.empty()
    xyxy = np.concatenate([part.xyxy_px for part in parts])
    confidence = np.concatenate([part.confidence for part in parts])
    class_id = np.concatenate([part.class_id for part in parts])
    order = np.argsort(-confidence, kind="stable")
    xyxy, confidence, class_id = xyxy[order], confidence[order], class_id[order]
    if len(parts) > 1 and len(xyxy) > 1:
        kept = _without_shared(xyxy, class_id)
        xyxy, confidence, class_id = xyxy[kept], confidence[kept], class_id[kept]
    return Detections(xyxy, confidence, class_id)


def _without_shared(xyxy: NDArray[np.float32], class_id: NDArray[np.int32]) -> NDArray[np.bool_]:
    common = intersections(xyxy, xyxy)
    area = areas(xyxy)
    iou = common / np.maximum(area[:, None] + area[None, :] - common, 1e-6)
    same = (class_id[:, None] == class_id[None, :]) & (iou > 0.5)
    kept = np.ones(len(xyxy), np.bool_)
    for i in range(1, len(xyxy)):
        kept[i] = not (same[i, :i] & kept[:i]).any()
    return kept
