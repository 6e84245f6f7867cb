"""Pictures and videos with ground truth, read from the folder of assets (see its README for sources and licences)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from nvr.detection.detections import Image

PERSON = 0
"""Class id in COCO's order; all but COCO itself have persons only."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture and what is on it."""

    image: Image
    xyxy_px: NDArray[np.float64] = field(repr=False)
    """(n, 4) in pixels."""
    class_id: NDArray[np.int64] = field(repr=False)
    """(n,)"""


def coco(assets: Path) -> Iterator[Sample]:
    """Yield the pictures of COCO val2017; labels are lines of class, centre and size relative to the picture."""
    for path in sorted((assets / "images" / "coco-val2017").glob("*.jpg")):
        image = _read_image(path)
        rows = np.loadtxt(path.with_suffix(".txt"), ndmin=2)
        size = np.array([image.shape[1], image.shape[0]])
        centre, half = rows[:, 1:3] * size, rows[:, 3:5] * size / 2
        yield Sample(image, np.concatenate([centre - half, centre + half], axis=1), rows[:, 0].astype(np.int64))


def pets(assets: Path) -> Iterator[Sample]:
    folder = assets / "videos" / "PETS09-S2L1"
    yield from _mot_video(folder / "PETS09-S2L1_768x576_f1-300.mp4", folder / "gt.txt")


def tud_stadtmitte(assets: Path) -> Iterator[Sample]:
    folder = assets / "videos" / "TUD-Stadtmitte"
    yield from _mot_video(folder / "TUD-Stadtmitte.mp4", folder / "gt.txt")


def mot17_mini(assets: Path) -> Iterator[Sample]:
    for folder in sorted((assets / "images" / "MOT17-mini").iterdir()):
        truth = _mot_truth(folder / "gt" / "gt.txt")
        for path in sorted((folder / "img1").glob("*.jpg")):
            yield _persons(_read_image(path), truth, int(path.stem))


def _read_image(path: Path) -> Image:
    image = cv2.imread(str(path))
    assert image is not None, path
    return image.astype(np.uint8, copy=False)


def _mot_video(video: Path, truth_file: Path) -> Iterator[Sample]:
    truth = _mot_truth(truth_file)
    with av.open(str(video)) as container:
        for number, frame in enumerate(container.decode(video=0), start=1):
            yield _persons(frame.to_ndarray(format="bgr24").astype(np.uint8, copy=False), truth, number)


def _mot_truth(path: Path) -> NDArray[np.float64]:
    """Return rows of frame, left, top, width, height of the persons that count.

    Format of MOTChallenge: frame, id, left, top, width, height, flag, then in MOT17 the class (1 = pedestrian) and
    the visible share, in MOT15 the place in the world. In MOT17 flag 0 marks what a tracker need not find; in
    MOT15 all rows are persons, and the published figures here count those with flag 0 (174 of 4650 in PETS) too.
    """
    rows = np.loadtxt(path, delimiter=",", ndmin=2)
    if "MOT17" in str(path):
        rows = rows[(rows[:, 6] == 1) & (rows[:, 7] == 1)]
    truth: NDArray[np.float64] = rows[:, [0, 2, 3, 4, 5]]
    return truth


def _persons(image: Image, truth: NDArray[np.float64], number: int) -> Sample:
    rows = truth[truth[:, 0] == number]
    # MOTChallenge counts pixels from 1; the half pixel of difference is left as it is.
    xyxy_px = np.concatenate([rows[:, 1:3], rows[:, 1:3] + rows[:, 3:5]], axis=1)
    return Sample(image, xyxy_px, np.full(len(rows), PERSON))
