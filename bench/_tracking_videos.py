"""The videos that are tracked: what YOLOX-Nano sees in each frame, and who is where."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from bench.accuracy import catalogue_spec
from numpy.typing import NDArray

from nvr.detection.detections import Detections, Image
from nvr.detection.load import load_detector

CONFIDENCE = 0.35
"""The processor's default."""
MODEL = "yolox_nano_416.onnx"


@dataclass(frozen=True, slots=True)
class Video:
    """A file and how it is read."""

    name: str
    path: str
    fps: float
    """Of the camera; what PETS's file says is not so, and its times are out of order."""
    truth: str | None = None
    truth_scale: float = 1.0


PETS = Video("pets09_s2l1", "videos/PETS09-S2L1/vtest_480x360.avi", 7.0, "videos/PETS09-S2L1/gt.txt", 0.625)
STADTMITTE = Video("tud_stadtmitte", "videos/TUD-Stadtmitte/TUD-Stadtmitte.mp4", 25.0, "videos/TUD-Stadtmitte/gt.txt")
CAMPUS = Video("tud_campus", "videos/TUD-Campus/TUD-Campus.mp4", 25.0, "videos/TUD-Campus/gt.txt")
BOTTLE = Video("bottle", "videos/bottle-detection.mp4", 179 / 6)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen in a video, frame by frame."""

    video: Video
    size_px: tuple[int, int]
    captured_s: list[float]
    detections: list[Detections]

    def at(self, frames: list[int]) -> "Seen":
        """Return what a camera that is looked at less often shows."""
        return Seen(
            self.video, self.size_px, [self.captured_s[i] for i in frames], [self.detections[i] for i in frames]
        )


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Who is where in a video."""

    rows: NDArray[np.float64]
    """(n, 6) frame from 0, identity, left, top, right, bottom in pixels of the video."""

    def at(self, frames: list[int]) -> "Truth":
        """Return the same of some frames, counted anew."""
        place = {frame: i for i, frame in enumerate(frames)}
        rows = self.rows[np.isin(self.rows[:, 0], frames)].copy()
        rows[:, 0] = [place[int(frame)] for frame in rows[:, 0]]
        return Truth(rows)


def read_truth(video: Video, assets: Path) -> Truth:
    """Return the persons that count in MOTChallenge: flag 0 marks what a tracker need not find."""
    assert video.truth is not None
    rows = np.loadtxt(assets / video.truth, delimiter=",", ndmin=2)
    rows = rows[rows[:, 6] != 0]
    left_top = rows[:, 2:4] * video.truth_scale
    return Truth(np.column_stack([rows[:, 0] - 1, rows[:, 1], left_top, left_top + rows[:, 4:6] * video.truth_scale]))


def see(video: Video, assets: Path, classes: list[str] | None) -> Seen:
    """Run the detector over all frames, as the processor does with its defaults."""
    detector = load_detector(
        "yolox-nano",
        assets / "models" / MODEL,
        catalogue_spec(MODEL),
        confidence_threshold=CONFIDENCE,
        providers=["cpu"],
        classes=classes,
    )
    detections, size_px = [], (0, 0)
    for image in _images(assets / video.path):
        size_px = (image.shape[1], image.shape[0])
        detections += detector.infer([image])
    detector.close()
    return Seen(video, size_px, [i / video.fps for i in range(len(detections))], detections)


def sampled(n_frames: int, fps: float, wanted_fps: float, first: int = 0) -> list[int]:
    """Return the frames that a sampler takes: the first that is due, at no more than a rate."""
    frames, due_s = [], first / fps
    for i in range(first, n_frames):
        if i / fps >= due_s - 1e-6:
            frames.append(i)
            due_s += 1 / wanted_fps
    return frames


def _images(path: Path) -> Iterator[Image]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="bgr24", threads=1).astype(np.uint8, copy=False)
