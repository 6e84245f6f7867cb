"""Cameras with real and synthetic content, five pictures a second, in memory: decoding is on nobody's bill."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from bench._average_precision import Truth
from bench._datasets import PERSON
from numpy.typing import NDArray

from nvr.demo.scene import Activity, Scene, SceneSettings
from nvr.detection.detections import Image

FPS = 5.0
LUMA_WIDTH_PX = 320


@dataclass(frozen=True, slots=True)
class Video:
    """A file, and how many pictures a second its camera took: what is written in PETS's file is not so."""

    path: str
    fps: float
    truth: str | None = None


PETS = Video("PETS09-S2L1/PETS09-S2L1_768x576_f1-300.mp4", 7.0, "PETS09-S2L1/gt.txt")
STADTMITTE = Video("TUD-Stadtmitte/TUD-Stadtmitte.mp4", 25.0, "TUD-Stadtmitte/gt.txt")
CAMPUS = Video("TUD-Campus/TUD-Campus.mp4", 25.0, "TUD-Campus/gt.txt")
CAR = Video("car-detection.mp4", 12.5)
ONE_BY_ONE = Video("one-by-one-person-detection.mp4", 10.0)
BOTTLE = Video("bottle-detection.mp4", 179 / 6)


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """Pictures of one camera, `FPS` a second."""

    name: str
    images: Sequence[Image] = field(repr=False)
    truths: Sequence[Truth] | None = field(default=None, repr=False)
    """Persons of each picture: boxes in pixels, class ids. None where nobody knows."""
    identities: Sequence[NDArray[np.int64]] | None = field(default=None, repr=False)
    """Whose boxes these are."""

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height."""
        return self.images[0].shape[1], self.images[0].shape[0]

    def part(self, start: int, n: int) -> "Camera":
        """Return some of the pictures."""
        own = np.s_[start : start + n]
        return Camera(
            f"{self.name} from {start}",
            self.images[own],
            None if self.truths is None else self.truths[own],
            None if self.identities is None else self.identities[own],
        )


def numbers_at(fps: float, n_frames: int, start_s: float, most_s: float) -> list[int]:
    """Return the frames, from 0, that a look `FPS` times a second sees: of each moment the first not before it."""
    numbers: list[int] = []
    while len(numbers) < most_s * FPS:
        number = int(np.ceil((start_s + len(numbers) / FPS) * fps - 1e-6))
        if number >= n_frames:
            break
        numbers.append(number)
    return numbers


def there_and_back(n: int, wanted: int) -> list[int]:
    """Return places 0..n-1 forwards and backwards in turn: a short video for long, without a cut."""
    cycle = [*range(n), *range(n - 2, 0, -1)]
    return [cycle[i % len(cycle)] for i in range(wanted)]


def open_video(assets: Path, video: Video, name: str, *, start_s: float = 0.0, most_s: float = 1e9) -> Camera:
    """Return a stretch of a video."""
    path = assets / "videos" / video.path
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        numbers = numbers_at(video.fps, stream.frames, start_s, most_s)
        wanted = set(numbers)
        images = [
            frame.to_ndarray(format="bgr24").astype(np.uint8, copy=False)
            for number, frame in enumerate(container.decode(video=0))
            if number in wanted
        ]
    if video.truth is None:
        return Camera(name, images)
    rows = np.loadtxt(assets / "videos" / video.truth, delimiter=",", ndmin=2)
    of_frame = [rows[rows[:, 0] == number + 1] for number in numbers]
    boxes = [np.concatenate([own[:, 2:4], own[:, 2:4] + own[:, 4:6]], axis=1) for own in of_frame]
    truths = [(xyxy_px, np.full(len(xyxy_px), PERSON)) for xyxy_px in boxes]
    return Camera(name, images, truths, [own[:, 1].astype(np.int64) for own in of_frame])


def open_scene(number: int, seconds: float, activity: Activity, *, has_overlay: bool = False) -> Camera:
    """Return a camera of the simulator, 1280x720."""
    scene = Scene(
        SceneSettings(1280, 720, Fraction(5), seconds, camera=number, activity=activity, has_overlay=has_overlay)
    )
    truths, images = [], []
    for frame in range(scene.settings.n_frames):
        persons = [thing.xyxy_px for thing in scene.objects_at(frame) if thing.class_name == "person"]
        truths.append((np.array(persons, np.float64).reshape(-1, 4), np.full(len(persons), PERSON)))
        images.append(scene.render(frame))
    return Camera(f"simulator {number}", images, truths)


def mosaic(cameras: Sequence[Camera]) -> Camera:
    """Return one camera that shows four side by side: with four times the pixels, people are small on a canvas."""
    a, b, c, d = cameras
    width, height = a.size_px
    images = [
        np.vstack([np.hstack(upper), np.hstack(lower)])
        for upper, lower in zip(zip(a.images, b.images, strict=True), zip(c.images, d.images, strict=True), strict=True)
    ]
    offsets = [(x, y, x, y) for x, y in ((0, 0), (width, 0), (0, height), (width, height))]
    truths = []
    for of_four in zip(*(camera.truths or () for camera in cameras), strict=True):
        boxes = np.concatenate([own[0] + offset for own, offset in zip(of_four, offsets, strict=True)])
        truths.append((boxes, np.full(len(boxes), PERSON)))
    return Camera("mosaic", images, truths)


def luma_of(image: Image) -> NDArray[np.uint8]:
    """Return the (H, W) grey levels that a decoder would have delivered beside the colours."""
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)


def small_luma(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the picture in which motion is looked for."""
    height_px = round(luma.shape[0] * LUMA_WIDTH_PX / luma.shape[1])
    return cv2.resize(luma, (LUMA_WIDTH_PX, height_px), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
