"""Where an image lies inside a network's input, and the way back to its own pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nvr.assets.spec import Resize


@dataclass(frozen=True, slots=True)
class Placement:
    """A source image scaled into a rectangle of the network's input; all sizes in pixels."""

    source_width_px: int
    source_height_px: int
    left_px: int
    top_px: int
    width_px: int
    """Of the scaled image; the rest of the input is grey."""
    height_px: int

    def to_source(self, xyxy_input_px: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map (n, 4) boxes from input pixels to source pixels and clip them to the image."""
        scale_x = self.source_width_px / self.width_px
        scale_y = self.source_height_px / self.height_px
        scale = np.array([scale_x, scale_y, scale_x, scale_y], np.float32)
        origin = np.array([self.left_px, self.top_px, self.left_px, self.top_px], np.float32)
        limit = np.array([self.source_width_px, self.source_height_px] * 2, np.float32)
        inside: NDArray[np.float32] = np.clip((xyxy_input_px - origin) * scale, np.float32(0), limit)
        return inside

    def to_input(self, xyxy_source_px: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map (n, 4) boxes from source pixels to input pixels."""
        scale_x = self.width_px / self.source_width_px
        scale_y = self.height_px / self.source_height_px
        scale = np.array([scale_x, scale_y, scale_x, scale_y], np.float32)
        origin = np.array([self.left_px, self.top_px, self.left_px, self.top_px], np.float32)
        return xyxy_source_px * scale + origin


def place(
    source_width_px: int, source_height_px: int, input_width_px: int, input_height_px: int, resize: Resize
) -> Placement:
    """Return where an image of one size goes in an input of another.

    A letterbox keeps the aspect ratio to the nearest pixel and grows small images too, as the networks are trained;
    an image too thin to keep a pixel keeps one.
    """
    if resize == "stretch":
        return Placement(source_width_px, source_height_px, 0, 0, input_width_px, input_height_px)
    scale = min(input_width_px / source_width_px, input_height_px / source_height_px)
    width_px = max(1, min(input_width_px, round(source_width_px * scale)))
    height_px = max(1, min(input_height_px, round(source_height_px * scale)))
    left_px, top_px = 0, 0
    if resize == "letterbox_centre":
        left_px, top_px = (input_width_px - width_px) // 2, (input_height_px - height_px) // 2
    return Placement(source_width_px, source_height_px, left_px, top_px, width_px, height_px)
