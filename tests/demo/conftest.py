"""A running simulator with small scenes, rendered once per test run."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from nvr.demo.simulator import Simulator, SimulatorConfig

StartSimulator = Callable[..., Simulator]


@pytest.fixture(scope="session")
def small_config(tmp_path_factory: pytest.TempPathFactory) -> SimulatorConfig:
    """Two cameras with 4 s of 320x180 and a key frame every 0.4 s."""
    cache_dir: Path = tmp_path_factory.mktemp("loops")
    return SimulatorConfig(n_cameras=2, width_px=320, height_px=180, scene_s=4.0, gop_s=0.4, cache_dir=cache_dir)


@pytest.fixture
def start_simulator(small_config: SimulatorConfig) -> Iterator[StartSimulator]:
    """Start simulators with the small scenes and changed settings; they end with the test."""
    with ExitStack() as stack:

        def start(**changes: object) -> Simulator:
            config = replace(small_config, **changes)  # type: ignore[arg-type]  # the names are checked by the dataclass
            return stack.enter_context(Simulator(config))

        yield start


@pytest.fixture
def simulator(start_simulator: StartSimulator) -> Simulator:
    """A well-behaved simulator."""
    return start_simulator()
