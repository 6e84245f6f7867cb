"""Does it pay to look at the moving parts of many cameras on one canvas, and is anything lost?

Canvases, one inference a frame and one inference a region see the same pictures in the same run, in turn. What counts
is CPU seconds of the thread: small pictures, motion, planning, cutting, packing, network, boxes and tracks; decoding is
on nobody's bill. Pictures come five times a second from real videos and from the simulator.
"""

import argparse
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench._average_precision import average_precision
from bench._multiplex_cameras import (
    BOTTLE,
    CAR,
    ONE_BY_ONE,
    PETS,
    STADTMITTE,
    Camera,
    mosaic,
    open_scene,
    open_video,
)  # fmt: skip
from bench._multiplex_motion import coverage, motion_cost, moving_share
from bench._multiplex_ways import CANVAS_PX, CanvasWay, FrameWay, RegionWay, Way, open_detector, play
from bench._rows import Row, exit_code, print_rows

from nvr.detection.detections import Detections
from nvr.detection.merging import areas, intersections
from nvr.detection.packing import pack
from nvr.detection.region_planner import RegionSettings

AP_CONFIDENCE = 0.05
"""As in `bench/accuracy.py`."""
CONFIDENCE = 0.35
"""The processor's default."""
AP_LOSS = 0.01
MOSAIC = 4.75
"""Times as many frames as one by one, published for six cameras (MOSAIC, MMSys 2023)."""
RECALL_LOSS = 0.01
LARGER_PX = 48.0
"""Of a person on a canvas that has room."""
IDLE_S = 60.0
SCENE_S = 40.0


@dataclass(frozen=True, slots=True)
class Size:
    """How much is looked at."""

    sets: tuple[str, ...]
    """Of those whose accuracy is compared."""
    phases: int
    """Of the street, of which five a second are a fifth of the pictures."""
    ticks: int
    crowded_ticks: int
    idle_cameras: int
    is_judged: bool
    """Whether it is long enough for the first looks, at whole frames, not to weigh."""


FULL = Size(("pets", "tud_stadtmitte", "simulator", "pets_small"), 5, 150, 100, 8, is_judged=True)
QUICK = Size(("pets",), 2, 25, 8, 2, is_judged=False)


def measure_accuracy(assets: Path, size: Size) -> list[Row]:
    """Compare AP50 of persons with looking at each frame whole, same model, same pictures."""
    rows = []
    for name in size.sets:
        cameras = open_set(assets, name, size)
        canvas = CanvasWay(*open_detector(assets, AP_CONFIDENCE, leaves_out_rows=True), len(cameras))
        frames = FrameWay(*open_detector(assets, AP_CONFIDENCE, leaves_out_rows=False), len(cameras))
        play(cameras, [canvas, frames])
        ours, whole = (ap50(cameras, way) for way in (canvas, frames))
        is_kept = ours >= whole - AP_LOSS
        rows.append(
            Row(f"multiplex.ap50.{name}", round(ours, 4), "AP", f">= {whole - AP_LOSS:.3f}", round(whole, 4), is_kept)
        )
    return rows


def open_set(assets: Path, name: str, size: Size) -> list[Camera]:
    """Return the cameras of a set whose truth is known."""
    if name == "tud_stadtmitte":
        return [open_video(assets, STADTMITTE, f"phase {i}", start_s=i / 25) for i in range(size.phases)]
    if name == "simulator":
        return [open_scene(i, SCENE_S, "busy") for i in range(8)]
    pets = open_video(assets, PETS, "pets")
    if name == "pets":
        return [pets]
    quarter = len(pets.images) // 4
    return [mosaic([pets.part(i * quarter, quarter) for i in range(4)])]


def ap50(cameras: Sequence[Camera], way: Way) -> float:
    """Return AP50 over all pictures of all cameras."""
    truths = [truth for camera in cameras for truth in camera.truths or ()]
    return average_precision(truths, [answer for side in way.sides for answer in side.answers])[1]


def quiet_cameras(assets: Path, seconds: float) -> list[Camera]:
    """Return eight cameras in whose pictures little moves, as they are in the videos."""
    return [
        open_video(assets, CAR, "car 0 s", most_s=seconds),
        open_video(assets, CAR, "car 15 s", start_s=15, most_s=seconds),
        open_video(assets, ONE_BY_ONE, "one-by-one 0 s", most_s=seconds),
        open_video(assets, ONE_BY_ONE, "one-by-one 46 s", start_s=46, most_s=seconds),
        open_video(assets, ONE_BY_ONE, "one-by-one 92 s", start_s=92, most_s=seconds),
        open_video(assets, BOTTLE, "bottle 0 s", most_s=seconds),
        open_video(assets, PETS, "pets 0 s", most_s=seconds),
        open_video(assets, PETS, "pets 20 s", start_s=20, most_s=seconds),
    ]


