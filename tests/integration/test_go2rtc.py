"""A processor on go2rtc, the usual relay between cameras and everything else, through its `live/{i}.stream` names."""

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from nvr.config.streams import stream_server_uris
from nvr.demo.simulator import Simulator, SimulatorConfig
from nvr.events import DetectionEvent
from nvr.media.frame import Frame
from nvr.media.stream import StreamState
from nvr.processor import StreamProcessor, StreamProcessorConfig
from nvr.processor.camera import CameraReport
from tests.conftest import require_program, skip_or_fail
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "config" / "go2rtc" / "go2rtc.yaml"
PINNED = ROOT / "tests" / "servers" / "go2rtc"
BUILD_TIMEOUT_S = 500

needs_go2rtc = [pytest.mark.go2rtc, pytest.mark.camera, pytest.mark.timeout(600)]


@pytest.fixture(scope="session")
def go2rtc() -> Path:
    """The program: NVR_GO2RTC, else of PATH, else built from the pinned module where Go is installed."""
    named = os.environ.get("NVR_GO2RTC") or shutil.which("go2rtc")
    if named is not None:
        return Path(named)
    if shutil.which("go") is None:
        pytest.skip("neither go2rtc (NVR_GO2RTC, PATH) nor Go, which could build it, is installed")
    pin = (PINNED / "go.mod").read_bytes() + (PINNED / "go.sum").read_bytes()
    program = ROOT / ".cache" / f"go2rtc-{hashlib.sha256(pin).hexdigest()[:16]}"
    if not program.exists():
        build(program)
    return program


def build(program: Path) -> None:
    """Build go2rtc in one step, so that an interrupted build leaves no program."""
    unfinished = program.with_name(f"{program.name}.{os.getpid()}")
    program.parent.mkdir(exist_ok=True)
    built = subprocess.run(
        ["go", "build", "-o", unfinished, "github.com/AlexxIT/go2rtc"],
        cwd=PINNED,
        env={**os.environ, "GOFLAGS": "-buildvcs=false"},
        capture_output=True,
        check=False,
        text=True,
        timeout=BUILD_TIMEOUT_S,
    )
    if built.returncode:
        skip_or_fail(f"go2rtc cannot be built: {built.stderr.strip()[-500:]}")
    unfinished.replace(program)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def serve(program: Path, port: int, log: Path, *configs: str) -> Iterator[str]:
    """Run go2rtc on a port; what stands in a later configuration wins. Yields the address of its streams."""
    ports = json.dumps(
        {
            "rtsp": {"listen": f"127.0.0.1:{port}"},
            "api": {"listen": ""},
            "webrtc": {"listen": ""},
            "srtp": {"listen": ""},
        }
    )
    arguments = [argument for config in (*configs, ports) for argument in ("-config", config)]
    with (
        log.open("ab") as output,
        subprocess.Popen(
            [program, *arguments], stdout=output, stderr=subprocess.STDOUT, start_new_session=True, cwd=log.parent
        ) as process,
    ):
        try:
            wait_until(lambda: accepts(port) or process.poll() is not None, "go2rtc listens")
            assert process.poll() is None, log.read_text()
            yield f"rtsp://127.0.0.1:{port}"
        finally:
            # with the ffmpeg that it started
            os.killpg(process.pid, signal.SIGKILL)


def relay(simulator: Simulator, n: int) -> str:
    """Return the configuration of a go2rtc that fetches the simulator's streams and serves them under its own names."""
    return json.dumps({"streams": {f"live/{i}.stream": simulator.uri(i) for i in range(n)}})


def is_running(camera: CameraReport) -> bool:
    return camera.state is StreamState.RUNNING


class Seen:
    """Collects what a processor says, by camera."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: list[DetectionEvent] = []
        self.sizes: set[tuple[int, int]] = set()

    def __call__(self, event: DetectionEvent, frame: Frame) -> None:
        with self._lock:
            self._events.append(event)
            self.sizes.add(frame.to_bgr().shape[1::-1])

    def events(self) -> list[DetectionEvent]:
        with self._lock:
            return list(self._events)

    def forget(self) -> None:
        with self._lock:
            self._events.clear()
            self.sizes.clear()

    def sources(self) -> set[int]:
        """Return the cameras that showed something that moves."""
        return {event.source_id for event in self.events() if event.detections}


@contextmanager
def watching(server: str, n: int, seen: Seen, jsonl: Path | None = None) -> Iterator[StreamProcessor]:
    processor = StreamProcessor(
        StreamProcessorConfig(
            stream_uris=stream_server_uris(server, n),
            model_id="motion",
            mqtt_enabled=False,
            jsonl_path=jsonl,
            open_timeout_s=20,
            reconnect_max_s=1,
        ),
        on_event=seen,
    )
    processor.start()
    try:
        yield processor
    finally:
        processor.terminate()


def test_the_shipped_file_has_the_names_of_a_stream_server_and_opens_nothing_to_the_network() -> None:
    shipped = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    assert [f"rtsp://h/{name}" for name in shipped["streams"]] == list(stream_server_uris("rtsp://h", 4))
    assert shipped["api"]["listen"].startswith("127.0.0.1:")
    assert shipped["rtsp"]["listen"].startswith("127.0.0.1:")
    assert (shipped["webrtc"]["listen"], shipped["srtp"]["listen"]) == ("", "")


class TestGo2rtc:
    pytestmark = needs_go2rtc

    @pytest.mark.ffmpeg
    def test_the_shipped_file_serves_four_cameras_that_a_processor_sees(self, go2rtc: Path, tmp_path: Path) -> None:
        require_program("ffmpeg")
        seen, jsonl = Seen(), tmp_path / "events.jsonl"
        with (
            serve(go2rtc, free_port(), tmp_path / "go2rtc.log", str(SHIPPED)) as server,
            watching(server, 4, seen, jsonl) as processor,
        ):
            wait_until(lambda: seen.sources() == {0, 1, 2, 3}, "something moves on every camera", 120)
            report = processor.report()
        assert seen.sizes == {(640, 360)}
        assert all(camera.stream.frames > 0 for camera in report.cameras)
        written = [DetectionEvent.from_json(line) for line in jsonl.read_bytes().splitlines()]
        assert {event.source_id for event in written} == {0, 1, 2, 3}
        for event in written:
            assert (event.frame_width, event.frame_height) == (640, 360)
            assert abs((datetime.now(UTC) - event.timestamp).total_seconds()) < 300

    def test_cameras_that_go2rtc_relays_come_back_after_its_restart(self, go2rtc: Path, tmp_path: Path) -> None:
        port, log, seen = free_port(), tmp_path / "go2rtc.log", Seen()
        cameras = SimulatorConfig(n_cameras=2, width_px=320, height_px=180, fps=12, scene_s=5, port=0)
        with Simulator(cameras) as simulator, watching(f"rtsp://127.0.0.1:{port}", 2, seen) as processor:
            with serve(go2rtc, port, log, relay(simulator, 2)):
                wait_until(lambda: seen.sources() == {0, 1}, "both cameras before the restart", 120)
            wait_until(lambda: not any(is_running(camera) for camera in processor.report().cameras), "both lost", 120)
            with serve(go2rtc, port, log, relay(simulator, 2)):
                wait_until(
                    lambda: all(camera.stream.sessions >= 2 for camera in processor.report().cameras),
                    "both cameras are connected again",
                    120,
                )
                seen.forget()
                wait_until(lambda: seen.sources() == {0, 1}, "both cameras after the restart", 120)
        assert seen.sizes == {(320, 180)}
