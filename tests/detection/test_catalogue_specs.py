"""The catalogue and the recognition of bare files say the same of the same network."""

from pathlib import Path

import pytest

from nvr.assets.catalogue import AssetEntry, load_catalogue
from nvr.detection.recognise import recognise_file

DETECTORS = [entry for entry in load_catalogue().entries if entry.task == "detect" and entry.trust == "pinned"]


@pytest.mark.assets
@pytest.mark.parametrize("entry", DETECTORS, ids=lambda entry: entry.name)
def test_a_file_is_recognised_as_its_catalogue_entry(entry: AssetEntry, assets_dir: Path) -> None:
    assert entry.spec is not None
    assert recognise_file(assets_dir / entry.path) == entry.spec


def test_there_is_something_to_compare() -> None:
    assert {entry.name for entry in DETECTORS} == {"yolox-nano", "picodet-xs", "deimv2-atto", "deimv2-femto"}
