"""How old is a box when it is first on the wall? From the capture of the frame to the finished picture, in ms.

Four cameras of 1280x720 at 25 fps (`nvr simulate`), five analysed frames a second each, YOLOX-Nano where its file is
at hand, mosquitto; cameras, processor and wall have a process each. Which frame was analysed is read from its pixels
(the burnt-in frame number); when that frame was captured stands in the simulator's truth log, when its boxes were in
the wall's picture says the wall. All three are the clock of this machine; the time stamps that the cameras send along
only appear in the row `timestamp_error`, which tells how wrong they were taken.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench._latency_rows import Captures, Span, join, judge
from bench._programs import Programs, accepts, choose_model, cpu_s, default_assets, end_on_sigterm, take_priority
from bench._rows import Row, exit_code, print_rows

from nvr.bus.local_broker import LOOPBACK, LocalBroker, free_port
from nvr.core.clock import SystemClock
from nvr.core.errors import NvrError

N_CAMERAS = 4
RATE = 5.0
"""Analysed frames per second and camera."""
LOOP_S = 8.0
"""Frame numbers start again after it; no frame may be older than this on the wall."""
SETTLE_S = 5.0
"""Between the first box of every camera and the measurement."""
FOLDER = Path(__file__).parent


class LatencyRun:
    """One run."""

    def __init__(self, model: str, seconds: float, logs: Path | None, *, has_priority: bool) -> None:
        """Prepare; `logs` keeps what the programs write, None where nobody wants it."""
        self._model = model
        self._seconds = seconds
        self._has_priority = has_priority
        self._clock = SystemClock()
        self._programs = Programs(self._clock, logs)

    def run(self) -> list[Row]:
        """Start everything, let it run, end it and return the figures."""
        with LocalBroker.start() as broker, self._programs as programs:
            processes = self._start(broker)
            if self._has_priority:
                take_priority()
            time.sleep(SETTLE_S)
            psutil.cpu_percent()
            start_s, cpu_before = self._now_s(), {name: cpu_s(process) for name, process in processes.items()}
            _say(f"measuring {self._seconds:g} s with {broker.describe()}")
            while self._now_s() < start_s + self._seconds:
                programs.check()
                time.sleep(0.5)
            span = Span(start_s, self._now_s())
            used_s = {name: cpu_s(process) - cpu_before[name] for name, process in processes.items()}
            busy = psutil.cpu_percent()
            time.sleep(1)  # what was captured last shall reach the wall
            programs.stop()
            captures = Captures(_lines(programs.folder / "truth.jsonl"))
            sightings, n_unread = join(captures, _lines(self._analysed), _lines(self._shown), span)
        rows = judge(sightings, n_unread, span, N_CAMERAS, RATE)
        seconds = span.end_s - span.start_s
        rows += [Row(f"latency.cpu.{name}", round(cpu / seconds, 3), "s/s") for name, cpu in used_s.items()]
        return [*rows, Row("latency.cpu.machine_busy", busy, "%")]

    def _start(self, broker: LocalBroker) -> dict[str, psutil.Process]:
        programs, rtsp_port = self._programs, free_port()
        truth = ("--truth", str(programs.folder / "truth.jsonl"))
        pictures = ("--n", str(N_CAMERAS), "--size", "1280x720", "--fps", "25", "--scene-length", f"{LOOP_S:g}")
        cameras = programs.start_nvr("simulate", *pictures, "--port", str(rtsp_port), *truth)
        programs.wait(lambda: accepts(rtsp_port), "the cameras")
        common = (
            *("--n", str(N_CAMERAS), "--stream-server", f"rtsp://{LOOPBACK}:{rtsp_port}"),
            *("--mqtt-port", str(broker.port)),
        )
        wall = self._start_script("wall", *common, "--out", str(self._shown))
        model = ("--model", self._model, "--max-fps", f"{RATE:g}", "--out", str(self._analysed))
        processor = self._start_script("processor", *common, *model)
        programs.wait(lambda: _sources(self._shown) == set(range(N_CAMERAS)), "an event of every camera on the wall")
        return {"processor": processor, "wall": wall, "simulator": cameras}

    def _start_script(self, name: str, *arguments: str) -> psutil.Process:
        return self._programs.start(name, [sys.executable, str(FOLDER / f"_latency_{name}.py"), *arguments])

    @property
    def _analysed(self) -> Path:
        return self._programs.folder / "analysed.jsonl"

    @property
    def _shown(self) -> Path:
        return self._programs.folder / "shown.jsonl"

    def _now_s(self) -> float:
        return self._clock.now().timestamp()


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a file; the last one may be cut off where its writer was ended."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)


def _sources(path: Path) -> set[int]:
    return {line["source_id"] for line in _lines(path)}


def _say(text: str) -> None:
    print(f"latency: {text}", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the measurement [60]")
    parser.add_argument("--quick", action="store_true", help="15 s instead")
    parser.add_argument("--priority", action="store_true", help="go before other work on this machine; needs root")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--logs", type=Path, help="keep what the programs write in this folder")
    parser.add_argument("--assets", type=Path, default=default_assets(), help="folder with models; without: motion")
    options = parser.parse_args()
    end_on_sigterm()
    model, model_name = choose_model(options.assets)
    _say(f"{N_CAMERAS} cameras, {model_name}; pictures are drawn the first time, which takes a while")
    try:
        seconds = 15.0 if options.quick else options.seconds
        rows = LatencyRun(model, seconds, options.logs, has_priority=options.priority).run()
    except NvrError as error:
        _say(str(error))
        return 1
    except KeyboardInterrupt:
        _say("ended early")
        return 1
    print_rows(rows, as_json=options.json)
    return exit_code(rows)


if __name__ == "__main__":
    sys.exit(main())
