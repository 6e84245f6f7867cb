"""Do 8 bits pay? Average precision and CPU time of quantised networks, beside the same networks in float.

Static quantisation by ONNX Runtime, calibrated with pictures that are not among those of the figures, made ready by the
product's own preprocessing. `all` quantises everything but the decode head, `stem` leaves the first convolutions in
float too, which is where the precision goes. Times of all forms of a network are taken in turns; `as_shipped` is the
file itself, `float` what the quantiser starts from. A form wins where it costs at most 0.01 AP50 on each data set and
saves at least a tenth of the time. Nothing here is promised, so no row is missed; see docs/adr/0007-no-int8.md.
"""

import argparse
import logging
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import av
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench._average_precision import average_precision
from bench._datasets import coco, mot17_mini, pets, tud_stadtmitte
from bench._quantize_graph import METHODS, Recipe, quantised, simplified
from bench._rows import Row, print_rows
from bench.accuracy import Samples, catalogue_spec

from nvr.detection.detections import Image
from nvr.detection.load import load_detector
from nvr.detection.network import open_network
from nvr.detection.preprocess import Preprocessor

MOST_AP50_LOST = 0.01
LEAST_TIME_SAVED = 0.1
DATASETS: dict[str, Samples] = {"coco": coco, "pets": pets, "tud_stadtmitte": tud_stadtmitte}
FOOTAGE = (
    ("TUD-Campus/TUD-Campus.mp4", 5),
    ("one-by-one-person-detection.mp4", 70),
    ("car-detection.mp4", 20),
    ("bottle-detection.mp4", 100),
)
"""Videos without a part in the figures, and of how many frames one is taken."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A network, and how many of its first convolutions `stem` leaves in float."""

    file: str
    stem_convs: int


SUBJECTS = (
    Subject("yolox_nano_416.onnx", 4),
    Subject("picodet_xs_320.onnx", 25),
    Subject("deimv2_femto_416.onnx", 12),
)


def calibration_frames(assets: Path, n: int) -> list[Image]:
    """Return pictures of cameras, the same each time."""
    frames = [sample.image for sample in mot17_mini(assets)]
    for name, step in FOOTAGE:
        with av.open(str(assets / "videos" / name)) as container:
            taken = islice(container.decode(video=0), 0, None, step)
            frames.extend(frame.to_ndarray(format="bgr24").astype(np.uint8, copy=False) for frame in taken)
    return random.Random(0).sample(frames, min(n, len(frames)))


def measure_accuracy(path: Path, file: str, dataset: str, assets: Path) -> float:
    """Return AP50 as `bench/accuracy.py` measures it."""
    is_coco = dataset == "coco"
    detector = load_detector(
        path.stem,
        path,
        catalogue_spec(file),
        confidence_threshold=0.01 if is_coco else 0.05,
        providers=["cpu"],
        classes=None if is_coco else ["person"],
    )
    truths, answers = [], []
    for sample in DATASETS[dataset](assets):
        truths.append((sample.xyxy_px, sample.class_id))
        answers.extend(detector.infer([sample.image]))
    return average_precision(truths, answers)[1]


def measure_times(paths: Sequence[Path], file: str, image: Image, n_runs: int) -> list[float]:
    """Return the least CPU milliseconds of one image of each network, one thread, in turns."""
    spec = catalogue_spec(file)
    size_px = (spec.input_width_px, spec.input_height_px)
    networks = [open_network(path, size_px, providers=["cpu"]) for path in paths]
    batch, _ = Preprocessor(spec).fill([image])
    times_ms: list[list[float]] = [[] for _ in networks]
    for _ in range(n_runs):
        for network, own_ms in zip(networks, times_ms, strict=True):
            start_s = time.thread_time()
            network.run(batch)
            own_ms.append((time.thread_time() - start_s) * 1e3)
    return [min(own_ms) for own_ms in times_ms]


def measure(
    subject: Subject, recipes: Sequence[Recipe], frames: Sequence[Image], assets: Path, *, quick: bool
) -> list[Row]:
    """Quantise a network by each recipe and measure all forms of it."""
    file, spec = subject.file, catalogue_spec(subject.file)
    name = f"quantize.{Path(file).stem}"
    image = next(iter(pets(assets))).image
    with tempfile.TemporaryDirectory() as folder:
        simple = simplified(assets / "models" / file, Path(folder, "float.onnx"))
        forms = [simple, *(quantised(simple, Path(folder, f"{r.name}.onnx"), spec, frames, r) for r in recipes)]
        times_ms = measure_times([assets / "models" / file, *forms], file, image, 15 if quick else 60)
        rows = [Row(f"{name}.as_shipped.time", round(times_ms[0], 2), "ms")]
        losses: dict[Path, float] = dict.fromkeys(forms, 0.0)
        for dataset in ["coco"] if quick else DATASETS:
            figures = [measure_accuracy(form, file, dataset, assets) for form in forms]
            for form, ap50 in zip(forms, figures, strict=True):
                target = "" if form is simple else f">= {figures[0] - MOST_AP50_LOST:.4f}"
                rows.append(
                    Row(f"{name}.{form.stem}.{dataset}.ap50", round(ap50, 4), "AP", target, round(figures[0], 4))
                )
                losses[form] = max(losses[form], figures[0] - ap50)
    for form, time_ms in zip(forms, times_ms[1:], strict=True):
        target = "" if form is simple else f"<= {times_ms[1] * (1 - LEAST_TIME_SAVED):.2f}"
        rows.append(Row(f"{name}.{form.stem}.time", round(time_ms, 2), "ms", target, round(times_ms[1], 2)))
        wins = losses[form] <= MOST_AP50_LOST and time_ms <= times_ms[1] * (1 - LEAST_TIME_SAVED)
        rows += [] if form is simple else [Row(f"{name}.{form.stem}.wins", float(wins), "0 or 1")]
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="YOLOX-Nano and COCO only; about a minute")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    default = Path(os.environ.get("NVR_ASSETS_DIR", Path(__file__).parents[2] / "shared" / "data"))
    parser.add_argument("--assets", type=Path, default=default, help="folder with models, videos and images")
    parser.add_argument("--method", choices=METHODS, default="moving-average", help="how ranges are found")
    parser.add_argument("--stem", type=int, help="first convolutions in float of every network, in place of its own")
    options = parser.parse_args()
    if not (options.assets / "models").is_dir():
        print(f"quantize: nothing was measured: no models in {options.assets}; set NVR_ASSETS_DIR", file=sys.stderr)
        return 1
    logging.getLogger().setLevel(logging.ERROR)  # the quantiser gives advice about each file
    frames = calibration_frames(options.assets, 12 if options.quick else 40)
    rows = list(
        chain.from_iterable(
            measure(subject, recipes_of(subject, options), frames, options.assets, quick=options.quick)
            for subject in (SUBJECTS[:1] if options.quick else SUBJECTS)
        )
    )
    print_rows(rows, as_json=options.json)
    return 0


def recipes_of(subject: Subject, options: argparse.Namespace) -> list[Recipe]:
    stem_convs = subject.stem_convs if options.stem is None else options.stem
    return [Recipe("all", 0, options.method), Recipe("stem", stem_convs, options.method)]


if __name__ == "__main__":
    sys.exit(main())
