"""Real things that move, cut out of a real video: each on its way through the picture, and the scene without any."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels, within the picture."""

_PLATE_FRAMES = 61
_FEATHER_PX = 4
_LEAST_CONTRAST = 24
_LEAST_AREA_PX = 350
_LEAST_OVERLAP = 0.2
_LEAST_FRAMES = 3
_LEAST_WAY = 0.15
"""From the first to the last frame, in picture heights."""


@dataclass(frozen=True, slots=True)
class Cutout:
    """One thing in one frame."""

    box: Box
    pixels: Image
    """(h, w, 3) BGR, of the box."""
    alpha: NDArray[np.float32]
    """(h, w, 1), 0..1: soft at its edges."""

    def paste(self, image: Image) -> None:
        """Put the thing into a picture where it was, in place."""
        left, top, right, bottom = self.box
        region = image[top:bottom, left:right]
        region[:] = (region * (1 - self.alpha) + self.pixels * self.alpha).astype(np.uint8)


@dataclass(slots=True)
class Walk:
    """One thing, frame by frame, from when it came into the picture."""

    start_frame: int
    cutouts: list[Cutout] = field(default_factory=list)

    @property
    def area_px(self) -> int:
        """The median of its boxes' areas."""
        return int(np.median([(c.box[2] - c.box[0]) * (c.box[3] - c.box[1]) for c in self.cutouts]))


@dataclass(frozen=True, slots=True)
class Material:
    """What a video is made of."""

    plate: Image
    """The scene without anything that moves."""
    fps: float
    n_frames: int
    walks: list[Walk]


def read_frames(path: Path) -> Iterator[Image]:
    """Yield all pictures of a video as BGR."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="bgr24", threads=1).astype(np.uint8, copy=False)


def frame_rate(path: Path) -> float:
    """Return the average frame rate of a video."""
    with av.open(str(path)) as container:
        return float(container.streams.video[0].average_rate or 25)


def clean_plate(path: Path) -> tuple[Image, int]:
    """Return the median of pictures all over a video, and how many frames it has."""
    n_frames = sum(1 for _ in read_frames(path))
    step = max(1, n_frames // _PLATE_FRAMES)
    chosen = [image for number, image in enumerate(read_frames(path)) if number % step == 0]
    return np.median(np.stack(chosen), axis=0).astype(np.uint8), n_frames


def cut_by_truth(path: Path, boxes: dict[int, dict[int, Box]]) -> Material:
    """Cut things out by their true boxes: `boxes[identity][frame]`, frames from 0, in consecutive frames."""
    plate, n_frames = clean_plate(path)
    walks: dict[tuple[int, int], Walk] = {}
    starts = {identity: min(of_identity) for identity, of_identity in boxes.items()}
    for number, image in enumerate(read_frames(path)):
        for identity, of_identity in boxes.items():
            box = _inside(of_identity.get(number), image)
            if box is None:
                continue
            walk = walks.setdefault((identity, starts[identity]), Walk(number))
            if walk.start_frame + len(walk.cutouts) != number:  # it was away: a walk of its own
                starts[identity] = number
                walk = walks.setdefault((identity, number), Walk(number))
            walk.cutouts.append(_soft_box(image, box))
    return Material(plate, frame_rate(path), n_frames, [walk for walk in walks.values() if _is_useful(walk, plate)])


def cut_by_difference(path: Path) -> Material:
    """Cut out what differs from the clean plate, and follow it from frame to frame by its overlap with itself."""
    plate, n_frames = clean_plate(path)
    walks: list[Walk] = []
    alive: list[Walk] = []
    for number, image in enumerate(read_frames(path)):
        found = _find_things(image, plate)
        still_alive = []
        for walk in alive:
            best = max(found, key=lambda cutout: _overlap(cutout.box, walk.cutouts[-1].box), default=None)
            if best is not None and _overlap(best.box, walk.cutouts[-1].box) >= _LEAST_OVERLAP:
                walk.cutouts.append(best)
                found.remove(best)
                still_alive.append(walk)
        new = [Walk(number, [cutout]) for cutout in found]
        walks += new
        alive = still_alive + new
    return Material(plate, frame_rate(path), n_frames, [walk for walk in walks if _is_useful(walk, plate)])


def _is_useful(walk: Walk, plate: Image) -> bool:
    # what stays where it is was laid bare by a drift of the camera
    if len(walk.cutouts) < _LEAST_FRAMES:
        return False
    first, last = (_centre(walk.cutouts[index].box) for index in (0, -1))
    return math.dist(first, last) >= _LEAST_WAY * float(plate.shape[0])


def _centre(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _as_bright_as(plate: Image, image: Image) -> Image:
    """Undo the exposure control of the camera, which darkens all where something bright comes in."""
    ratios = (plate[::8, ::8].astype(np.float32) + 1) / (image[::8, ::8].astype(np.float32) + 1)
    return cv2.convertScaleAbs(image, alpha=float(np.median(ratios))).astype(np.uint8, copy=False)


def _find_things(original: Image, plate: Image) -> list[Cutout]:
    image = _as_bright_as(plate, original)
    difference = cv2.GaussianBlur(cv2.absdiff(image, plate), (5, 5), 0).max(axis=2)
    mask = (difference > _LEAST_CONTRAST).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((11, 11), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    things = []
    for label in range(1, count):
        left, top, width, height, area = (int(value) for value in stats[label])
        if area < _LEAST_AREA_PX:
            continue
        box = _inside((left - 6, top - 6, left + width + 6, top + height + 6), image)
        if box is not None:
            own = (labels[box[1] : box[3], box[0] : box[2]] == label).astype(np.uint8)
            alpha = cv2.GaussianBlur(cv2.dilate(own, np.ones((7, 7), np.uint8)) * 255, (5, 5), 0).astype(np.float32)
            things.append(
                Cutout(box, image[box[1] : box[3], box[0] : box[2]].copy(), alpha[..., np.newaxis] / np.float32(255))
            )
    return things


def _soft_box(image: Image, box: Box) -> Cutout:
    left, top, right, bottom = box
    alpha = np.zeros((bottom - top + 2, right - left + 2), np.float32)
    alpha[1:-1, 1:-1] = 1
    # a picture's edge cuts things off sharply, so that only inner edges are soft
    distance = cv2.distanceTransform((alpha > 0).astype(np.uint8), cv2.DIST_C, 3)[1:-1, 1:-1]
    soft = np.clip(distance / _FEATHER_PX, 0, 1).astype(np.float32)
    return Cutout(box, image[top:bottom, left:right].copy(), soft[..., np.newaxis])


def _inside(box: Box | None, image: Image) -> Box | None:
    if box is None:
        return None
    height, width = image.shape[:2]
    left, top, right, bottom = max(0, box[0]), max(0, box[1]), min(width, box[2]), min(height, box[3])
    return (left, top, right, bottom) if right - left >= 3 and bottom - top >= 3 else None


def _overlap(one: Box, other: Box) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return width * height / (sum(areas) - width * height)
