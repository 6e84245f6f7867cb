"""Clips in which something happens now and then, with the truth of when: drawn scenes, and real things on a still."""

import csv
import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from bench._media_cutouts import Box, Image, Material, Walk, cut_by_difference, cut_by_truth, read_frames
from bench._media_events import Event

from nvr.demo.scene import Scene, SceneSettings
from nvr.media.encode import EncoderSettings, RateControl, encode_pictures

CLIP_VERSION = 1
"""Part of the names of files: to be raised whenever the same names would mean other pictures."""

QUIET_S = (5.0, 12.0)
LENGTH_S = (0.3, 8.0)
NOISE = 1.5
"""Standard deviation of the sensor's noise on the still of a real scene, in grey levels."""
PETS_SCALE = 0.625
"""From the ground truth, 768x576, to the video that has all frames."""


@dataclass(frozen=True, slots=True)
class Clip:
    """What happens when, and the pictures of it."""

    name: str
    fps: Fraction
    width_px: int
    height_px: int
    n_frames: int
    events: tuple[Event, ...]
    pictures: Callable[[], Iterator[Image]]
    """Anew with each call."""

    @property
    def frame_s(self) -> float:
        """Time of one frame."""
        return float(1 / self.fps)


@dataclass(frozen=True, slots=True)
class CodedClip:
    """A clip as a file."""

    name: str
    path: Path
    frame_s: float
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Coding:
    """How a camera codes."""

    rate_control: RateControl
    gop_s: float

    @property
    def name(self) -> str:
        """As it stands in rows."""
        return f"{self.rate_control}.gop{self.gop_s:g}"


def scene_clip(camera: int, seconds: float, size: tuple[int, int], seed: int = 0) -> Clip:
    """Return a drawn street (even numbers) or hall with visitors now and then, 25 fps."""
    fps = Fraction(25)
    settings = SceneSettings(*size, fps, seconds, seed, camera, has_overlay=False, activity="sparse")
    events = tuple(
        Event(event.start_frame / 25, event.end_frame / 25, event.class_name, int(np.median(event.areas_px)))
        for event in Scene(settings).events()
    )

    def pictures() -> Iterator[Image]:
        scene = Scene(settings)
        return (scene.render(number) for number in range(settings.n_frames))

    return Clip(f"scene{camera}-{seed}-{seconds:g}s", fps, *size, settings.n_frames, events, pictures)


def original_clip(name: str, path: Path, material: Material) -> Clip:
    """Return a real video as it is; an event begins whenever something comes into it."""
    fps = Fraction(material.fps).limit_denominator(1001)
    events = tuple(
        Event(
            walk.start_frame / material.fps,
            (walk.start_frame + len(walk.cutouts) - 1) / material.fps,
            name,
            walk.area_px,
        )
        for walk in material.walks
    )
    height, width = material.plate.shape[:2]
    return Clip(name, fps, width, height, material.n_frames, events, lambda: read_frames(path))


def spliced_clip(name: str, material: Material, seconds: float, seed: int) -> Clip:
    """Return the still scene of a real video, with its noise, into which its things come one after the other.

    Each enters as it did in the video, goes its way, and is gone after 0.3 to 8 s; then there are 5 to 12 s of quiet.
    """
    rng = np.random.default_rng([seed, *name.encode()])
    fps = Fraction(material.fps).limit_denominator(1001)
    n_frames = round(seconds * material.fps)
    placed = _place(material, n_frames, rng)
    events = tuple(
        Event(start / material.fps, (start + n - 1) / material.fps, name, walk.area_px) for start, n, walk in placed
    )
    height, width = material.plate.shape[:2]

    def pictures() -> Iterator[Image]:
        noise_rng = np.random.default_rng(seed)
        grain = np.rint(noise_rng.normal(0, NOISE, (height, width, 1))).astype(np.int16)
        for number in range(n_frames):
            image = material.plate.copy()
            for start, n, walk in placed:
                if start <= number < start + n:
                    walk.cutouts[number - start].paste(image)
            shift = noise_rng.integers(0, height), noise_rng.integers(0, width)
            noisy = image.astype(np.int16) + np.roll(grain, shift, axis=(0, 1))
            yield np.clip(noisy, 0, 255).astype(np.uint8)

    return Clip(f"{name}-spliced-{seed}-{seconds:g}s", fps, width, height, n_frames, events, pictures)


def _place(material: Material, n_frames: int, rng: np.random.Generator) -> list[tuple[int, int, Walk]]:
    placed: list[tuple[int, int, Walk]] = []
    shortest, longest = (math.log(length_s) for length_s in LENGTH_S)
    position = QUIET_S[0] * material.fps
    order: list[int] = []
    while True:
        order = order or list(rng.permutation(len(material.walks)))
        walk = material.walks[order.pop()]
        wanted = math.exp(float(rng.uniform(shortest, longest))) * material.fps
        length = min(len(walk.cutouts), max(2, round(wanted)))
        if position + length + QUIET_S[0] * material.fps > n_frames:
            return placed
        placed.append((round(position), length, walk))
        position += length + float(rng.uniform(*QUIET_S)) * material.fps


def load_pets(folder: Path) -> tuple[Path, Material]:
    """Return PETS09-S2L1 with its people cut out by their ground truth."""
    path = folder / "vtest_480x360.avi"
    boxes: dict[int, dict[int, Box]] = defaultdict(dict)
    with (folder / "gt.txt").open(newline="") as file:
        for row in csv.reader(file):
            number, identity = int(row[0]) - 1, int(row[1])
            left, top, width, height = (float(value) * PETS_SCALE for value in row[2:6])
            boxes[identity][number] = (int(left) - 3, int(top) - 3, int(left + width) + 4, int(top + height) + 4)
    return path, cut_by_truth(path, boxes)


def load_cars(path: Path) -> tuple[Path, Material]:
    """Return the car video with its cars cut out by their difference from the empty street."""
    return path, cut_by_difference(path)


class ClipStore:
    """Coded clips, kept in a folder for the next run with the truth beside them."""

    def __init__(self, folder: Path) -> None:
        """Use a folder, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def code(self, name: str, make: Callable[[], Clip], codings: Sequence[Coding]) -> dict[str, CodedClip]:
        """Return a clip in each coding by its name; `make` is called where one is missing.

        `name` must tell all that the clip depends on.
        """
        paths = {coding.name: self._path(name, coding) for coding in codings}
        truth_path = self._path(name, None)
        missing = [coding for coding in codings if not paths[coding.name].exists()]
        if missing or not truth_path.exists():
            clip = make()
            for coding in missing:
                settings = EncoderSettings(
                    clip.width_px, clip.height_px, clip.fps, coding.gop_s, rate_control=coding.rate_control
                )
                encode_pictures(clip.pictures(), paths[coding.name], settings)
            truth = {"frame_s": clip.frame_s, "events": [asdict(event) for event in clip.events]}
            truth_path.write_text(json.dumps(truth))
        truth = json.loads(truth_path.read_text())
        events = tuple(Event(**event) for event in truth["events"])
        return {key: CodedClip(f"{name}.{key}", path, truth["frame_s"], events) for key, path in paths.items()}

    def _path(self, name: str, coding: Coding | None) -> Path:
        key = hashlib.sha256(repr((CLIP_VERSION, name)).encode()).hexdigest()[:16]
        return self._folder / (f"{key}.json" if coding is None else f"{key}-{coding.name}.mp4")