def measure_throughput(assets: Path, size: Size) -> list[Row]:
    """Compare camera frames per CPU second, inferences and overhead on one core."""
    rows: list[Row] = []
    crowded = [open_video(assets, PETS, f"pets {5 * i} s", start_s=5.0 * i, most_s=8) for i in range(8)]
    for name, cameras, ticks, least in (
        ("quiet", quiet_cameras(assets, size.ticks / 5), size.ticks, MOSAIC),
        ("crowded", crowded, size.crowded_ticks, 2.0),
    ):
        n = len(cameras)
        canvas = CanvasWay(*open_detector(assets, CONFIDENCE, leaves_out_rows=True, persons_only=False), n)
        frames = FrameWay(*open_detector(assets, CONFIDENCE, leaves_out_rows=False, persons_only=False), n)
        trimmed = FrameWay(*open_detector(assets, CONFIDENCE, leaves_out_rows=True, persons_only=False), n)
        play(cameras, [canvas, frames, trimmed], ticks)
        shares = moving_share(cameras, ticks)
        rows += [
            *(
                Row(f"multiplex.{name}.moving.{camera.replace(' ', '_')}", round(share, 3), "share")
                for camera, share in shares.items()
            ),
            Row(f"multiplex.{name}.moving", round(float(np.mean(list(shares.values()))), 3), "share"),
            *throughput_rows(f"multiplex.{name}", canvas, frames, trimmed, least if size.is_judged else None),
            *overhead_rows(f"multiplex.{name}", canvas),
        ]
    return rows


def throughput_rows(name: str, canvas: Way, frames: Way, trimmed: Way, least: float | None) -> list[Row]:
    """Return frames per CPU second of canvases beside those of whole frames."""
    per_s, whole_per_s, trimmed_per_s = (1e3 / way.bill.ms_per_frame for way in (canvas, frames, trimmed))
    ratio, per_tick = per_s / whole_per_s, canvas.bill.runs / (canvas.bill.frames / len(canvas.sides))
    return [
        Row(f"{name}.frames_per_cpu_s", round(per_s, 1), "1/s", "", round(whole_per_s, 1)),
        Row(f"{name}.ratio", round(ratio, 2), "x")
        if least is None
        else Row(f"{name}.ratio", round(ratio, 2), "x", f">= {least:g}", None, ratio >= least),
        Row(f"{name}.ratio_without_grey_rows", round(per_s / trimmed_per_s, 2), "x"),
        Row(f"{name}.canvases_per_tick", round(per_tick, 2), "1", "", len(canvas.sides)),
        Row(f"{name}.regions_per_frame", round(canvas.bill.regions / canvas.bill.frames, 2), "1"),
    ]


def overhead_rows(name: str, canvas: Way) -> list[Row]:
    """Return what is done around the network as a share of its own time."""
    bill = canvas.bill
    around = (bill.look_s - bill.network_s + bill.track_s) / bill.network_s
    return [
        Row(f"{name}.overhead", round(100 * around, 1), "%", "<= 15", None, around <= 0.15),
        Row(f"{name}.overhead.tracking_alone", round(100 * bill.track_s / bill.network_s, 1), "%"),
        Row(f"{name}.planning", round(bill.plan_s * 1e3 / bill.frames, 3), "ms"),
        Row(f"{name}.network", round(bill.network_s * 1e3 / bill.frames, 3), "ms"),
    ]


def measure_frigates_way(assets: Path, size: Size) -> list[Row]:
    """Compare inferences and recall with one inference for each region, as Frigate does.

    That enlarges small regions to the network's input. Canvases do so where they are allowed one for each camera:
    `roomy`; by default they see about what a whole frame would show.
    """
    cameras = [open_video(assets, PETS, f"pets {5 * i} s", start_s=5.0 * i, most_s=8) for i in range(8)]
    n, ticks = len(cameras), min(size.crowded_ticks, len(cameras[0].images))
    canvas = CanvasWay(*open_detector(assets, CONFIDENCE, leaves_out_rows=True), n)
    larger = RegionSettings(least_height_px=LARGER_PX)
    roomy = CanvasWay(*open_detector(assets, CONFIDENCE, leaves_out_rows=True), n, larger, room_canvases=n)
    regions = RegionWay(*open_detector(assets, CONFIDENCE, leaves_out_rows=False), n)
    frames = FrameWay(*open_detector(assets, CONFIDENCE, leaves_out_rows=False), n)
    ways = {"whole_frames": frames, "canvas": canvas, "roomy": roomy}
    play(cameras, [*ways.values(), regions], ticks)
    theirs, rows = recall(cameras, regions, ticks), []
    for name, way in ways.items():
        ours, fewer, per_frame = recall(cameras, way, ticks), regions.bill.runs / way.bill.runs, way.bill.ms_per_frame
        recalled = Row(f"multiplex.regions.{name}.recall", round(ours, 4), "share", "", round(theirs, 4))
        rarer = Row(f"multiplex.regions.{name}.fewer_inferences", round(fewer, 2), "x")
        if way is roomy:
            recalled = replace(recalled, target=f">= {theirs - RECALL_LOSS:.3f}", ok=ours >= theirs - RECALL_LOSS)
            rarer = replace(rarer, target=">= 5", ok=fewer >= 5)
        cost = Row(
            f"multiplex.regions.{name}.cpu_per_frame",
            round(per_frame, 2),
            "ms",
            "",
            round(regions.bill.ms_per_frame, 2),
        )
        rows += [recalled, rarer, cost]
    per_frame = regions.bill.runs / regions.bill.frames
    return [*rows, Row("multiplex.regions.theirs.inferences_per_frame", round(per_frame, 2), "1")]


