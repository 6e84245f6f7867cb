"""Three ways to look at many cameras with one network: canvases, each frame whole, each region alone."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from bench._multiplex_cameras import FPS, Camera, luma_of, small_luma, there_and_back
from bench.accuracy import catalogue_spec
from numpy.typing import NDArray

from nvr.detection.canvas_detector import CanvasDetector, Crop, Look
from nvr.detection.detections import Detections, Detector, Image
from nvr.detection.network import Network, open_network
from nvr.detection.network_detector import NetworkDetector
from nvr.detection.nms import Selection, select
from nvr.detection.preprocess import Batch
from nvr.detection.region_planner import RegionPlan, RegionPlanner, RegionSettings
from nvr.detection.regions import Box, Size
from nvr.detection.signature import Signature
from nvr.tracking.tracker import Tracker

MODEL = "yolox_nano_416.onnx"
CANVAS_PX = (416, 416)


class TimedNetwork(Network):
    """A network that notes the CPU time of each run."""

    def __init__(self, inner: Network) -> None:
        self._inner = inner
        self.size_px = inner.size_px
        self.has_real_batches = inner.has_real_batches
        self.is_freed = inner.is_freed
        self.runs = 0
        self.cpu_s = 0.0

    @property
    def has_free_height(self) -> bool:
        return self._inner.has_free_height

    @property
    def provider(self) -> str:
        return self._inner.provider

    @property
    def signature(self) -> Signature:
        return self._inner.signature

    def run(self, batch: Batch) -> list[list[NDArray[Any]]]:
        start_s = time.thread_time()
        answers = self._inner.run(batch)
        self.cpu_s += time.thread_time() - start_s
        self.runs += 1
        return answers


def open_detector(
    assets: Path, confidence: float, *, leaves_out_rows: bool, persons_only: bool = True
) -> tuple[Detector, TimedNetwork]:
    """Return YOLOX-Nano on one thread, as the catalogue describes it, and its stopwatch."""
    path, spec = assets / "models" / MODEL, catalogue_spec(MODEL)
    network = TimedNetwork(open_network(path, providers=["cpu"], wants_free_height=leaves_out_rows))
    classes = frozenset({spec.class_names.index("person")}) if persons_only else None
    detector = NetworkDetector("nano", network, spec, Selection(confidence, spec.nms_iou, classes))
    network.runs, network.cpu_s = 0, 0.0
    return detector, network


@dataclass(slots=True)
class Bill:
    """What a way has cost so far."""

    frames: int = 0
    cpu_s: float = 0.0
    """Of all: small pictures, motion, planning, cutting, packing, network, boxes, tracks."""
    plan_s: float = 0.0
    look_s: float = 0.0
    track_s: float = 0.0
    network_s: float = 0.0
    runs: int = 0
    regions: int = 0
    full_looks: int = 0

    @property
    def ms_per_frame(self) -> float:
        return self.cpu_s * 1e3 / max(1, self.frames)


@dataclass(slots=True)
class Side:
    """What is known of one camera."""

    tracker: Tracker
    planner: RegionPlanner
    answers: list[Detections] = field(default_factory=list)


class Way:
    """Looks at one picture of each camera after the other; subclasses say how."""

    def __init__(self, network: TimedNetwork, n: int, settings: RegionSettings | None, canvas_px: Size) -> None:
        self.bill = Bill()
        self.sides = [Side(Tracker(1), RegionPlanner(i, canvas_px, settings)) for i in range(n)]
        self._network = network
        self._lumas: list[NDArray[np.uint8] | None] = []

    def tick(self, images: Sequence[Image | None], now_s: float) -> None:
        """Look at the newest pictures; None of a camera that has ended."""
        self._lumas = [None if image is None else luma_of(image) for image in images]
        bill, network = self.bill, self._network
        runs, network_s, start_s = network.runs, network.cpu_s, time.thread_time()
        self._look(images, now_s)
        bill.cpu_s += time.thread_time() - start_s
        bill.runs += network.runs - runs
        bill.network_s += network.cpu_s - network_s
        bill.frames += sum(image is not None for image in images)

    def _look(self, images: Sequence[Image | None], now_s: float) -> None:
        raise NotImplementedError

    def _plan(self, side: Side, luma: NDArray[np.uint8], now_s: float) -> RegionPlan:
        start_s = time.thread_time()
        size_px = (luma.shape[1], luma.shape[0])
        plan = side.planner.plan(small_luma(luma), size_px, side.tracker.predict(now_s), now_s)
        self.bill.plan_s += time.thread_time() - start_s
        self.bill.regions += len(plan.regions)
        self.bill.full_looks += plan.is_full_look
        return plan

    def _conclude(self, side: Side, found: Detections, plan: RegionPlan | None, now_s: float) -> None:
        """Follow, and note what would be told: what was seen now, and who stands where nobody looked."""
        start_s = time.thread_time()
        if plan is not None and not plan.regions:
            side.tracker.hold(now_s)
            ids = np.empty(0, np.int64)
        else:
            looked_at = None
            if plan is not None and not plan.is_full_look:
                looked_at = np.array([region.xyxy_px for region in plan.regions], np.float32)
            ids = side.tracker.update(found.xyxy_px, found.confidence, found.class_id, now_s, looked_at)
        self.bill.track_s += time.thread_time() - start_s
        seen = set(ids.tolist())
        held = [t for t in side.tracker.tracks if t.is_confirmed and not t.is_lost and t.track_id not in seen]
        side.answers.append(
            Detections(
                np.concatenate([found.xyxy_px, *(track.xyxy_px[None] for track in held)]),
                np.append(found.confidence, [track.confidence for track in held]).astype(np.float32),
                np.append(found.class_id, [track.class_id for track in held]).astype(np.int32),
            )
        )


class CanvasWay(Way):
    """Ours."""

    def __init__(
        self,
        detector: Detector,
        network: TimedNetwork,
        n: int,
        settings: RegionSettings | None = None,
        room_canvases: int = 1,
    ) -> None:
        super().__init__(network, n, settings, CANVAS_PX)
        self._canvas = CanvasDetector(detector, CANVAS_PX, room_canvases=room_canvases)

    def _look(self, images: Sequence[Image | None], now_s: float) -> None:
        plans = [
            None if image is None or luma is None else self._plan(side, luma, now_s)
            for side, image, luma in zip(self.sides, images, self._lumas, strict=True)
        ]
        present = [i for i, plan in enumerate(plans) if plan is not None]
        looks = []
        for i in present:
            image, plan = images[i], plans[i]
            assert image is not None
            assert plan is not None
            looks.append(Look(i, (image.shape[1], image.shape[0]), plan.regions, cropper(image)))
        start_s = time.thread_time()
        answers = self._canvas.detect(looks)
        self.bill.look_s += time.thread_time() - start_s
        for i, found in zip(present, answers, strict=True):
            self._conclude(self.sides[i], found, plans[i], now_s)


class FrameWay(Way):
    """One inference for each frame."""

    def __init__(self, detector: Detector, network: TimedNetwork, n: int) -> None:
        super().__init__(network, n, None, CANVAS_PX)
        self._detector = detector

    def _look(self, images: Sequence[Image | None], now_s: float) -> None:
        for side, image in zip(self.sides, images, strict=True):
            if image is not None:
                start_s = time.thread_time()
                (found,) = self._detector.infer([image])
                self.bill.look_s += time.thread_time() - start_s
                self._conclude(side, found, None, now_s)


class RegionWay(Way):
    """One inference for each region, as Frigate does; motion, tracks and regions are ours, so only that differs.

    Its regions are squares, scaled to the network's input; small ones are enlarged.
    """

    def __init__(self, detector: Detector, network: TimedNetwork, n: int) -> None:
        super().__init__(network, n, RegionSettings(least_height_px=0, most_height_px=1e9), CANVAS_PX)
        self._detector = detector

    def _look(self, images: Sequence[Image | None], now_s: float) -> None:
        for side, image, luma in zip(self.sides, images, self._lumas, strict=True):
            if image is None or luma is None:
                continue
            plan = self._plan(side, luma, now_s)
            parts = []
            for region in plan.regions:
                left, top, right, bottom = square_around(region.xyxy_px, (image.shape[1], image.shape[0]))
                (found,) = self._detector.infer([image[top:bottom, left:right]])
                offset = np.array([left, top, left, top], np.float32)
                parts.append(Detections(found.xyxy_px + offset, found.confidence, found.class_id))
            self._conclude(side, without_doubles(parts), plan, now_s)


def square_around(xyxy_px: Box, size_px: Size) -> Box:
    """Return a square of at least the network's input around a box, moved into the frame and cut to it."""
    left, top, right, bottom = xyxy_px
    side = max(right - left, bottom - top, CANVAS_PX[0])
    x = max(0, min((left + right - side) // 2, size_px[0] - side))
    y = max(0, min((top + bottom - side) // 2, size_px[1] - side))
    return x, y, min(size_px[0], x + side), min(size_px[1], y + side)


def without_doubles(parts: Sequence[Detections]) -> Detections:
    """Return the detections of overlapping regions, each object once."""
    if not parts:
        return Detections.empty()
    return select(
        np.concatenate([part.xyxy_px for part in parts]),
        np.concatenate([part.confidence for part in parts]),
        np.concatenate([part.class_id for part in parts]),
        Selection(0.0, 0.45),
    )


def cropper(image: Image) -> Crop:
    """Return what cuts parts out of a picture."""

    def crop(xyxy_px: Box, size_px: Size) -> Image:
        left, top, right, bottom = xyxy_px
        part = image[top:bottom, left:right]
        if part.shape[1::-1] == size_px:
            return part
        return cv2.resize(part, size_px, interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)

    return crop


def play(cameras: Sequence[Camera], ways: Sequence[Way], n_ticks: int | None = None) -> None:
    """Show all ways the same pictures, the ways in turn, so that what else the machine does meets all alike.

    Args:
        cameras: In the order of the ways' sides.
        ways: Who looks.
        n_ticks: Pictures of each camera, forwards and backwards; None to show each picture once.
    """
    longest = max(len(camera.images) for camera in cameras)
    places = [
        there_and_back(len(camera.images), n_ticks) if n_ticks else range(len(camera.images)) for camera in cameras
    ]
    for tick in range(n_ticks or longest):
        images = [
            camera.images[own[tick]] if tick < len(own) else None for camera, own in zip(cameras, places, strict=True)
        ]
        first = tick % len(ways)
        for way in [*ways[first:], *ways[:first]]:
            way.tick(images, tick / FPS)
