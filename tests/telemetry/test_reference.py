"""The page about metrics says what there is, and nothing else."""

import re
from pathlib import Path
from typing import get_args

from nvr.telemetry.figures import DropReason
from nvr.telemetry.prometheus import PROCESS_METRICS, TARGET
from nvr.telemetry.specs import PROCESSOR_SPECS, WALL_SPECS
from tests.telemetry.sample import camera

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"


def rows() -> dict[str, tuple[str, tuple[str, ...]]]:
    found = re.findall(r"^\| `([a-z_]+)` \| (\w+) \|([^|]*)\| [^|]+ \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert len(found) == len({name for name, *_ in found}), "each is explained once"
    return {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in found}


def test_each_metric_is_explained_and_each_explained_one_exists() -> None:
    explained = rows()
    assert explained.pop(TARGET)[0] == "info"
    for name in PROCESS_METRICS:
        kind, labels = explained.pop(name)
        assert (kind == "counter", labels) == (name.endswith("_total"), ())
    assert explained == {spec.name: (spec.kind, spec.labels) for spec in (*PROCESSOR_SPECS, *WALL_SPECS)}


def test_each_stage_and_each_reason_is_explained() -> None:
    words = set(re.findall(r"^\| `(\w+)` \| [^|]+ \|", PAGE.read_text("utf-8"), re.MULTILINE))
    assert {*get_args(DropReason), *camera().latency} <= words
