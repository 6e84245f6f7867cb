"""A scene: any frame of it as a picture, and the truth about that frame."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Literal

import cv2
import numpy as np

from nvr.core.errors import ConfigurationError
from nvr.demo.frame_code import MAX_FRAME_NUMBER, draw_frame_code
from nvr.demo.scene.backdrop import BackdropKind, paint_backdrop
from nvr.demo.scene.cast import Actor, choose_cast
from nvr.demo.scene.event import SceneEvent, SceneObject, find_events
from nvr.demo.scene.shapes import Box, Image, draw_shadow, draw_shapes, enclosing_box
from nvr.demo.scene.visitors import choose_visitors

SCENE_VERSION = 2
"""Part of the cache's key: to be raised whenever the same settings give another picture."""

Activity = Literal["busy", "sparse", "quiet"]
"""`busy`: people and cars all the time. `sparse`: one visitor after the other, with 5 to 20 s of quiet in between.
`quiet`: nobody, only the noise of the sensor."""

_NOISE_FIELDS = 4
_LEAST_BOX_PX = 2.0


@dataclass(frozen=True, slots=True)
class SceneSettings:
    """What a scene depends on: the same settings give the same pictures."""

    width_px: int
    height_px: int
    fps: Fraction
    duration_s: float
    seed: int = 0
    camera: int = 0
    """Every camera has a scene of its own: even numbers a street, odd ones a hall."""
    noise: float = 1.2
    """Standard deviation of the sensor's noise in grey levels; 0 = none."""
    has_overlay: bool = True
    """Burn in the clock and the frame code, which change with each frame."""
    activity: Activity = "busy"

    def __post_init__(self) -> None:
        if not 1 <= self.n_frames <= MAX_FRAME_NUMBER + 1:
            raise ConfigurationError(
                f"a scene of {self.duration_s:g} s at {float(self.fps):g} fps has {self.n_frames} frames, "
                f"expected 1 to {MAX_FRAME_NUMBER + 1}"
            )
        if self.width_px < 160 or self.height_px < 90 or self.noise < 0:
            raise ConfigurationError(
                f"expected at least 160x90 px and noise >= 0, got {self.width_px}x{self.height_px} and {self.noise}"
            )

    @property
    def n_frames(self) -> int:
        """Return the frames of one loop."""
        return round(self.duration_s * self.fps)


class Scene:
    """A looping scene; safe to use from one thread at a time.

    The truth is cheap; the backdrop is only painted when a picture is asked for.
    """

    def __init__(self, settings: SceneSettings) -> None:
        self.settings = settings
        self._kind: BackdropKind = "street" if settings.camera % 2 == 0 else "hall"
        aspect = settings.width_px / settings.height_px
        self._cast = self._choose_cast(aspect)

    def objects_at(self, frame_number: int) -> tuple[SceneObject, ...]:
        """Return the truth of a frame; things out of the picture are not in it."""
        objects = []
        for actor in self._actors_near(frame_number):
            _, shapes = actor.shapes_at(self._progress(frame_number), self.settings.width_px, self.settings.height_px)
            found = _clip(enclosing_box(shapes), self.settings.width_px, self.settings.height_px)
            if found is not None:
                objects.append(SceneObject(actor.object_id, actor.class_name, *found))
        return tuple(objects)

    def events(self) -> tuple[SceneEvent, ...]:
        """Return each time that something is in the picture, in the order of their beginnings; the loop's seam cuts."""
        return find_events(self.objects_at(number) for number in range(self.settings.n_frames))

    def render(self, frame_number: int) -> Image:
        """Return a frame as (H, W, 3) uint8 BGR, the caller's to keep."""
        width_px, height_px = self.settings.width_px, self.settings.height_px
        image = self._backdrop.copy()
        for actor in self._actors_near(frame_number):
            ground, shapes = actor.shapes_at(self._progress(frame_number), width_px, height_px)
            left, _, right, _ = enclosing_box(shapes)
            half_width = max(2.0, (right - left) * 0.56)
            draw_shadow(image, (ground[0], ground[1] - 1), half_width, max(1.5, half_width * 0.14))
            draw_shapes(image, shapes)
        if self._noise:
            brighter, darker = self._noise[frame_number * 3 % len(self._noise)]
            cv2.add(image, brighter, image)
            cv2.subtract(image, darker, image)
        if self.settings.has_overlay:
            self._draw_overlay(image, frame_number)
        return image

    def _actors_near(self, frame_number: int) -> Iterator[Actor]:
        progress = self._progress(frame_number)
        return (actor for actor in self._cast if -1 < actor.path.at(progress).x < 2)

    def _choose_cast(self, aspect: float) -> tuple[Actor, ...]:
        if self.settings.activity == "quiet":
            return ()
        choose = choose_cast if self.settings.activity == "busy" else choose_visitors
        return choose(self._kind, aspect, self.settings.duration_s, self._rng("cast"))

    @cached_property
    def _backdrop(self) -> Image:
        return paint_backdrop(self._kind, self.settings.width_px, self.settings.height_px, self._rng("backdrop"))

    @cached_property
    def _noise(self) -> list[tuple[Image, Image]]:
        return _noise_fields(self.settings, self._rng("noise"))

    def _rng(self, purpose: Literal["cast", "backdrop", "noise"]) -> np.random.Generator:
        return np.random.default_rng([self.settings.seed, self.settings.camera, *purpose.encode()])

    def _progress(self, frame_number: int) -> float:
        return frame_number % self.settings.n_frames / self.settings.n_frames

    def _draw_overlay(self, image: Image, frame_number: int) -> None:
        hundredths = round(frame_number / self.settings.fps * 100)
        minutes, rest = divmod(hundredths, 6000)
        text = f"CAM {self.settings.camera}  {minutes:02}:{rest // 100:02}.{rest % 100:02}"
        scale = self.settings.height_px / 720
        origin = (round(18 * scale), round(40 * scale))
        for colour, thickness in (((0, 0, 0), 5), ((255, 255, 255), 2)):
            cv2.putText(image, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, colour,
                        max(1, round(thickness * scale)), cv2.LINE_AA)  # fmt: skip
        draw_frame_code(image, frame_number % self.settings.n_frames)


def _clip(box: Box, width_px: int, height_px: int) -> tuple[Box, float] | None:
    left, top, right, bottom = box
    inside = (max(0.0, left), max(0.0, top), min(float(width_px), right), min(float(height_px), bottom))
    width, height = inside[2] - inside[0], inside[3] - inside[1]
    if width < _LEAST_BOX_PX or height < _LEAST_BOX_PX:
        return None
    return inside, width * height / ((right - left) * (bottom - top))


def _noise_fields(settings: SceneSettings, rng: np.random.Generator) -> list[tuple[Image, Image]]:
    if settings.noise == 0:
        return []
    fields = []
    for _ in range(_NOISE_FIELDS):
        grain = np.rint(rng.normal(0, settings.noise, (settings.height_px, settings.width_px, 1)))
        both = np.repeat(grain, 3, axis=2)
        fields.append((np.clip(both, 0, 255).astype(np.uint8), np.clip(-both, 0, 255).astype(np.uint8)))
    return fields
