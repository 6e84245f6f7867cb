"""Cameras and those who read them, each in its own process, and what they use in the same seconds."""

import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil
from bench._programs import Programs, accepts, cpu_s

from nvr.bus.local_broker import LOOPBACK, free_port
from nvr.core.clock import SystemClock
from nvr.demo.scene import Activity
from nvr.media.encode import RateControl

FOLDER = Path(__file__).parent
DRAWING_TIMEOUT_S = 1200.0
"""Sixteen scenes of 40 s take minutes to draw and code where they never were."""
READY = "ready"
"""The line with which a program tells that every camera gave it a picture."""


@dataclass(frozen=True, slots=True)
class Cameras:
    """What `nvr simulate` shall be."""

    n: int
    activities: tuple[Activity, ...]
    rate_control: RateControl = "vbr"
    gop_s: float = 2.0
    scene_s: float = 10.0
    size: str = "1280x720"

    def options(self) -> tuple[str, ...]:
        """Return them as on the command line."""
        return (
            *("--n", str(self.n), "--size", self.size, "--fps", "25", "--no-overlay"),
            *("--gop", f"{self.gop_s:g}", "--rate-control", self.rate_control, "--scene-length", f"{self.scene_s:g}"),
            *(word for activity in self.activities for word in ("--activity", activity)),
        )


class Site:
    """Running cameras; programs that read them are started here and end with it."""

    def __init__(self, cameras: Cameras, logs: Path | None) -> None:
        """Prepare; `logs` keeps what the programs write, None where nobody wants it."""
        self._cameras = cameras
        self._programs = Programs(SystemClock(), logs)
        self._port = free_port()

    def __enter__(self) -> Self:
        self._programs.__enter__()
        try:
            truth = ("--truth", str(self.truth_path), "--events", str(self.events_path))
            self._programs.start_nvr("simulate", "--port", str(self._port), *self._cameras.options(), *truth)
            self._programs.wait(lambda: accepts(self._port), "the cameras", DRAWING_TIMEOUT_S)
        except BaseException:
            self._programs.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._programs.__exit__()

    @property
    def folder(self) -> Path:
        """Where programs may leave files."""
        return self._programs.folder

    @property
    def truth_path(self) -> Path:
        """What the cameras sent."""
        return self.folder / "truth.jsonl"

    @property
    def events_path(self) -> Path:
        """What happens in their loops."""
        return self.folder / "scene_events.jsonl"

    def uris(self, n: int) -> list[str]:
        """Return the addresses of the first cameras."""
        return [f"rtsp://{LOOPBACK}:{self._port}/live/{camera}.stream" for camera in range(n)]

    def start_processor(self, name: str, n: int, *options: str) -> psutil.Process:
        """Start `nvr processor` on the first cameras and wait for an event of each; they go to `{name}.jsonl`."""
        events = self.folder / f"{name}.jsonl"
        events.unlink(missing_ok=True)  # the processor appends
        command = [sys.executable, "-m", "nvr", "processor", *self.uris(n), "--no-mqtt", "--jsonl", str(events)]
        process = self._programs.start(name, [*command, *options])
        wanted = [f'"source_id":{camera},' for camera in range(n)]

        def all_seen() -> bool:
            text = events.read_text(encoding="utf-8") if events.exists() else ""
            return all(mark in text for mark in wanted)

        self._programs.wait(all_seen, f"an event of each of the {n} cameras in {name}")
        return process

    def start_script(self, name: str, script: str, n: int, *options: str) -> psutil.Process:
        """Start a script of this folder on the first cameras and wait until it is ready."""
        return self.start_ready(name, [sys.executable, str(FOLDER / script), *options, *self.uris(n)])

    def start_ready(self, name: str, command: Sequence[str]) -> psutil.Process:
        """Start a program and wait until it says that it is ready."""
        process = self._programs.start(name, command)
        log = self.folder / f"{name}.log"
        self._programs.wait(lambda: READY in log.read_text(encoding="utf-8", errors="replace").splitlines(), name)
        return process

    def check(self) -> None:
        """Raise ChildEndedError if a program has ended."""
        self._programs.check()

    def end(self, name: str) -> None:
        """End one program."""
        self._programs.end(name)

    def stop(self) -> None:
        """End all programs; files stay until the site is left."""
        self._programs.stop()

    def now_s(self) -> float:
        """Return the wall time in seconds."""
        return SystemClock().now().timestamp()

    def settle(self, seconds: float) -> None:
        """Let time go by."""
        clock = SystemClock()
        end_s = clock.monotonic() + seconds
        while clock.monotonic() < end_s:
            self.check()
            time.sleep(min(0.5, max(0.0, end_s - clock.monotonic())))

    def cpu_per_s(
        self, processes: Mapping[str, psutil.Process], *, rounds: int, seconds: float
    ) -> dict[str, list[float]]:
        """Return the CPU seconds per second that each process used, in each of some rounds, all in the same seconds."""
        used: dict[str, list[float]] = {name: [] for name in processes}
        clock = SystemClock()
        for _ in range(rounds):
            start_s, before = clock.monotonic(), {name: cpu_s(process) for name, process in processes.items()}
            self.settle(seconds)
            wall_s = clock.monotonic() - start_s
            for name, process in processes.items():
                used[name].append((cpu_s(process) - before[name]) / wall_s)
        return used


def median_per_stream(values: Sequence[float], n: int) -> float:
    """Return the median of rounds for one of n streams."""
    return statistics.median(values) / n
