"""Are the boxes right? Average precision of each detector on pictures with ground truth, beside published figures.

The guard against wrong pre- and post-processing: all figures must stay within 0.01 of those that were measured with
other code. Also the CPU time of the network and of what we do around it. Persons are counted from confidence 0.05,
COCO from 0.01, as the figures were taken.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench._average_precision import average_precision
from bench._datasets import Sample, coco, mot17_mini, pets, tud_stadtmitte
from bench._rows import Row, exit_code, print_rows

from nvr.assets.catalogue import load_catalogue
from nvr.assets.spec import ModelSpec
from nvr.detection.detections import Image
from nvr.detection.heads import make_decoder
from nvr.detection.load import load_detector
from nvr.detection.network import open_network
from nvr.detection.nms import Selection
from nvr.detection.preprocess import Preprocessor

TOLERANCE = 0.01
Samples = Callable[[Path], Iterator[Sample]]
DATASETS: dict[str, Samples] = {
    "coco": coco,
    "pets": pets,
    "tud_stadtmitte": tud_stadtmitte,
    "mot17_mini": mot17_mini,
}


@dataclass(frozen=True, slots=True)
class Subject:
    """A model at one size, and its published AP50 by data set (for COCO: AP50:95 and AP50)."""

    name: str
    file: str
    peers: dict[str, tuple[float, ...]]
    size_px: tuple[int, int] | None = None
    size_4_to_3_px: tuple[int, int] | None = None
    """For the videos of that shape."""
    quick: frozenset[str] = field(default=frozenset({"coco", "mot17_mini"}))


SUBJECTS = (
    Subject(
        "yolox_nano_416x416",
        "yolox_nano_416.onnx",
        {"coco": (0.329, 0.493), "pets": (0.892,), "tud_stadtmitte": (0.845,), "mot17_mini": (0.387,)},
        quick=frozenset({"coco", "tud_stadtmitte", "mot17_mini"}),
    ),
    Subject(
        "yolox_nano_416x256",
        "yolox_nano_416.onnx",
        {"pets": (0.909,), "tud_stadtmitte": (0.845,), "mot17_mini": (0.379,)},
        (416, 256),
    ),
    Subject(
        "yolox_nano_640x384",
        "yolox_nano_416.onnx",
        {"pets": (0.886,), "tud_stadtmitte": (0.865,), "mot17_mini": (0.527,)},
        (640, 384),
        (640, 480),
    ),
    Subject(
        "deimv2_atto_320",
        "deimv2_atto_320.onnx",
        {"coco": (0.304, 0.439), "pets": (0.751,), "tud_stadtmitte": (0.861,), "mot17_mini": (0.228,)},
    ),
    Subject(
        "deimv2_femto_416",
        "deimv2_femto_416.onnx",
        {"coco": (0.402, 0.554), "pets": (0.883,), "tud_stadtmitte": (0.869,), "mot17_mini": (0.395,)},
    ),
    Subject(
        "picodet_xs_320",
        "picodet_xs_320.onnx",
        {"coco": (0.318, 0.476), "pets": (0.876,), "tud_stadtmitte": (0.850,), "mot17_mini": (0.375,)},
    ),
)


def catalogue_spec(file: str) -> ModelSpec:
    """Return how the product feeds and reads a model's file: what is measured is what users get."""
    (spec,) = (entry.spec for entry in load_catalogue().entries if entry.path.name == file)
    assert spec is not None
    return spec


