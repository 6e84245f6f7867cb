"""A small site for tests that find cameras: real RTSP from the simulator, and ONVIF devices that lead to it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from nvr.demo.simulator import Simulator, SimulatorConfig
from nvr.discovery.ws_discovery import DiscoveryOptions
from tests.servers.onvif_camera import GROUP, Camera, OnvifCamera, Stream, free_probe_port

PASSWORD = "p@ss/wörd"
USER = "viewer"
ENCODED = "viewer:p%40ss%2Fw%C3%B6rd"


@dataclass(frozen=True)
class CameraSite:
    """Two cameras with a large and a small stream each."""

    large: Simulator
    small: Simulator
    probe_port: int
    stack: ExitStack

    def streams(self, camera: int) -> list[Stream]:
        """Return what an ONVIF device says of a camera."""
        return [Stream(self.large.uri(camera), 960, 540), Stream(self.small.uri(camera), 640, 360)]

    def add(self, camera: Camera) -> OnvifCamera:
        """Start an ONVIF device."""
        return self.stack.enter_context(OnvifCamera(camera, self.probe_port))

    def camera(self, number: int, name: str) -> Camera:
        """Return a device that lets in `USER` with `PASSWORD` and leads to a camera."""
        return Camera(self.streams(number), user=USER, password=PASSWORD, name=name)

    def discovery(self, n_expected: int | None = None, wait_s: float = 20.0) -> DiscoveryOptions:
        """Return the options that ask nobody but the devices of this site."""
        return DiscoveryOptions(("127.0.0.1",), (GROUP, self.probe_port), wait_s, n_expected)

    def address(self, camera: int, user: str = f"{ENCODED}@") -> str:
        """Return the large stream of a camera."""
        return self.large.uri(camera).replace("rtsp://", f"rtsp://{user}")


@contextmanager
def camera_site(cache_dir: Path) -> Iterator[CameraSite]:
    """Start a site without ONVIF devices; those are added by the test, and end with it."""
    config = SimulatorConfig(
        n_cameras=2,
        width_px=960,
        height_px=540,
        fps=12,
        gop_s=0.5,
        scene_s=2,
        credentials=(USER, PASSWORD),
        cache_dir=cache_dir,
    )
    with (
        Simulator(config) as large,
        Simulator(replace(config, width_px=640, height_px=360, fps=6)) as small,
        ExitStack() as stack,
    ):
        yield CameraSite(large, small, free_probe_port(), stack)
