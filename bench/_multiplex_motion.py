"""Does the motion cover the persons that move, and what does it cost?"""

import time
from statistics import median

import numpy as np
from bench._multiplex_cameras import FPS, Camera, luma_of, small_luma
from bench._rows import Row
from numpy.typing import NDArray

from nvr.detection.detections import Detector
from nvr.detection.merging import areas, intersections
from nvr.detection.motion_finder import MotionFinder
from nvr.detection.region_planner import RegionPlanner, RegionSettings

WARM_UP = 5
"""Pictures, a second: a background that is learnt with people in it is not asked yet."""
MOVED_SHARE = 0.1
"""Of their height, within a second: less is standing."""
COVERED_SHARE = 0.9
"""Of a person's box, by the regions of one picture."""
SAME_IOU = 0.5

Boxes = NDArray[np.float32]


def moving_share(cameras: list[Camera], n: int) -> dict[str, float]:
    """Return by camera the mean share of the picture that lies in boxes of motion, without margins."""
    shares = {}
    for camera in cameras:
        finder, covered = MotionFinder(), []
        for image in camera.images[:n]:
            luma = small_luma(luma_of(image))
            mask = np.zeros(luma.shape, np.bool_)
            for left, top, right, bottom in finder.look(luma).xyxy_px.astype(np.int64):
                mask[top:bottom, left:right] = True
            covered.append(float(mask.mean()))
        shares[camera.name] = float(np.mean(covered[WARM_UP:]))
    return shares


def motion_cost(cameras: list[Camera]) -> Row:
    """Return the CPU time of motion in one picture, the median over cameras of content of each kind."""
    times_ms = []
    for camera in cameras:
        finder = MotionFinder()
        lumas = [small_luma(luma_of(image)) for image in camera.images]
        for luma in lumas:
            start_s = time.thread_time()
            finder.look(luma)
            times_ms.append((time.thread_time() - start_s) * 1e3)
    value = median(times_ms)
    return Row("multiplex.motion.cpu", round(value, 3), "ms", "<= 0.3", None, value <= 0.3)


def coverage(name: str, cameras: list[Camera], detector: Detector) -> Row:
    """Return how many of the moving persons that a network finds in whole frames the motion and its margin cover.

    A person is what the network finds with confidence 0.5 and the truth confirms; it moves if the truth's centre has
    moved by a tenth of its height within a second; it is covered by nine tenths of its box. Only motion counts:
    nothing is tracked, and whole looks are left out.
    """
    n_moving = n_covered = 0
    for camera in cameras:
        planner = RegionPlanner(0, (416, 416), RegionSettings(full_look_every_s=1e9, full_share=1e9))
        for number, image in enumerate(camera.images):
            plan = planner.plan(small_luma(luma_of(image)), camera.size_px, np.empty((0, 4), np.float32), number / FPS)
            if number < WARM_UP:
                continue
            seen = np.zeros(image.shape[:2], np.bool_)
            for region in plan.regions:
                left, top, right, bottom = region.xyxy_px
                seen[top:bottom, left:right] = True
            for left, top, right, bottom in moving_persons(camera, number, detector.infer([image])[0].xyxy_px):
                n_moving += 1
                n_covered += seen[top:bottom, left:right].mean() >= COVERED_SHARE
    share = n_covered / max(1, n_moving)
    return Row(f"multiplex.motion.{name}.covered", round(share, 4), f"of {n_moving}", ">= 0.99", None, share >= 0.99)


def moving_persons(camera: Camera, number: int, found: Boxes) -> NDArray[np.int64]:
    """Return the found boxes of persons that move, in whole pixels."""
    assert camera.truths is not None
    assert camera.identities is not None
    now, whose = camera.truths[number][0].astype(np.float32), camera.identities[number]
    before, whose_before = camera.truths[number - WARM_UP][0], camera.identities[number - WARM_UP]
    earlier = {int(who): (box[:2] + box[2:]) / 2 for who, box in zip(whose_before, before, strict=True)}
    moving = []
    for box in found:
        common = intersections(box[None], now)[0]
        iou = common / (areas(box[None]) + areas(now) - common)
        if not len(iou) or iou.max() < SAME_IOU:
            continue
        best = int(iou.argmax())
        start = earlier.get(int(whose[best]))
        if start is None:
            continue
        moved = np.hypot(*((now[best, :2] + now[best, 2:]) / 2 - start))
        if moved >= MOVED_SHARE * (now[best, 3] - now[best, 1]):
            moving.append(np.rint(box).astype(np.int64))
    return np.array(moving, np.int64).reshape(-1, 4)
