"""The page in a real browser; what the browser does is seen at the server."""

import os
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from nvr.config.wall import WallCamera
from nvr.wall.http_server import WallServer
from tests.conftest import require_program
from tests.waiting import wait_until
from tests.wall.conftest import MakeWall

TIMEOUT_S = 90.0
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",  # keeps a headless browser open
)


@pytest.fixture
def browser(tmp_path: Path) -> list[str]:
    """The command that opens an address."""
    program = require_program("chromium")
    return [program, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}"]


def streams(server: WallServer) -> list[str]:
    answer = httpx.get(f"{server.url}api/state.json", trust_env=False, timeout=TIMEOUT_S)
    return list(answer.json()["streams"])


@pytest.mark.parametrize("path", ["", "tile/0"])
def test_the_page_asks_again_for_a_picture_whose_stream_was_cut(
    make_wall: MakeWall, browser: list[str], path: str
) -> None:
    wall, sources = make_wall(1, stale_after_seconds=600)
    sources[0].show()
    wall.start()
    first = WallServer(wall)
    first.start()
    process = subprocess.Popen(
        [*browser, f"{first.url}{path}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    second = WallServer(wall, port=first.port)
    try:
        wait_until(lambda: len(streams(first)) == 1, "the browser watches", TIMEOUT_S)
        watched = streams(first)
        first.stop()
        second.start()
        wait_until(lambda: len(streams(second)) == 1, "the browser watches again", TIMEOUT_S)
        assert streams(second) != watched
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(TIMEOUT_S)
        first.stop()
        second.stop()


def test_the_page_shows_a_camera_that_came_later(make_wall: MakeWall, browser: list[str]) -> None:
    wall, _ = make_wall(2, stale_after_seconds=600)
    listed = [WallCamera(source_id=i, uri=f"rtsp://camera.example/{i}") for i in range(2)]
    wall.change_cameras(wall.config.model_copy(update={"stream_uris": (), "cameras": (listed[0],)}))
    wall.start()
    server = WallServer(wall)
    server.start()
    process = subprocess.Popen(
        [*browser, server.url], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        wait_until(lambda: len(streams(server)) == 1, "the browser watches", TIMEOUT_S)
        (before,) = streams(server)
        wall.change_cameras(wall.config.model_copy(update={"stream_uris": (), "cameras": tuple(listed)}))
        # a page that was built anew has a stream with an id of its own
        wait_until(lambda: streams(server) not in ([], [before]), "the page asks for itself again", TIMEOUT_S)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        server.stop()
        wall.stop()
