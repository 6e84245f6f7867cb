"""One inference for the regions of many cameras: composed onto canvases, and the boxes mapped back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nvr.core.errors import FrameError
from nvr.detection.detections import Detections, Detector, Image
from nvr.detection.merging import Boxes, areas, intersections
from nvr.detection.packing import Placement, pack
from nvr.detection.regions import Box, Region, Size, full_scale

Crop = Callable[[Box, Size], Image]
"""Cuts a rectangle of the source, in its pixels, and scales it to an even width and height, BGR."""

FILL = 114
"""Grey between the regions; what YOLOX and others are trained to see around a picture."""

_EDGE_PX = 1.5
"""A box that ends so near to its region's edge, in pixels of the canvas, may go on behind it."""
_SAME_IOU = 0.5
"""Two boxes of one class from two regions that overlap so much are one object."""
_SAME_SHARE = 0.6
"""The same for a box that an edge has cut: share of it that lies in the other."""


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
    """A region on a canvas."""

    look: int
    region: Region
    size_px: Size
    placement: Placement


class CanvasDetector:
    """Looks at the regions of many cameras with as few inferences as they fit on. For one thread at a time."""

    def __init__(self, detector: Detector, canvas_size_px: Size, *, gutter_px: int = 8, room_canvases: int = 1) -> None:
        """Compose for a detector; it stays the caller's to close.

        Args:
            detector: Is given pictures of `canvas_size_px`.
            canvas_size_px: Width and height, best those of the network's input: nothing is scaled then.
            gutter_px: Grey between two regions; with less, a network sees one object where two meet.
            room_canvases: Regions are enlarged, where they ask for it, while all fit on so many canvases; beyond,
                only where that takes none more.
        """
        self._detector = detector
        self._canvas_size_px = canvas_size_px
        self._gutter_px = gutter_px
        self._room_canvases = room_canvases
        self._canvases: list[Image] = []
        self._inferences = 0
        self._used_px = 0
        self._can_share = True

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

    @property
    def used_px(self) -> int:
        """Pixels of these that showed something, gutters and grey left out."""
        return self._used_px

    @property
    def can_share(self) -> bool:
        """Whether two looks like those of the last call fit onto one canvas: else nothing is gained by more of them."""
        return self._can_share

    def detect(self, looks: Sequence[Look]) -> list[Detections]:
        """Find objects in the regions of frames; one answer per look, in order, in pixels of its source.

        Raises:
            FrameError: A `crop` gave something else than a picture of the size that it was asked for.
            ModelError: The network failed.
        """
        pieces = self._arrange(looks)
        canvases = self._compose(looks, pieces)
        if not canvases:
            return [Detections.empty() for _ in looks]
        self._can_share = 2 * self._covered_px(looks) <= self._canvas_size_px[0] * self._canvas_size_px[1]
        found = self._detector.infer(canvases)
        self._inferences += len(canvases)
        self._used_px += sum(piece.size_px[0] * piece.size_px[1] for piece in pieces)
        return _mapped(found, pieces, looks)

    def _covered_px(self, looks: Sequence[Look]) -> float:
        """Return what a look covers of a canvas on average, its regions not enlarged."""
        covered_px = 0.0
        for look in looks:
            scale = full_scale(look.size_px, self._canvas_size_px)
            for region in look.regions:
                left, top, right, bottom = region.xyxy_px
                covered_px += (right - left) * (bottom - top) * min(region.scale, scale) ** 2
        return covered_px / sum(bool(look.regions) for look in looks)

    def _arrange(self, looks: Sequence[Look]) -> list[_Piece]:
        """Return where each region goes; those that were to be enlarged are not where that takes a canvas more."""
        regions = [(i, region) for i, look in enumerate(looks) for region in look.regions]
        wanted = [region.scale for _, region in regions]
        plain = [min(region.scale, full_scale(looks[i].size_px, self._canvas_size_px)) for i, region in regions]
        pieces = self._pack(regions, wanted)
        if wanted != plain and _n_canvases(pieces) > self._room_canvases:
            smaller = self._pack(regions, plain)
            if _n_canvases(smaller) < _n_canvases(pieces):
                return smaller
        return pieces

    def _pack(self, regions: Sequence[tuple[int, Region]], scales: Sequence[float]) -> list[_Piece]:
        sizes = [
            region.size_on_canvas_px(scale, self._canvas_size_px)
            for (_, region), scale in zip(regions, scales, strict=True)
        ]
        placements = pack(sizes, self._canvas_size_px, self._gutter_px)
        return [
            _Piece(i, region, size, placement)
            for (i, region), size, placement in zip(regions, sizes, placements, strict=True)
        ]

    def _compose(self, looks: Sequence[Look], pieces: Sequence[_Piece]) -> list[Image]:
        width, height = self._canvas_size_px
        n = _n_canvases(pieces)
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


