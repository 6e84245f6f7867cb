"""Do lines and zones count what happens, and what do tracks as events cost? On PETS09-S2L1, against its ground truth.

YOLOX-Nano and the tracker run over the first 300 frames; several lines and zones are laid over the picture. Truth are
the annotated persons' own paths: a change of side beyond a tenth of the box's height is a crossing. Also the time of
point in polygon, beside shapely where that is installed.
"""

import argparse
import math
import os
import sys
import timeit
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from time import thread_time

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench._datasets import pets
from bench._rows import Row, exit_code, print_rows
from bench.accuracy import catalogue_spec

from nvr.config.zones import LineConfig, ZoneConfig
from nvr.detection.detections import Detections
from nvr.detection.load import load_detector
from nvr.events.track_event import TrackEvent
from nvr.tracking.frame_facts import FrameFacts
from nvr.tracking.geometry import Point, contains
from nvr.tracking.lifecycle import TrackLifecycle
from nvr.tracking.tracker import Tracker

FPS = 7
SIZE_PX = (768, 576)
START = datetime(2009, 1, 1, tzinfo=UTC)
LINES = tuple(LineConfig(name=f"x{x}", start=(x / 100, 0), end=(x / 100, 1)) for x in (30, 40, 50, 60, 70))
"""Down the picture, where people cross it and nobody appears or goes behind the lamp post."""
ZONES = (
    ZoneConfig(name="left", polygon=((0, 0), (0.5, 0), (0.5, 1), (0, 1))),
    ZoneConfig(name="right", polygon=((0.5, 0), (1, 0), (1, 1), (0.5, 1))),
    ZoneConfig(name="near", polygon=((0, 0.5), (1, 0.5), (1, 1), (0, 1))),
    ZoneConfig(name="junction", polygon=((0.3, 0.3), (0.6, 0.25), (0.7, 0.5), (0.5, 0.65), (0.25, 0.5))),
    ZoneConfig(name="far", polygon=((0, 0), (1, 0), (1, 0.3), (0, 0.3))),
)


def true_paths(truth_file: Path, n_frames: int) -> dict[int, list[tuple[float, float]]]:
    """Return of each annotated person where the feet are, as a share of the width, and a tenth of the height."""
    paths = defaultdict[int, list[tuple[float, float]]](list)
    rows: NDArray[np.float64] = np.loadtxt(truth_file, delimiter=",", ndmin=2)
    for frame, person, left, _, width, height in rows[np.argsort(rows[:, 0], kind="stable"), :6].tolist():
        if frame <= n_frames:
            paths[int(person)].append(((left + width / 2) / SIZE_PX[0], height / 10 / SIZE_PX[0]))
    return paths


def true_crossings(paths: Iterable[list[tuple[float, float]]], line_x: float) -> tuple[int, int]:
    """Count how often paths change the side of an upright line for good, to the left (`in`) and to the right."""
    to_left = to_right = 0
    for path in paths:
        sides = [x > line_x for x, margin in path if abs(x - line_x) > margin]
        to_left += sum(before and not after for before, after in pairwise(sides))
        to_right += sum(after and not before for before, after in pairwise(sides))
    return to_left, to_right


def detect(assets: Path) -> list[Detections]:
    detector = load_detector(
        "yolox-nano",
        assets / "models" / "yolox_nano_416.onnx",
        catalogue_spec("yolox_nano_416.onnx"),
        providers=["cpu"],
        classes=["person"],
    )
    return [detector.infer([sample.image])[0] for sample in pets(assets)]


