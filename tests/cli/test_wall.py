"""`nvr wall` as its users run it: a process, real RTSP, a real display."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest

from nvr.demo.simulator import Simulator, SimulatorConfig
from nvr.media.pixels import Picture
from nvr.wall.compositor import GAP_PX
from nvr.wall.layout import GridLayout
from tests.cli.conftest import Nvr
from tests.conftest import require_program
from tests.waiting import wait_until
from tests.wall.fakes import unused_port

TIMEOUT_S = 90.0
NVR = (sys.executable, "-m", "nvr")


def environment(**extra: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"DISPLAY", "WAYLAND_DISPLAY"}}
    return kept | extra


def run_wall(*options: str, python: tuple[str, ...] = NVR) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*python, "wall", *options, "--mqtt-host", "127.0.0.1", "--mqtt-port", str(unused_port())],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def read_picture(path: Path) -> Picture:
    picture = cv2.imread(str(path))
    assert picture is not None
    return np.asarray(picture, np.uint8)


def detail(picture: Picture) -> float:
    """Return how much there is to see: the spread of the grey levels."""
    return float(picture.std())


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    config = SimulatorConfig(
        n_cameras=2, width_px=320, height_px=180, fps=10, scene_s=4, cache_dir=tmp_path_factory.mktemp("loops")
    )
    with Simulator(config) as simulator:
        yield simulator


@pytest.mark.camera
def test_a_snapshot_shows_every_camera_and_loads_no_model_runtime(simulator: Simulator, tmp_path: Path) -> None:
    path = tmp_path / "wall.png"
    python = (sys.executable, "-X", "importtime", "-m", "nvr")
    answer = run_wall(simulator.uri(0), simulator.uri(1), "--snapshot", str(path), python=python)
    assert answer.returncode == 0, answer.stderr[-2000:]
    assert answer.stdout == f"wrote {path}: 2 of 2 cameras live\n"
    imported = set(re.findall(r"\|\s+([\w.]+)$", answer.stderr, flags=re.MULTILINE))
    assert {"av", "cv2", "nvr.wall"} <= imported
    assert not {name.partition(".")[0] for name in imported} & {"onnxruntime", "onnx", "torch", "openvino"}
    assert not {name for name in imported if name.startswith(("nvr.detection", "nvr.processor", "pygame", "uvicorn"))}
    picture, layout = read_picture(path), GridLayout(2, 480, 270, GAP_PX)
    for tile in (layout.tile(0), layout.tile(1)):
        assert detail(picture[tile.y + 40 : tile.bottom, tile.x : tile.right]) > 15


@pytest.mark.camera
def test_streams_of_a_server_are_named_by_their_number_and_the_file_gives_what_no_option_does(
    simulator: Simulator, tmp_path: Path
) -> None:
    server = simulator.uri(0).removesuffix("/live/0.stream")
    assert server != simulator.uri(0)
    settings = tmp_path / "nvr.yaml"
    settings.write_text("wall: {tile_width: 200, tile_height: 300}\n")
    path = tmp_path / "wall.jpg"
    options = ("--n", "2", "--stream-server", server, "--config", str(settings), "--tile-height", "100")
    answer = run_wall(*options, "--snapshot", str(path))
    assert answer.returncode == 0, answer.stderr
    layout = GridLayout(2, 200, 100, GAP_PX)
    assert read_picture(path).shape == (layout.height_px, layout.width_px, 3)


def test_no_camera_that_delivers_ends_with_one_sentence_without_the_password(tmp_path: Path) -> None:
    path = tmp_path / "wall.png"
    uri = f"rtsp://user:geheim@127.0.0.1:{unused_port()}/live"
    answer = run_wall(uri, "--snapshot", str(path), "--after", "1")
    assert answer.returncode == 1
    assert "geheim" not in answer.stderr + answer.stdout
    last = answer.stderr.strip().splitlines()[-1]
    assert re.search(r"nvr: no picture to take: Camera 0 rtsp://\*\*\*@127\.0\.0\.1:\d+/live refuses", last)
    assert "Traceback" not in answer.stderr
    assert not path.exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["rtsp://cam/1"], "there is no display for a window"),
        (["--http", "0"], "the wall has no camera"),
        (["rtsp://cam/1", "--http", "0", "--after", "3"], "--after belongs to --snapshot"),
        (["rtsp://cam/1", "--snapshot", "wall.gif"], "a snapshot is a .png or .jpg file, got wall.gif"),
        (["rtsp://cam/1", "--snapshot", "w.png", "--tile-width", "3"], "tile_width"),
        (["rtsp://cam/1", "--http", "0", "--http-host", "203.0.113.7"], "cannot listen on port 0 of 203.0.113.7"),
        (["rtsp://cam/1", "--http", "0", "--http-host", "a..b"], "neither an address nor a host name"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_the_status_of_a_wrong_usage(
    nvr: Nvr, monkeypatch: pytest.MonkeyPatch, options: list[str], sentence: str
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    answer = nvr("wall", *options)
    assert answer.returncode == 2
    assert sentence in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.camera
@pytest.mark.parametrize("stop_signal", [signal.SIGINT, signal.SIGTERM])
def test_the_page_is_served_until_a_signal_ends_it_cleanly(simulator: Simulator, stop_signal: signal.Signals) -> None:
    wall = subprocess.Popen(
        [*NVR, "wall", simulator.uri(0), "--http", "0", "--mqtt-port", str(unused_port())],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert wall.stdout is not None
        url = wall.stdout.readline().removeprefix("wall page: ").strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", url)
        with httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False) as client:
            wait_until(lambda: client.get("/api/state.json").json()["cameras"][0]["state"] == "live", "camera is live")
            assert client.get("/wall.jpg").content.startswith(b"\xff\xd8")
            with client.stream("GET", "/wall.mjpeg") as response:
                next(response.iter_raw())
                wall.send_signal(stop_signal)
                assert wall.wait(TIMEOUT_S) == 0
    finally:
        wall.kill()
        wall.communicate()


class Display:
    """A virtual screen of 1000 x 600 without a window manager."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.pid = 0
        self._folder = folder

    def xdotool(self, *words: str) -> str:
        env = environment(DISPLAY=self.name)
        return subprocess.run(
            ["xdotool", *words], env=env, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        ).stdout.strip()

    def screenshot(self) -> Picture:
        path = self._folder / "screen.png"
        command = ["import", "-display", self.name, "-window", "root", str(path)]
        subprocess.run(command, env=environment(), check=True, timeout=TIMEOUT_S, capture_output=True)
        return read_picture(path)

    def window(self) -> str:
        return self.xdotool("search", "--pid", str(self.pid))


