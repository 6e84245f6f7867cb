"""The still part of a scene: a street before a house, or a hall with a tiled floor."""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from nvr.demo.scene.shapes import Colour, Image, shade

BackdropKind = Literal["street", "hall"]


def paint_backdrop(kind: BackdropKind, width_px: int, height_px: int, rng: np.random.Generator) -> Image:
    """Return a (height_px, width_px, 3) BGR picture with texture and light, no two alike."""
    canvas = np.zeros((height_px, width_px, 3), np.uint8)
    if kind == "street":
        _paint_street(canvas, rng)
    else:
        _paint_hall(canvas, rng)
    return _weather(canvas, rng)


def _paint_street(canvas: Image, rng: np.random.Generator) -> None:
    wall = _pick(rng, [(118, 136, 158), (146, 150, 150), (112, 128, 172), (150, 160, 176)])
    _band(canvas, 0.0, 0.40, shade(wall, 0.86), shade(wall, 1.04))
    _paint_windows(canvas, rng)
    _band(canvas, 0.385, 0.40, (74, 74, 76), (60, 60, 62))
    _band(canvas, 0.40, 0.535, (142, 146, 148), (162, 166, 168))
    _paint_joints(canvas, 0.40, 0.535, 26)
    _band(canvas, 0.535, 0.55, (188, 190, 190), (120, 122, 122))
    _band(canvas, 0.55, 0.86, (84, 82, 80), (104, 102, 100))
    height_px, width_px = canvas.shape[:2]
    _dashes(canvas, 0.685, max(1, round(0.008 * height_px)), (206, 212, 214))
    cv2.line(canvas, (0, round(0.567 * height_px)), (width_px, round(0.567 * height_px)), (168, 172, 174), 1)
    _band(canvas, 0.86, 0.88, (196, 198, 198), (116, 118, 118))
    _band(canvas, 0.88, 1.0, (150, 154, 156), (172, 176, 178))
    _paint_joints(canvas, 0.88, 1.0, 14)


def _paint_hall(canvas: Image, rng: np.random.Generator) -> None:
    height_px, width_px = canvas.shape[:2]
    wall = _pick(rng, [(186, 190, 186), (176, 184, 196), (190, 186, 174)])
    floor = _pick(rng, [(128, 140, 152), (122, 130, 132), (110, 130, 150)])
    _band(canvas, 0.0, 0.42, shade(wall, 0.8), shade(wall, 1.06))
    _band(canvas, 0.40, 0.42, shade(wall, 0.55), shade(wall, 0.5))
    _band(canvas, 0.42, 1.0, shade(floor, 0.86), shade(floor, 1.14))
    vanish = (width_px * 0.5, height_px * 0.185)
    line = shade(floor, 0.74)
    for x in np.linspace(-1.6, 2.6, 29):
        _line_from(canvas, vanish, (x * width_px, height_px), round(0.42 * height_px), line)
    depth = 0.235
    while depth < 0.9:
        y = round((0.185 + depth) * height_px)
        cv2.line(canvas, (0, y), (width_px, y), line, 1, cv2.LINE_AA)
        depth *= 1.16
    for left in np.arange(0.06, 0.95, 0.235):
        accent = _pick(rng, [(120, 84, 52), (62, 96, 132), (84, 116, 84), (70, 70, 128)])
        _door(canvas, (float(left), 0.10, 0.13, 0.41), accent)
    for left in np.arange(0.205, 0.9, 0.235):
        poster = _pick(rng, [(90, 150, 196), (170, 140, 90), (120, 170, 140)])
        _door(canvas, (float(left), 0.055, 0.14, 0.28), poster)


