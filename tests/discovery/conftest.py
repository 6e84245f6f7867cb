"""ONVIF devices on the loopback interface, with the group's real address and a port of their own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from nvr.discovery.ws_discovery import DiscoveryOptions
from tests.servers.onvif_camera import GROUP, Camera, OnvifCamera, free_probe_port

StartCamera = Callable[[Camera], OnvifCamera]


@pytest.fixture
def probe_port() -> int:
    return free_probe_port()


@pytest.fixture
def start_camera(probe_port: int) -> Iterator[StartCamera]:
    """Start devices, which end with the test."""
    with ExitStack() as stack:
        yield lambda camera: stack.enter_context(OnvifCamera(camera, probe_port))


@pytest.fixture
def on_loopback(probe_port: int) -> Callable[..., DiscoveryOptions]:
    """Return the options that ask nobody but the devices of this test."""

    def options(n_expected: int | None = None, wait_s: float = 20.0) -> DiscoveryOptions:
        return DiscoveryOptions(("127.0.0.1",), (GROUP, probe_port), wait_s, n_expected)

    return options