@pytest.fixture
def display(tmp_path: Path) -> Iterator[Display]:
    for program in ("Xvfb", "xdotool", "import"):
        require_program(program)
    read_end, write_end = os.pipe()
    screen = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write_end), "-screen", "0", "1000x600x24", "-nolisten", "tcp", "-noreset"],
        pass_fds=(write_end,),
        stderr=subprocess.DEVNULL,
    )
    os.close(write_end)
    try:
        with os.fdopen(read_end) as answer:
            number = answer.readline().strip()
        assert number, "Xvfb did not start"
        yield Display(f":{number}", tmp_path)
    finally:
        screen.terminate()
        screen.wait(TIMEOUT_S)


@pytest.fixture
def window(display: Display, simulator: Simulator) -> Iterator[subprocess.Popen[bytes]]:
    """A wall whose first camera is alive and whose second is dead, as a window on the display."""
    dead = f"rtsp://127.0.0.1:{unused_port()}/dead"
    wall = subprocess.Popen(
        [*NVR, "wall", simulator.uri(0), dead, "--mqtt-port", str(unused_port())],
        env=environment(DISPLAY=display.name, SDL_VIDEODRIVER="x11"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    display.pid = wall.pid
    try:
        wait_until(lambda: wall.poll() is not None or bool(display.window()), "the window opens", TIMEOUT_S)
        assert wall.poll() is None
        wait_until(lambda: detail(display.screenshot()[250:350, 100:450]) > 15, "the camera is on screen", TIMEOUT_S)
        yield wall
    finally:
        wall.kill()
        wall.wait(TIMEOUT_S)


def is_enlarged(display: Display) -> bool:
    """Tell whether a place of the dead camera's plain card shows the other camera's picture."""
    return detail(display.screenshot()[200:262, 580:700]) > 15


@pytest.mark.display
@pytest.mark.camera
def test_a_click_enlarges_a_tile_another_goes_back_and_q_ends(
    display: Display, window: subprocess.Popen[bytes]
) -> None:
    assert not is_enlarged(display)
    x, y, width, height = window_geometry(display)
    display.xdotool("mousemove", str(x + width // 4), str(y + height // 2), "click", "1")
    wait_until(lambda: is_enlarged(display), "the tile is enlarged")
    display.xdotool("click", "1")
    wait_until(lambda: not is_enlarged(display), "the grid is back")
    display.xdotool("windowfocus", display.window(), "key", "q")
    assert window.wait(TIMEOUT_S) == 0


@pytest.mark.display
@pytest.mark.camera
def test_f_fills_the_screen_and_escape_ends(display: Display, window: subprocess.Popen[bytes]) -> None:
    assert window_geometry(display)[2] < 1000
    display.xdotool("windowfocus", display.window(), "key", "f")
    wait_until(lambda: window_geometry(display)[2:] == (1000, 600), "the window fills the screen")
    wait_until(lambda: detail(display.screenshot()[250:350, 100:450]) > 15, "the camera is on the full screen")
    display.xdotool("key", "f")
    wait_until(lambda: 0 < window_geometry(display)[2] < 1000, "the window is small again")
    assert window.poll() is None
    display.xdotool("windowfocus", display.window(), "key", "Escape")
    assert window.wait(TIMEOUT_S) == 0


@pytest.mark.display
@pytest.mark.camera
def test_a_signal_closes_the_window(window: subprocess.Popen[bytes]) -> None:
    window.send_signal(signal.SIGTERM)
    assert window.wait(TIMEOUT_S) == 0


def window_geometry(display: Display) -> tuple[int, int, int, int]:
    """Return left, top, width and height of the wall's window; zeros while it is made anew."""
    answer = display.xdotool("getwindowgeometry", "--shell", display.window())
    found = dict(line.split("=") for line in answer.splitlines())
    left, top, width, height = (int(found.get(name, "0")) for name in ("X", "Y", "WIDTH", "HEIGHT"))
    return left, top, width, height
