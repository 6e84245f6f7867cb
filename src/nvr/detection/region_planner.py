"""Which parts of a camera's picture the network shall see: what moves, what is tracked, and now and then all of it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nvr.detection.merging import areas, merge_boxes
from nvr.detection.motion_finder import MotionFinder
from nvr.detection.regions import Region, Size, full_region, full_scale
from nvr.detection.scene import Luma

GOLDEN = 0.6180339887
"""Multiples of it, without their whole part, spread any number of cameras evenly over a period."""


@dataclass(frozen=True, slots=True)
class RegionSettings:
    """How a camera is looked at."""

    full_look_every_s: float = 10.0
    """So that nothing that was there before the motion is missed."""
    full_look_gap_s: float = 1.0
    """Least time between two looks at the whole picture, however often the light changes."""
    standing_look_every_s: float = 0.5
    """How often a tracked object that does not move is looked at."""
    margin: float = 0.3
    """Around what moves, as a share of its longer side: a network needs to see what is around an object."""
    least_margin_px: float = 16.0
    """In pixels of the canvas."""
    full_share: float = 0.7
    """Regions that cover more of the frame than this become the whole frame."""
    most_regions: int = 16


@dataclass(frozen=True, slots=True, eq=False)
class RegionPlan:
    """What to look at in one frame."""

    regions: tuple[Region, ...]
    """Empty: there is nothing to look at."""
    motion_xyxy_px: NDArray[np.float32] = field(repr=False)
    """(n, 4) what moves, in source pixels, without margins."""

    @property
    def is_full_look(self) -> bool:
        """Whether the whole frame is looked at."""
        return any(region.is_full for region in self.regions)


class RegionPlanner:
    """Plans the looks at one camera. For one thread at a time."""

    def __init__(self, source_id: int, canvas_size_px: Size, settings: RegionSettings | None = None) -> None:
        """Begin with a look at the whole picture.

        Args:
            source_id: Spreads the looks at whole pictures of several cameras in time.
            canvas_size_px: What a whole frame is scaled to fit into, e.g. the network's input.
            settings: How to look.
        """
        self._canvas_size_px = canvas_size_px
        self._settings = settings or RegionSettings()
        self._phase_s = source_id * GOLDEN % 1 * self._settings.full_look_every_s
        self._finder = MotionFinder()
        self._wants_full = True
        self._last_full_s: float | None = None
        self._next_full_s = -np.inf
        self._last_standing_s = -np.inf

    def plan(self, luma: Luma, size_px: Size, predicted_xyxy_px: NDArray[np.float32], now_s: float) -> RegionPlan:
        """Decide what to look at in a frame.

        Args:
            luma: (h, w) the frame made small, about 320x180.
            size_px: Width and height of the frame.
            predicted_xyxy_px: (n, 4) where live tracks should be, in source pixels.
            now_s: Monotonic seconds.
        """
        motion = self._finder.look(luma)
        to_source = np.array([size_px[0] / luma.shape[1], size_px[1] / luma.shape[0]] * 2, np.float32)
        moving = motion.xyxy_px * to_source
        self._wants_full |= motion.is_new_scene
        if self._is_full_due(now_s):
            return RegionPlan((full_region(size_px, self._canvas_size_px),), moving)
        boxes = moving
        if len(predicted_xyxy_px) and now_s - self._last_standing_s >= self._settings.standing_look_every_s:
            self._last_standing_s = now_s
            boxes = np.concatenate([moving, predicted_xyxy_px])
        return RegionPlan(self._regions(boxes, size_px), moving)

    def _is_full_due(self, now_s: float) -> bool:
        settings = self._settings
        is_due = now_s >= self._next_full_s or (
            self._wants_full and (self._last_full_s is None or now_s - self._last_full_s >= settings.full_look_gap_s)
        )
        if is_due:
            period_s = settings.full_look_every_s
            self._wants_full = False
            self._last_full_s = now_s
            self._next_full_s = now_s + period_s - (now_s - self._phase_s) % period_s
        return is_due

    def _regions(self, boxes: NDArray[np.float32], size_px: Size) -> tuple[Region, ...]:
        settings = self._settings
        scale = full_scale(size_px, self._canvas_size_px)
        longer = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
        margin = np.maximum(longer * settings.margin, settings.least_margin_px / scale)[:, None]
        grown = np.concatenate([boxes[:, :2] - margin, boxes[:, 2:] + margin], axis=1)
        limit = np.array([*size_px, *size_px], np.float32)
        grown = np.clip(grown, np.float32(0), limit).astype(np.float32)
        grown = grown[areas(grown) > 0]
        merged = merge_boxes(grown, (8 / scale) ** 2, settings.most_regions)
        if areas(merged).sum() >= settings.full_share * size_px[0] * size_px[1]:
            return (full_region(size_px, self._canvas_size_px),)
        outer = np.concatenate([np.floor(merged[:, :2] / 2) * 2, np.ceil(merged[:, 2:] / 2) * 2], axis=1)
        outer = np.minimum(outer, limit)
        return tuple(Region((int(a), int(b), int(c), int(d)), scale) for a, b, c, d in outer)
