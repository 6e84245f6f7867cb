"""A walking person seen from the side, as shapes."""

import math
from dataclasses import dataclass

from nvr.demo.scene.shapes import Capsule, Colour, Panel, Point, Shape

STRIDE_PER_HEIGHT = 0.82
"""Length of two steps by body height, at a calm pace."""

_HIP_SWING_RAD = math.radians(27)
_KNEE_BEND_RAD = math.radians(52)
_ARM_SWING_RAD = math.radians(24)


@dataclass(frozen=True, slots=True)
class Clothes:
    """The colours of one person, BGR."""

    skin: Colour
    hair: Colour
    top: Colour
    trousers: Colour
    shoes: Colour


def walker_shapes(foot: Point, height_px: float, heading: int, phase: float, clothes: Clothes) -> list[Shape]:
    """Return a person as shapes from back to front.

    Args:
        foot: Where the person stands on the ground, in pixels.
        height_px: From sole to crown.
        heading: +1 walks to the right, -1 to the left.
        phase: Position within the double step, 0 to 1; continuous over the wrap.
        clothes: Colours.
    """
    angle = phase * 2 * math.pi
    bob = 0.012 * height_px * math.cos(2 * angle)
    hip = (foot[0], foot[1] - 0.50 * height_px + bob)
    shoulder = (hip[0] + heading * 0.02 * height_px, hip[1] - 0.31 * height_px)
    far, near = clothes_in_shade(clothes), clothes
    return [
        *_arm(shoulder, height_px, heading, angle, far),
        *_leg(hip, height_px, heading, angle + math.pi, far),
        *_leg(hip, height_px, heading, angle, near),
        *_torso(hip, shoulder, height_px, near),
        *_head(shoulder, height_px, heading, near),
        *_arm(shoulder, height_px, heading, angle + math.pi, near),
    ]


def clothes_in_shade(clothes: Clothes) -> Clothes:
    """Return the colours of the limbs on the far side."""

    def darker(colour: Colour) -> Colour:
        return round(colour[0] * 0.68), round(colour[1] * 0.68), round(colour[2] * 0.68)

    return Clothes(*(darker(c) for c in (clothes.skin, clothes.hair, clothes.top, clothes.trousers, clothes.shoes)))


def _leg(hip: Point, height_px: float, heading: int, angle: float, clothes: Clothes) -> list[Shape]:
    swing = _HIP_SWING_RAD * math.sin(angle)
    bend = _KNEE_BEND_RAD * max(0.0, math.cos(angle)) ** 1.5 + 0.08
    knee = _swing(hip, 0.245 * height_px, swing, heading)
    ankle = _swing(knee, 0.225 * height_px, swing - bend, heading)
    toe = (ankle[0] + heading * 0.075 * height_px, ankle[1] + 0.012 * height_px * (1 - bend))
    return [
        Capsule(ankle, toe, 0.026 * height_px, clothes.shoes),
        Capsule(knee, ankle, 0.036 * height_px, clothes.trousers),
        Capsule(hip, knee, 0.050 * height_px, clothes.trousers),
    ]


def _arm(shoulder: Point, height_px: float, heading: int, angle: float, clothes: Clothes) -> list[Shape]:
    swing = _ARM_SWING_RAD * math.sin(angle)
    top = (shoulder[0], shoulder[1] + 0.03 * height_px)
    elbow = _swing(top, 0.165 * height_px, swing, heading)
    hand = _swing(elbow, 0.150 * height_px, swing + 0.30, heading)
    return [
        Capsule(elbow, hand, 0.024 * height_px, clothes.top),
        Capsule(hand, _swing(elbow, 0.175 * height_px, swing + 0.32, heading), 0.021 * height_px, clothes.skin),
        Capsule(top, elbow, 0.031 * height_px, clothes.top),
    ]


def _torso(hip: Point, shoulder: Point, height_px: float, clothes: Clothes) -> list[Shape]:
    waist = (hip[0], hip[1] - 0.02 * height_px)
    chest = (shoulder[0], shoulder[1] + 0.055 * height_px)
    return [
        Capsule(hip, waist, 0.066 * height_px, clothes.trousers),
        Capsule(waist, chest, 0.074 * height_px, clothes.top, lit=0.16),
    ]


def _head(shoulder: Point, height_px: float, heading: int, clothes: Clothes) -> list[Shape]:
    neck = (shoulder[0] + heading * 0.008 * height_px, shoulder[1] - 0.01 * height_px)
    chin = (neck[0] + heading * 0.012 * height_px, neck[1] - 0.065 * height_px)
    crown = (chin[0], chin[1] - 0.045 * height_px)
    hair = (crown[0] - heading * 0.016 * height_px, crown[1] - 0.004 * height_px)
    nose = (chin[0] + heading * 0.050 * height_px, chin[1] - 0.012 * height_px)
    return [
        Capsule(neck, chin, 0.026 * height_px, clothes.skin),
        Capsule(hair, (hair[0], hair[1] + 0.02 * height_px), 0.053 * height_px, clothes.hair, lit=0.35),
        Capsule(chin, (crown[0] + heading * 0.008 * height_px, crown[1] + 0.014 * height_px), 0.046 * height_px,
                clothes.skin, lit=0.12),
        Panel(
            (
                (nose[0], nose[1]),
                (nose[0] - heading * 0.02 * height_px, nose[1] - 0.018 * height_px),
                (nose[0] - heading * 0.02 * height_px, nose[1] + 0.010 * height_px),
            ),
            clothes.skin,
        ),
    ]  # fmt: skip


def _swing(origin: Point, length: float, angle: float, heading: int) -> Point:
    return origin[0] + heading * length * math.sin(angle), origin[1] + length * math.cos(angle)