def _n_canvases(pieces: Sequence[_Piece]) -> int:
    return 1 + max((piece.placement.bin for piece in pieces), default=-1)


def _mapped(found: Sequence[Detections], pieces: Sequence[_Piece], looks: Sequence[Look]) -> list[Detections]:
    """Return the detections of all canvases by look: each belongs to the piece that its centre is in, if any."""
    on_canvas, confidence, class_id, number = _strongest_first(found)
    placed = np.array(
        [
            (piece.placement.left_px, piece.placement.top_px, *piece.size_px, piece.placement.bin, piece.look)
            for piece in pieces
        ],
        np.float32,
    )
    corner, size, canvas_of, look_of = placed[:, :2], placed[:, 2:4], placed[:, 4], placed[:, 5]
    centre = (on_canvas[:, :2] + on_canvas[:, 2:]) / 2
    local = centre[:, None] - corner
    inside = ((local >= 0) & (local < size)).all(axis=2) & (number[:, None] == canvas_of)
    kept = np.flatnonzero(inside.any(axis=1))
    piece_of = inside[kept].argmax(axis=1)
    sources = np.array([piece.region.xyxy_px for piece in pieces], np.float32)
    frames = np.array([looks[piece.look].size_px for piece in pieces], np.float32)
    moved = on_canvas[kept].reshape(-1, 2, 2) - corner[piece_of, None]
    boxes, is_cut = _to_source(moved.reshape(-1, 4), size[piece_of], sources[piece_of], frames[piece_of])
    of_look = look_of[piece_of]
    distinct = _distinct(boxes, class_id[kept], of_look, piece_of, is_cut)
    answers = []
    for i in range(len(looks)):
        own = distinct[of_look[distinct] == i]
        answers.append(Detections(boxes[own], confidence[kept[own]], class_id[kept[own]]))
    return answers


def _strongest_first(
    found: Sequence[Detections],
) -> tuple[Boxes, NDArray[np.float32], NDArray[np.int32], NDArray[np.int64]]:
    confidence = np.concatenate([answer.confidence for answer in found])
    order = np.argsort(-confidence, kind="stable")
    number = np.repeat(np.arange(len(found)), [len(answer) for answer in found])
    boxes = np.concatenate([answer.xyxy_px for answer in found])
    return boxes[order], confidence[order], np.concatenate([a.class_id for a in found])[order], number[order]


def _to_source(local: Boxes, size: Boxes, sources: Boxes, frames: Boxes) -> tuple[Boxes, NDArray[np.bool_]]:
    """Return boxes in source pixels, trimmed to their regions, and whether an edge inside the frame cuts them.

    Args:
        local: (n, 4) boxes relative to their piece of a canvas.
        size: (n, 2) width and height of the piece.
        sources: (n, 4) the region of the source.
        frames: (n, 2) width and height of the frame.
    """
    trimmed = np.clip(local.reshape(-1, 2, 2), np.float32(0), size[:, None])
    scale = (sources[:, 2:] - sources[:, :2]) / size
    boxes = (trimmed * scale[:, None] + sources[:, None, :2]).reshape(-1, 4)
    cut_left_top = (local[:, :2] < _EDGE_PX) & (sources[:, :2] > 0)
    cut_right_bottom = (local[:, 2:] > size - _EDGE_PX) & (sources[:, 2:] < frames)
    is_cut: NDArray[np.bool_] = np.any(cut_left_top | cut_right_bottom, axis=1)
    return boxes, is_cut


def _distinct(
    boxes: Boxes,
    class_id: NDArray[np.int32],
    look_of: NDArray[np.float32],
    piece_of: NDArray[np.intp],
    is_cut: NDArray[np.bool_],
) -> NDArray[np.intp]:
    """Return the places of the boxes that no other region of their frame shows too; whole ones go before cut ones."""
    order = np.argsort(is_cut, kind="stable")
    boxes, is_cut = boxes[order], is_cut[order]
    kind = np.stack([class_id[order], look_of[order], piece_of[order]])
    is_rival = (kind[:2, :, None] == kind[:2, None]).all(axis=0) & (kind[2, :, None] != kind[2])
    common = intersections(boxes, boxes)
    area = areas(boxes)
    is_same = common > _SAME_IOU * (area[:, None] + area - common)
    is_same |= is_cut[:, None] & (common > _SAME_SHARE * area[:, None])
    is_same &= is_rival
    kept = np.ones(len(boxes), np.bool_)
    for i in np.flatnonzero(np.tril(is_same, -1).any(axis=1)):
        kept[i] = not (is_same[i, :i] & kept[:i]).any()
    places: NDArray[np.intp] = np.sort(order[kept])
    return places