def follow(seen: list[Detections]) -> tuple[list[TrackEvent], TrackLifecycle, float]:
    """Return the events of a video, the lifecycle after it, and the CPU microseconds of one track in one frame."""
    tracker, lifecycle = Tracker(1), TrackLifecycle(0, zones=ZONES, lines=LINES)
    events: list[TrackEvent] = []
    spent_s, n_tracks = 0.0, 0
    for i, found in enumerate(seen):
        at_s = i / FPS
        tracker.update(found.xyxy_px, found.confidence, found.class_id, at_s)
        tracks, ended = tracker.tracks, tracker.take_ended()
        frame = FrameFacts(i, START + timedelta(seconds=at_s), at_s, SIZE_PX, "yolox-nano", ("person",))
        before_s = thread_time()
        told = lifecycle.observe(tracks, ended, frame)
        for event in told:
            event.to_json()
        spent_s += thread_time() - before_s
        n_tracks += len(tracks)
        events += told
    return events, lifecycle, spent_s / n_tracks * 1e6


def count_rows(assets: Path, seen: list[Detections]) -> list[Row]:
    runs = [follow(seen) for _ in range(3)]
    events, lifecycle, _ = runs[0]
    paths = true_paths(assets / "videos" / "PETS09-S2L1" / "gt.txt", len(seen)).values()
    true = {line.name: true_crossings(paths, line.start[0]) for line in LINES}
    counted = {
        name: (sum(line.crossed_in.values()), sum(line.crossed_out.values()))
        for name, line in lifecycle.counts().lines.items()
    }
    n_true = sum(map(sum, true.values()))
    off = sum(abs(a - b) for name in true for a, b in zip(true[name], counted[name], strict=True))
    live_s = len(seen) / FPS
    cost_us = min(each for _, _, each in runs)
    return [
        Row("zones.pets.crossings", sum(map(sum, counted.values())), "", "", n_true),
        Row("zones.pets.crossings_off", off, "", f"<= {n_true // 10}", None, off <= n_true // 10),
        Row("zones.pets.events_per_track", round(len(events) / sum(e.kind == "start" for e in events), 1), ""),
        Row("zones.pets.events_per_second", round(len(events) / live_s, 2), "/s"),
        Row("zones.lifecycle_per_track", round(cost_us, 1), "µs", "<= 100", None, cost_us <= 100),
    ]


def geometry_rows() -> list[Row]:
    """Time ten objects in five zones of eight corners, as one busy frame asks it."""
    rng = np.random.default_rng(0)
    polygons: list[list[Point]] = []
    for x, y in rng.uniform(0.3, 0.7, (5, 2)).tolist():
        radii = rng.uniform(0.1, 0.3, 8).tolist()
        polygons.append(
            [(x + r * math.cos(i * math.pi / 4), y + r * math.sin(i * math.pi / 4)) for i, r in enumerate(radii)]
        )
    feet = rng.uniform(0, 1, (10, 2))
    points: list[Point] = [(x, y) for x, y in feet.tolist()]
    own_us = best_us(lambda: [[contains(polygon, point) for point in points] for polygon in polygons])
    peer_us = None
    if find_spec("shapely") is not None:
        shapely = import_module("shapely")  # no dependency of ours: only compared with
        shapes = [shapely.Polygon(polygon) for polygon in polygons]
        shapely.prepare(shapes)
        peer_us = best_us(lambda: [shapely.contains_xy(shape, feet[:, 0], feet[:, 1]) for shape in shapes])
    return [Row("zones.contains_10x5", round(own_us, 1), "µs", "<= 200", peer_us and round(peer_us, 1), own_us <= 200)]


def best_us(call: Callable[[], object]) -> float:
    return min(timeit.repeat(call, number=100, repeat=7)) / 100 * 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the same: it takes some 20 s")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    default = Path(os.environ.get("NVR_ASSETS_DIR", Path(__file__).parents[2] / "shared" / "data"))
    parser.add_argument("--assets", type=Path, default=default, help="folder with models and videos")
    options = parser.parse_args()
    assets: Path = options.assets
    if not (assets / "models").is_dir():
        print(f"zones: nothing was measured: no models in {assets}; set NVR_ASSETS_DIR", file=sys.stderr)
        return 1
    rows = geometry_rows() + count_rows(assets, detect(assets))
    print_rows(rows, as_json=options.json)
    return exit_code(rows)


if __name__ == "__main__":
    sys.exit(main())
