"""Who is in a scene: walkers and cars with their ways and colours, drawn by lot from the seed."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from nvr.demo.scene.backdrop import BackdropKind
from nvr.demo.scene.path import Crossing, Pacing, Path
from nvr.demo.scene.perspective import person_height
from nvr.demo.scene.shapes import Colour, Point, Shape
from nvr.demo.scene.vehicle import LENGTH_PER_PERSON, vehicle_shapes
from nvr.demo.scene.walker import STRIDE_PER_HEIGHT, Clothes, walker_shapes

SceneClass = Literal["person", "car"]

_WALK_HEIGHTS_PER_S = 0.78
_DRIVE_LENGTHS_PER_S = 0.85
_STREET_PAVEMENTS = (0.475, 0.515, 0.92, 0.965)
_STREET_LANES = ((0.655, -1), (0.80, 1))
_HALL_ROWS = (0.56, 0.64, 0.74, 0.86, 0.95)

_SKINS: tuple[Colour, ...] = ((150, 180, 224), (120, 156, 204), (84, 118, 164), (56, 80, 118))
_HAIRS: tuple[Colour, ...] = ((28, 30, 34), (40, 60, 92), (96, 132, 176), (120, 122, 126))
_TOPS: tuple[Colour, ...] = (
    (60, 60, 190), (170, 92, 48), (72, 130, 66), (44, 150, 214), (150, 150, 156), (120, 60, 120), (50, 46, 44),
    (206, 208, 210),
)  # fmt: skip
_TROUSERS: tuple[Colour, ...] = ((96, 66, 44), (52, 50, 50), (70, 92, 110), (92, 90, 88))
_PAINTS: tuple[Colour, ...] = (
    (52, 48, 176), (168, 96, 40), (196, 198, 200), (62, 60, 60), (84, 128, 70), (60, 150, 210), (150, 146, 142),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Walker:
    """A person on the move."""

    object_id: int
    path: Path
    foot_y: float
    """Fraction of the picture's height where the feet are; larger is nearer."""
    strides_per_width: float
    clothes: Clothes
    class_name: SceneClass = "person"

    def shapes_at(self, progress: float, width_px: int, height_px: int) -> tuple[Point, list[Shape]]:
        """Return where it touches the ground and what to draw, at a fraction 0..1 of the loop."""
        position = self.path.at(progress)
        ground = (position.x * width_px, self.foot_y * height_px)
        phase = position.travelled * self.strides_per_width % 1.0
        body_px = person_height(self.foot_y) * height_px
        return ground, walker_shapes(ground, body_px, position.heading, phase, self.clothes)


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A car on the move."""

    object_id: int
    path: Path
    foot_y: float
    paint: Colour
    class_name: SceneClass = "car"

    def shapes_at(self, progress: float, width_px: int, height_px: int) -> tuple[Point, list[Shape]]:
        """Return where it touches the ground and what to draw, at a fraction 0..1 of the loop."""
        position = self.path.at(progress)
        ground = (position.x * width_px, self.foot_y * height_px)
        length_px = LENGTH_PER_PERSON * person_height(self.foot_y) * height_px
        rolled_px = position.travelled * width_px * position.heading
        return ground, vehicle_shapes(ground, length_px, position.heading, rolled_px, self.paint)


Actor = Walker | Vehicle


def choose_cast(kind: BackdropKind, aspect: float, duration_s: float, rng: np.random.Generator) -> tuple[Actor, ...]:
    """Return the actors of a scene from the back to the front; `aspect` is width by height."""
    rows = _STREET_PAVEMENTS if kind == "street" else _HALL_ROWS
    actors: list[Actor] = []
    for row in rows:
        actors.append(_choose_walker(len(actors) + 1, row + float(rng.uniform(-0.01, 0.01)), aspect, duration_s, rng))
    if kind == "street":
        for lane, heading in _STREET_LANES:
            way = _choose_drive(lane, heading, aspect, duration_s, rng)
            actors.append(Vehicle(len(actors) + 1, way, lane, choose_paint(rng)))
    return tuple(sorted(actors, key=lambda actor: actor.foot_y))


def _choose_walker(object_id: int, foot_y: float, aspect: float, duration_s: float, rng: np.random.Generator) -> Walker:
    height = person_height(foot_y)
    speed = _WALK_HEIGHTS_PER_S * float(rng.uniform(0.85, 1.15)) * height / aspect
    strides_per_width = aspect / (STRIDE_PER_HEIGHT * height)
    offset = float(rng.uniform())
    path: Path
    if rng.uniform() < 0.6:
        margin = 0.4 * height / aspect
        rounds = max(1, round(speed * duration_s / (1 + 2 * margin)))
        path = Crossing(int(rng.choice([-1, 1])), rounds, offset, margin)
    else:
        reach = min(0.6, max(0.1, speed * duration_s / 2 * 0.75))
        left = float(rng.uniform(0.08, 0.92 - reach))
        path = Pacing(left, left + reach, max(1, round(speed * duration_s / (2 * reach))), offset)
        strides = max(1, round(path.round_length * strides_per_width))
        strides_per_width = strides / path.round_length  # whole strides per round: no jerk where it begins again
    return Walker(object_id, path, foot_y, strides_per_width, choose_clothes(rng))


def choose_clothes(rng: np.random.Generator) -> Clothes:
    """Return the colours of a person."""
    return Clothes(
        skin=_pick(rng, _SKINS), hair=_pick(rng, _HAIRS), top=_pick(rng, _TOPS), trousers=_pick(rng, _TROUSERS),
        shoes=(40, 38, 40),
    )  # fmt: skip


def choose_paint(rng: np.random.Generator) -> Colour:
    """Return the colour of a car."""
    return _pick(rng, _PAINTS)


def _choose_drive(foot_y: float, heading: int, aspect: float, duration_s: float, rng: np.random.Generator) -> Crossing:
    length = LENGTH_PER_PERSON * person_height(foot_y) / aspect
    # Longer out of sight than in it: the road is empty for a while, so that something can appear and leave.
    margin = 0.5 * length + float(rng.uniform(0.25, 0.5))
    rounds = max(1, round(_DRIVE_LENGTHS_PER_S * length * duration_s / (1 + 2 * margin)))
    return Crossing(heading, rounds, float(rng.uniform()), margin)


def _pick(rng: np.random.Generator, colours: tuple[Colour, ...]) -> Colour:
    return colours[int(rng.integers(len(colours)))]