def recall(cameras: Sequence[Camera], way: Way, ticks: int) -> float:
    """Return the share of true persons that a told box overlaps by half; each box counts for one person."""
    n = hits = 0
    for camera, side in zip(cameras, way.sides, strict=True):
        for (truth, _), answer in zip((camera.truths or ())[:ticks], side.answers, strict=False):
            n += len(truth)
            hits += matches(truth.astype(np.float32), answer)
    return hits / max(1, n)


def matches(truth: NDArray[np.float32], found: Detections) -> int:
    """Return how many true boxes have a box of their own, the surest choosing first."""
    common = intersections(found.xyxy_px, truth)
    iou = common / np.maximum(areas(found.xyxy_px)[:, None] + areas(truth) - common, 1e-6)
    free = np.ones(len(truth), np.bool_)
    for i in np.argsort(-found.confidence, kind="stable"):
        best = np.where(free, iou[i], 0)
        if len(best) and best.max() >= 0.5:
            free[best.argmax()] = False
    return int(len(truth) - free.sum())


def measure_idle(assets: Path, size: Size) -> list[Row]:
    """Count the inferences of cameras in front of which nothing moves but the noise of their sensors."""
    n = size.idle_cameras
    cameras = [open_scene(i, 20.0, "quiet") for i in range(n)]
    canvas = CanvasWay(*open_detector(assets, CONFIDENCE, leaves_out_rows=True), n)
    play(cameras, [canvas], round(IDLE_S * 5))
    # the first look at each camera is not one of a quiet camera: nothing is known yet
    value = (canvas.bill.full_looks - n) / n / (IDLE_S / 10)
    others = canvas.bill.regions - canvas.bill.full_looks
    return [
        Row("multiplex.idle.looks_per_10_s", round(value, 3), "1", "<= 1", None, value <= 1 and others == 0),
        Row("multiplex.idle.cpu_per_frame", round(canvas.bill.ms_per_frame, 3), "ms"),
    ]


def measure_parts(assets: Path, size: Size) -> list[Row]:
    """Measure motion, packing and head decoding alone."""
    pets = open_video(assets, PETS, "pets", most_s=60 if size.is_judged else 12)
    street = open_video(assets, STADTMITTE, "street")
    sure, _ = open_detector(assets, 0.5, leaves_out_rows=False)
    rng = random.Random(3)
    regions = [[(2 * rng.randint(8, 50), 2 * rng.randint(12, 60)) for _ in range(40)] for _ in range(50)]
    pack_ms = median(_least_ms(partial(pack, sizes, CANVAS_PX, 16)) for sizes in regions)
    return [
        motion_cost([pets, street, *quiet_cameras(assets, size.ticks / 5)[1:6:2]]),
        coverage("pets", [pets], sure),
        coverage("tud_stadtmitte", [street], sure),
        Row("multiplex.pack_40_regions", round(pack_ms, 3), "ms", "< 1", None, pack_ms < 1),
    ]


def _least_ms(function: Callable[[], object]) -> float:
    times_ms = []
    for _ in range(3):
        start_s = time.thread_time()
        function()
        times_ms.append((time.thread_time() - start_s) * 1e3)
    return min(times_ms)


PARTS = {
    "accuracy": measure_accuracy,
    "throughput": measure_throughput,
    "regions": measure_frigates_way,
    "idle": measure_idle,
    "parts": measure_parts,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer pictures; under 60 s")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--only", action="append", choices=PARTS, help="measure this alone; may be repeated")
    default = Path(os.environ.get("NVR_ASSETS_DIR", Path(__file__).parents[2] / "shared" / "data"))
    parser.add_argument("--assets", type=Path, default=default, help="folder with models and videos")
    options = parser.parse_args()
    if not (options.assets / "models").is_dir():
        print(f"multiplex: nothing was measured: no models in {options.assets}; set NVR_ASSETS_DIR", file=sys.stderr)
        return 1
    rows: list[Row] = []
    for name in options.only or PARTS:
        new_rows = PARTS[name](options.assets, QUICK if options.quick else FULL)
        if options.json:
            print_rows(new_rows, as_json=True)
        rows += new_rows
    if not options.json:
        print_rows(rows, as_json=False)
    return exit_code(rows)


if __name__ == "__main__":
    sys.exit(main())
