"""A program on cameras that are simulated and a real broker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nvr.bus.local_broker import LocalBroker
from nvr.demo.simulator import Simulator, SimulatorConfig
from tests.app.instance.running_program import Site


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    config = SimulatorConfig(n_cameras=3, width_px=320, height_px=180, fps=10, scene_s=6, port=0)
    with Simulator(config) as running:
        yield running


@pytest.fixture
def site(tmp_path: Path, mosquitto: LocalBroker, simulator: Simulator) -> Iterator[Site]:
    made = Site(tmp_path, mosquitto, simulator)
    yield made
    made.stop()
