"""Fixtures of the wall's tests."""

from collections.abc import Callable, Iterator

import pytest

from nvr.core.clock import SystemClock
from nvr.wall import VideoWall, VideoWallConfig
from tests.wall.fakes import FakeCamera, unused_port

MakeWall = Callable[..., tuple[VideoWall, list[FakeCamera]]]


@pytest.fixture
def make_wall() -> Iterator[MakeWall]:
    """Build walls of fake cameras without a broker; all are stopped at the end."""
    walls: list[VideoWall] = []

    def build(n: int = 2, **settings: object) -> tuple[VideoWall, list[FakeCamera]]:
        clock = SystemClock()
        sources = [FakeCamera(i, clock) for i in range(n)]
        uris = [f"rtsp://camera.example/{i}" for i in range(n)]
        config = VideoWallConfig.model_validate(
            {"mqtt_host": "127.0.0.1", "mqtt_port": unused_port(), "stream_uris": uris, **settings}
        )
        wall = VideoWall(config, make_source=lambda camera: sources[camera.source_id], clock=clock)
        walls.append(wall)
        return wall, sources

    yield build
    for wall in walls:
        wall.stop()