def measure_accuracy(subject: Subject, dataset: str, assets: Path) -> list[Row]:
    """Run a model over a data set and compare with the published figures."""
    is_coco = dataset == "coco"
    is_4_to_3 = dataset in ("pets", "tud_stadtmitte")
    detector = load_detector(
        subject.name,
        assets / "models" / subject.file,
        catalogue_spec(subject.file),
        confidence_threshold=0.01 if is_coco else 0.05,
        providers=["cpu"],
        classes=None if is_coco else ["person"],
        size_px=(subject.size_4_to_3_px if is_4_to_3 else None) or subject.size_px,
    )
    truths, answers = [], []
    for sample in DATASETS[dataset](assets):
        truths.append((sample.xyxy_px, sample.class_id))
        answers.extend(detector.infer([sample.image]))
    figures = average_precision(truths, answers)
    named = dict(zip(("ap50_95", "ap50"), figures, strict=True)) if is_coco else {"ap50": figures[1]}
    rows = []
    for (measure, value), peer in zip(named.items(), subject.peers[dataset], strict=True):
        is_near = abs(value - peer) <= TOLERANCE
        name = f"accuracy.{subject.name}.{dataset}.{measure}"
        rows.append(Row(name, round(value, 4), "AP", f"{peer:g}±{TOLERANCE:g}", peer, is_near))
    return rows


def measure_time(subject: Subject, images: list[Image], assets: Path) -> list[Row]:
    """Measure the CPU milliseconds of one image at threshold 0.3.

    `network` is the least of all runs and `head` the median of each picture's least of three: what the code costs.
    `around` is the median of all that is not the network, as it comes between two runs of it, caches cold.
    """
    path = assets / "models" / subject.file
    network = open_network(path, subject.size_px, providers=["cpu"])
    spec = catalogue_spec(subject.file)
    if subject.size_px is not None:
        spec = replace(spec, input_width_px=subject.size_px[0], input_height_px=subject.size_px[1])
    preprocessor, decoder = Preprocessor(spec), make_decoder(spec, Selection(0.3, spec.nms_iou))
    network_ms, head_ms, around_ms = [], [], []
    for image in images:
        start = time.thread_time()
        batch, placements = preprocessor.fill([image])
        filled = time.thread_time()
        outputs = network.run(batch)[0]
        heads_ms = []
        ran = time.thread_time()
        for _ in range(3):
            before = time.thread_time()
            placements[0].to_source(decoder.decode(outputs).xyxy_px)
            heads_ms.append((time.thread_time() - before) * 1e3)
        network_ms.append((ran - filled) * 1e3)
        around_ms.append((filled - start) * 1e3 + heads_ms[0])
        head_ms.append(min(heads_ms))
    name = f"time.{subject.name}"
    return [
        Row(f"{name}.network", round(min(network_ms), 2), "ms"),
        Row(f"{name}.head", round(median(head_ms), 3), "ms", "<= 0.5", None, median(head_ms) <= 0.5),
        Row(f"{name}.around", round(median(around_ms), 3), "ms"),
    ]


def _pictures_720p(assets: Path, n: int) -> list[Image]:
    import cv2

    samples = mot17_mini(assets)
    pictures = [cv2.resize(next(samples).image, (1280, 720)) for _ in range(n)]
    return [picture.astype(np.uint8, copy=False) for picture in pictures]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer models a data set, each in full; under 60 s")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    default = Path(os.environ.get("NVR_ASSETS_DIR", Path(__file__).parents[2] / "shared" / "data"))
    parser.add_argument("--assets", type=Path, default=default, help="folder with models, videos and images")
    options = parser.parse_args()
    assets: Path = options.assets
    if not (assets / "models").is_dir():
        print(f"accuracy: nothing was measured: no models in {assets}; set NVR_ASSETS_DIR", file=sys.stderr)
        return 1
    rows: list[Row] = []
    pictures = _pictures_720p(assets, 20)
    for subject in SUBJECTS:
        new_rows = measure_time(subject, pictures, assets)
        for dataset in subject.peers:
            if not options.quick or dataset in subject.quick:
                new_rows += measure_accuracy(subject, dataset, assets)
        if options.json:
            print_rows(new_rows, as_json=True)
        rows += new_rows
    if not options.json:
        print_rows(rows, as_json=False)
    return exit_code(rows)


if __name__ == "__main__":
    sys.exit(main())