def _paint_windows(canvas: Image, rng: np.random.Generator) -> None:
    height_px, width_px = canvas.shape[:2]
    for left in np.arange(0.035, 0.97, 0.13):
        x0, x1 = round(left * width_px), round((left + 0.075) * width_px)
        y0, y1 = round(0.05 * height_px), round(0.235 * height_px)
        glass = shade((140, 118, 92), float(rng.uniform(0.65, 1.15)))
        cv2.rectangle(canvas, (x0 - 3, y0 - 3), (x1 + 3, y1 + 3), (206, 208, 208), -1)
        cv2.rectangle(canvas, (x0, y0), (x1, y1), glass, -1)
        sheen = np.array([[x0, y1], [x0, y0 + (y1 - y0) // 3], [x0 + (x1 - x0) * 2 // 3, y0], [x1, y0]], np.int32)
        cv2.fillConvexPoly(canvas, sheen, shade(glass, 1.22), cv2.LINE_AA)
        cv2.line(canvas, ((x0 + x1) // 2, y0), ((x0 + x1) // 2, y1), (206, 208, 208), 2)
        cv2.rectangle(canvas, (x0 - 6, y1 + 4), (x1 + 6, y1 + 8), (150, 152, 152), -1)
    door = _pick(rng, [(50, 64, 104), (84, 96, 58), (96, 62, 46)])
    _door(canvas, (0.118 + 0.26, 0.046, 0.20, 0.40), door)
    _door(canvas, (0.118 + 0.65, 0.046, 0.20, 0.40), shade(door, 1.2))


def _door(canvas: Image, area: tuple[float, float, float, float], colour: Colour) -> None:
    left, width, top, bottom = area
    height_px, width_px = canvas.shape[:2]
    x0, x1 = round(left * width_px), round((left + width) * width_px)
    y0, y1 = round(top * height_px), round(bottom * height_px)
    cv2.rectangle(canvas, (x0 - 3, y0 - 3), (x1 + 3, y1), shade(colour, 0.5), -1)
    cv2.rectangle(canvas, (x0, y0), (x1, y1), colour, -1)
    inset_x, inset_y = (x1 - x0) // 6, (y1 - y0) // 8
    cv2.rectangle(canvas, (x0 + inset_x, y0 + inset_y), (x1 - inset_x, (y0 + y1) // 2), shade(colour, 1.25), -1)


def _band(canvas: Image, top: float, bottom: float, above: Colour, below: Colour) -> None:
    height_px = canvas.shape[0]
    y0, y1 = round(top * height_px), round(bottom * height_px)
    mix = np.linspace(0, 1, max(1, y1 - y0), dtype=np.float32)[:, np.newaxis, np.newaxis]
    colours = np.array(above, np.float32) * (1 - mix) + np.array(below, np.float32) * mix
    canvas[y0:y1] = colours.astype(np.uint8)


def _paint_joints(canvas: Image, top: float, bottom: float, count: int) -> None:
    height_px, width_px = canvas.shape[:2]
    vanish = (width_px * 0.5, height_px * 0.185)
    for x in np.linspace(-1.5, 2.5, count * 3):
        end = (float(x) * width_px, bottom * height_px)
        _line_from(canvas, vanish, end, round(top * height_px), (126, 130, 132))


def _line_from(
    canvas: Image, vanish: tuple[float, float], end: tuple[float, float], top_y: int, colour: Colour
) -> None:
    share = (top_y - vanish[1]) / (end[1] - vanish[1])
    start = (round(vanish[0] + (end[0] - vanish[0]) * share), top_y)
    cv2.line(canvas, start, (round(end[0]), round(end[1])), colour, 1, cv2.LINE_AA)


def _dashes(canvas: Image, at: float, thickness: int, colour: Colour) -> None:
    height_px, width_px = canvas.shape[:2]
    y = round(at * height_px)
    for left in np.arange(0.0, 1.0, 0.1):
        cv2.line(canvas, (round(left * width_px), y), (round((left + 0.055) * width_px), y), colour, thickness)


def _weather(canvas: Image, rng: np.random.Generator) -> Image:
    height_px, width_px = canvas.shape[:2]
    texture: NDArray[np.float32] = np.zeros((height_px, width_px), np.float32)
    for cells, strength in ((6, 0.05), (24, 0.03), (96, 0.025)):
        grid = rng.uniform(-strength, strength, (max(2, cells * height_px // width_px), cells)).astype(np.float32)
        texture += cv2.resize(grid, (width_px, height_px), interpolation=cv2.INTER_CUBIC)
    texture += rng.normal(0, 0.012, (height_px, width_px)).astype(np.float32)
    x = np.linspace(-1, 1, width_px, dtype=np.float32)[np.newaxis, :]
    y = np.linspace(-1, 1, height_px, dtype=np.float32)[:, np.newaxis]
    light = 1.04 - 0.16 * (x**2 * 0.7 + y**2 * 0.5) + texture
    return np.clip(canvas * light[..., np.newaxis], 0, 255).astype(np.uint8)


def _pick(rng: np.random.Generator, colours: list[Colour]) -> Colour:
    return colours[int(rng.integers(len(colours)))]
