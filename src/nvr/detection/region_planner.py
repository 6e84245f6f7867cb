"""Which parts of a camera's picture the network shall see: what moves, what is tracked, and now and then all of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nvr.core.errors import InvalidInputError
from nvr.detection.merging import Boxes, Rectangle, area, areas, intersections, merge
from nvr.detection.motion_finder import MotionFinder, Polygon
from nvr.detection.regions import Region, Size, full_region, full_scale
from nvr.detection.scene import Luma

GOLDEN = 0.6180339887
"""Multiples of it, without their whole part, spread any number of cameras evenly over a period."""

TURNS_S = 0.5
"""Within it all cameras look at their whole pictures when a model or settings change: at once it would take longer than
their next frames wait."""

_ALONG = 0.2
"""Share of a track's box that lies in what is looked at anyway, from which on all of it is: no half boxes."""
_OWN = 0.5
"""Share of a track's box inside a region that decides about the region's scale."""


@dataclass(frozen=True, slots=True)
class RegionSettings:
    """How a camera is looked at."""

    full_look_every_s: float = 10.0
    """So that nothing that was there before the motion is missed."""
    full_look_gap_s: float = 1.0
    """Least time between two looks at the whole picture, however often the light changes."""
    standing_look_every_s: float = 0.5
    """How often a tracked object that does not move is looked at."""
    margin: float = 0.15
    """Around what moves, as a share of its longer side: a network needs to see what is around an object."""
    least_margin_px: float = 12.0
    """In pixels of the canvas."""
    full_share: float = 0.7
    """Regions that cost more of a canvas than this share of the whole frame's cost become the whole frame."""
    most_regions: int = 16
    """More are joined, whatever that costs."""
    least_height_px: float = 40.0
    """Regions in which half of the tracked objects are lower are made larger, if there is more in the source."""
    most_height_px: float = 64.0
    """Regions in which all tracked objects are higher are made smaller."""
    least_scale: float = 0.4
    """Smallest scale of a region, as a share of the scale of the whole frame."""
    most_scale: float = 2.0
    """Largest scale of a region, as a multiple of the scale of the whole frame; never above the source's own."""

    def __post_init__(self) -> None:
        if self.full_look_every_s <= 0 or min(self.full_look_gap_s, self.standing_look_every_s) < 0:
            raise InvalidInputError(
                "full_look_every_s, full_look_gap_s, standing_look_every_s: expected > 0, >= 0, >= 0, got "
                f"{self.full_look_every_s}, {self.full_look_gap_s}, {self.standing_look_every_s}"
            )
        if self.most_regions < 1:
            raise InvalidInputError(f"most_regions: expected at least 1, got {self.most_regions}")


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

    def __init__(
        self,
        source_id: int,
        canvas_size_px: Size,
        settings: RegionSettings | None = None,
        *,
        masks: Sequence[Polygon] = (),
        begins_in_turn: bool = False,
    ) -> None:
        """Begin with a look at the whole picture.

        Args:
            source_id: Spreads the looks at whole pictures of several cameras in time.
            canvas_size_px: What a whole frame is scaled to fit into, e.g. the network's input.
            settings: How to look.
            masks: Where motion does not count.
            begins_in_turn: As after `look_again`, not with the first frame.
        """
        self._canvas_size_px = canvas_size_px
        self._settings = settings or RegionSettings()
        self._share = source_id * GOLDEN % 1
        self._finder = MotionFinder(masks)
        self._is_first = True
        self._wants_turn = begins_in_turn
        self._wants_full = False
        self._last_full_s = -math.inf
        self._next_full_s = math.inf if begins_in_turn else -math.inf
        self._next_standing_s = -math.inf

    def look_again(self) -> None:
        """Look at the whole picture soon: cameras that are asked at once do, each at its own moment within `TURNS_S`.

        What moves or is tracked is looked at meanwhile.
        """
        self._wants_turn = True

    def plan(self, luma: Luma, size_px: Size, predicted_xyxy_px: NDArray[np.float32], now_s: float) -> RegionPlan:
        """Decide what to look at in a frame.

        Args:
            luma: (h, w) the frame made small, about 320x180.
            size_px: Width and height of the frame.
            predicted_xyxy_px: (n, 4) where live tracks should be, in source pixels.
            now_s: Monotonic seconds.

        Raises:
            FrameError: `luma` is empty or not (h, w) uint8.
        """
        motion = self._finder.look(luma)
        to_source = np.array([size_px[0] / luma.shape[1], size_px[1] / luma.shape[0]] * 2, np.float32)
        moving = motion.xyxy_px * to_source
        if self._wants_turn:
            self._wants_turn = False
            self._next_full_s = min(self._next_full_s, now_s + self._share * TURNS_S)
        self._wants_full |= motion.is_new_scene and not self._is_first
        self._is_first = False
        if self._is_full_due(now_s):
            return RegionPlan((full_region(size_px, self._canvas_size_px),), moving)
        looks_at_standing = now_s >= self._next_standing_s
        if looks_at_standing:
            self._next_standing_s = self._next(now_s, self._settings.standing_look_every_s)
        return RegionPlan(self._regions(moving, predicted_xyxy_px, size_px, looks_at_standing), moving)

    def _is_full_due(self, now_s: float) -> bool:
        settings = self._settings
        is_gap_over = now_s - self._last_full_s >= settings.full_look_gap_s
        if now_s < self._next_full_s and not (self._wants_full and is_gap_over):
            return False
        self._wants_full = False
        self._last_full_s = now_s
        self._next_full_s = self._next(now_s, settings.full_look_every_s)
        self._next_standing_s = self._next(now_s, settings.standing_look_every_s)
        return True

    def _next(self, now_s: float, period_s: float) -> float:
        """Return the camera's next moment of a period; each has its own, so that not all look at once."""
        if period_s == 0:
            return now_s
        return now_s + period_s - (now_s - self._share * period_s) % period_s

    def _regions(self, moving: Boxes, tracked: Boxes, size_px: Size, looks_at_standing: bool) -> tuple[Region, ...]:
        settings, frame_scale = self._settings, full_scale(size_px, self._canvas_size_px)
        grown = self._grown(moving, size_px)
        if len(tracked):
            along = tracked
            if not looks_at_standing:
                common = intersections(tracked, np.array(grown, np.float32).reshape(-1, 4)).sum(axis=1)
                along = tracked[common > _ALONG * areas(tracked)]
            grown += self._grown(along, size_px)
        if not grown:
            return ()
        gutter_px = settings.least_margin_px / frame_scale
        merged = [_even(box, size_px) for box in merge(sorted(grown), gutter_px**2, settings.most_regions)]
        scales = self._scales(merged, tracked, frame_scale)
        most_px = settings.full_share * size_px[0] * size_px[1] * frame_scale**2
        if _canvas_px(merged, [min(scale, frame_scale) for scale in scales]) >= most_px:
            return (full_region(size_px, self._canvas_size_px),)
        shrink = min(1.0, math.sqrt(most_px / _canvas_px(merged, scales)))
        scales = [max(scale * shrink, min(scale, frame_scale)) for scale in scales]
        return tuple(Region(box, scale) for box, scale in zip(merged, scales, strict=True))

    def _grown(self, boxes: Boxes, size_px: Size) -> list[Rectangle]:
        least_px = self._settings.least_margin_px / full_scale(size_px, self._canvas_size_px)
        width, height = size_px
        grown = []
        for left, top, right, bottom in boxes.tolist():
            margin = max(least_px, self._settings.margin * max(right - left, bottom - top))
            box = (
                max(0.0, left - margin), max(0.0, top - margin),
                min(float(width), right + margin), min(float(height), bottom + margin),
            )  # fmt: skip
            if box[0] < box[2] and box[1] < box[3]:
                grown.append(box)
        return grown

    def _scales(self, regions: Sequence[Rectangle], tracked: Boxes, frame_scale: float) -> list[float]:
        """Return the scale of each region: what is known to be small is seen larger, and the other way round."""
        if not len(tracked):
            return [frame_scale] * len(regions)
        own = intersections(np.array(regions, np.float32), tracked) >= _OWN * areas(tracked)
        heights = np.maximum(tracked[:, 3] - tracked[:, 1], 1)
        return [self._scale(sorted(heights[inside].tolist()), frame_scale) for inside in own]

    def _scale(self, heights_px: Sequence[float], frame_scale: float) -> float:
        """Return a scale for tracked objects of some heights, lowest first.

        The middle one decides about more, since the lowest often is but a part of a person or no person; the lowest
        decides about less.
        """
        if not heights_px:
            return frame_scale
        settings = self._settings
        lowest, middle = heights_px[0] * frame_scale, heights_px[(len(heights_px) - 1) // 2] * frame_scale
        if middle < settings.least_height_px:
            most = max(frame_scale, min(1.0, settings.most_scale * frame_scale))
            return min(most, frame_scale * settings.least_height_px / middle)
        if lowest > settings.most_height_px:
            return frame_scale * max(settings.least_scale, settings.most_height_px / lowest)
        return frame_scale


def _canvas_px(boxes: Sequence[Rectangle], scales: Sequence[float]) -> float:
    return sum(area(box) * scale**2 for box, scale in zip(boxes, scales, strict=True))


def _even(box: Rectangle, size_px: Size) -> tuple[int, int, int, int]:
    """Return the box grown to even pixels, which chroma planes of half the size need, inside the frame."""
    left, top = int(box[0]) // 2 * 2, int(box[1]) // 2 * 2
    right, bottom = min(size_px[0], math.ceil(box[2] / 2) * 2), min(size_px[1], math.ceil(box[3] / 2) * 2)
    return left, top, right, bottom
