"""How soon is a processor of `nvr up` back after `kill -9`, and how soon has everything ended? Seconds.

Four cameras (`nvr simulate`, 640x360, 25 fps), two processors with the model, a private broker. One processor after the
other is killed; its cameras are served again when an event of each has come from the new process. Then the broker is
killed; in the end everything is told to end while it records. A change of the file, by which a camera comes and goes,
is timed from the moment at which it was saved.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench._event_log import EventLog, wait_after
from bench._programs import Programs, accepts, choose_model, default_assets, end_on_sigterm
from bench._rows import Row, exit_code, print_rows

from nvr.app.supervision.spare import CALM_S
from nvr.bus.local_broker import LOOPBACK, free_port
from nvr.config.broker import BrokerConfig
from nvr.control.client import ControlClient
from nvr.core.clock import SystemClock
from nvr.core.errors import NvrError, TransientError
from nvr.media.probe import probe

N_CAMERAS = 4
EXTRA = N_CAMERAS
SETTLE_S = 3.0
SPARE_S = CALM_S + 5.0
"""After the start of a process until a spare one is ready; kills come seldom."""


class UpRun:
    """One run."""

    def __init__(self, n_kills: int, assets: Path, logs: Path | None) -> None:
        self._n_kills = n_kills
        self._model, _ = choose_model(assets)
        self._clock = SystemClock()
        self._programs = Programs(self._clock, logs)

    def run(self) -> list[Row]:
        """Start everything, kill it piece by piece, end it and return the figures."""
        with self._programs as programs, tempfile.TemporaryDirectory(prefix="nvr-bench-up-") as name:
            folder = Path(name)
            uris = self._start_cameras(programs)
            up = self._start(programs, folder, uris)
            broker = self._broker(folder)
            log = EventLog(broker, self._clock)
            log.start()
            programs.wait(lambda: set(log.sources()) >= set(range(N_CAMERAS)), "events of all cameras")
            time.sleep(SETTLE_S)
            with ControlClient(broker) as client:
                client.settle()
                time.sleep(SPARE_S)
                back_s = [self._kill(client, log, 1 + i % 2) for i in range(self._n_kills)]
            broker_s = self._kill_broker(up, log)
            came_s, went_s = self._change(folder, log, uris)
            log.stop()
            end_s = self._end(up)
            programs.end("up")
        worst_s = max(back_s)
        return [
            Row("up.killed_processor.back.p50", round(sorted(back_s)[len(back_s) // 2], 2), "s"),
            Row("up.killed_processor.back.max", round(worst_s, 2), "s", "< 3", ok=worst_s < 3),
            Row("up.killed_broker.back", round(broker_s, 2), "s"),
            Row("up.file.camera_came", round(came_s, 2), "s", "< 1", ok=came_s < 1),
            Row("up.file.camera_went", round(went_s, 2), "s", "< 1", ok=went_s < 1),
            Row("up.stop", round(end_s, 2), "s", "< 5", ok=end_s < 5),
        ]

    def _start_cameras(self, programs: Programs) -> list[str]:
        port = free_port()
        pictures = ("--size", "640x360", "--fps", "25", "--no-overlay", "--scene-length", "10", "--quiet")
        programs.start_nvr("simulate", "--n", str(N_CAMERAS + 1), "--port", str(port), *pictures)
        programs.wait(lambda: accepts(port), "the cameras")
        return [f"rtsp://{LOOPBACK}:{port}/live/{i}.stream" for i in range(N_CAMERAS + 1)]

    def _start(self, programs: Programs, folder: Path, uris: list[str]) -> psutil.Process:
        recordings = folder / "recordings"
        recordings.mkdir()
        self._write(folder, uris[:N_CAMERAS])
        os.environ["RUNTIME_DIRECTORY"] = str(folder / "run")
        os.environ["STATE_DIRECTORY"] = str(folder / "state")
        (folder / "run").mkdir()
        return programs.start_nvr("up", "--config", str(folder / "nvr.yaml"))

    def _write(self, folder: Path, uris: list[str]) -> None:
        settings = {
            "storage": {"root": str(folder / "recordings"), "mode": "continuous"},
            "models": {"model_id": self._model},
            "processors": {"count": 2},
            "wall": {"http_port": 0},
            "cameras": [{"name": f"camera {i}", "uri": uri, "source_id": i} for i, uri in enumerate(uris)],
        }
        draft = folder / "draft.yaml"
        draft.write_text(json.dumps(settings), encoding="utf-8")
        draft.replace(folder / "nvr.yaml")

    def _broker(self, folder: Path) -> BrokerConfig:
        found: list[BrokerConfig] = []

        def is_there() -> bool:
            for path in (folder / "run").rglob("*.json"):
                told = json.loads(path.read_text(encoding="utf-8"))
                if "broker_port" in told:
                    found.append(BrokerConfig(host=told["broker_host"], port=told["broker_port"]))
            return bool(found)

        self._programs.wait(is_there, "the file that says where it runs")
        return found[0]

    def _kill(self, client: ControlClient, log: EventLog, number: int) -> float:
        """Kill a processor; return how long the longest of its cameras gave no event."""
        known = client.registry.get(f"processor-{number}")
        if known is None or known.status.pid is None:
            raise TransientError(f"processor-{number} has not said which process it is")
        victim = psutil.Process(known.status.pid)
        killed_s = self._clock.monotonic()
        victim.kill()
        victim.wait(5)
        gone_s = self._clock.monotonic()
        mine = list(range(number - 1, N_CAMERAS, 2))

        def is_back() -> bool:
            return all(wait_after(log.arrivals(i), gone_s + 0.2) is not None for i in mine)

        self._programs.wait(is_back, "events after a kill", 30)
        back_s = max(_first_after(log.arrivals(i), gone_s + 0.2) for i in mine) - killed_s
        time.sleep(SPARE_S)
        return back_s

    def _kill_broker(self, up: psutil.Process, log: EventLog) -> float:
        broker = next(each for each in up.children(recursive=True) if each.name() == "mosquitto")
        killed_s = self._clock.monotonic()
        broker.kill()
        broker.wait(5)

        def is_back() -> bool:
            return all(wait_after(log.arrivals(i), killed_s + 0.2) is not None for i in range(N_CAMERAS))

        self._programs.wait(is_back, "events after the broker's end", 60)
        back_s = max(_first_after(log.arrivals(i), killed_s + 0.2) for i in range(N_CAMERAS)) - killed_s
        time.sleep(SETTLE_S)
        return back_s

    def _change(self, folder: Path, log: EventLog, uris: list[str]) -> tuple[float, float]:
        connect_s = probe(uris[EXTRA]).first_key_frame_s or 0.0
        saved_s = self._clock.monotonic()
        self._write(folder, uris)
        self._programs.wait(lambda: bool(log.arrivals(EXTRA)), "events of the added camera", 30)
        came_s = log.arrivals(EXTRA)[0] - saved_s - connect_s
        time.sleep(SETTLE_S)
        saved_s = self._clock.monotonic()
        self._write(folder, uris[:N_CAMERAS])
        time.sleep(SETTLE_S)
        return max(0.0, came_s), max(0.0, log.arrivals(EXTRA)[-1] - saved_s)

    def _end(self, up: psutil.Process) -> float:
        asked_s = self._clock.monotonic()
        up.send_signal(signal.SIGTERM)
        up.wait(30)
        return self._clock.monotonic() - asked_s


def _first_after(arrivals_s: list[float], moment_s: float) -> float:
    passed_s = wait_after(arrivals_s, moment_s)
    assert passed_s is not None, "waited for before"
    return moment_s + passed_s


def _attempt(run: Callable[[], list[Row]], *, as_json: bool) -> int:
    try:
        rows = run()
    except (NvrError, psutil.Error) as error:
        print(f"up: {error}", file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        print("up: ended early", file=sys.stderr, flush=True)
        return 1
    print_rows(rows, as_json=as_json)
    return exit_code(rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10, help="how many processors are killed [10]")
    parser.add_argument("--quick", action="store_true", help="2 instead")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--logs", type=Path, help="keep what the programs write in this folder")
    parser.add_argument("--assets", type=Path, default=default_assets(), help="folder with models; without: motion")
    options = parser.parse_args()
    end_on_sigterm()
    return _attempt(
        UpRun(2 if options.quick else options.kills, options.assets, options.logs).run, as_json=options.json
    )


if __name__ == "__main__":
    sys.exit(main())
