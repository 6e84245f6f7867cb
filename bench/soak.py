"""Does it stay as it is? Processor and wall over an hour, with cameras, their server and the broker coming and going.

Everything is real and has its own process: mosquitto, `nvr simulate`, `nvr processor`, `nvr wall` with two viewers, one
of whom reads too slowly. The first quarter is warm-up. After it memory may grow by less than 2 % (medians of the
first and the last tenth of the rest), threads and open files must be no more at the end than at the beginning, and
events must flow again after each fault.
"""

import argparse
import csv
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench._event_log import EventLog
from bench._flatness import Sample
from bench._page_viewer import SLOW_PAUSE_S, PageViewer
from bench._programs import Programs, accepts, choose_model, cpu_s, default_assets, end_on_sigterm
from bench._rows import exit_code, print_rows
from bench._soak_rows import DROPPED_CAMERA, N_CAMERAS, QUICK, Plan, Record, judge

from nvr.bus.local_broker import LOOPBACK, LocalBroker, free_port
from nvr.config.broker import BrokerConfig
from nvr.core.clock import SystemClock
from nvr.core.errors import NvrError

MB = 1e6
POLL_S = 0.25


class Series:
    """Writes each sample to a file as it is taken, so that a run that was ended early leaves them."""

    def __init__(self, file: TextIO | None) -> None:
        self._file = file
        self._write_row("at_s", "process", "rss_mb", "uss_mb", "threads", "fds")

    def write(self, name: str, sample: Sample) -> None:
        """Add one line."""
        memory = (f"{sample.rss_mb:.2f}", f"{sample.uss_mb:.2f}")
        self._write_row(f"{sample.at_s:.1f}", name, *memory, sample.n_threads, sample.n_fds)

    def _write_row(self, *values: object) -> None:
        if self._file is not None:
            csv.writer(self._file).writerow(values)
            self._file.flush()


class Every:
    """Says when it is time again."""

    def __init__(self, interval_s: float, first_s: float) -> None:
        self._interval_s = interval_s
        self._next_s = first_s

    def is_due(self, now_s: float) -> bool:
        """Tell whether it is time, and begin to wait for the next time."""
        if now_s < self._next_s:
            return False
        self._next_s += self._interval_s
        return True


class BrokerFault:
    """Stops the broker now and then and brings it back on the same port."""

    def __init__(self, broker: LocalBroker, plan: Plan, start_s: float) -> None:
        self._broker = broker
        self._away_s = plan.broker_away_s
        self._stop = Every(plan.broker_restart_every_s, start_s + plan.broker_restart_every_s)
        self._back_at_s: float | None = None

    def has_returned(self, now_s: float) -> bool:
        """Do what is due; tell whether that was the return."""
        if self._back_at_s is not None and now_s >= self._back_at_s:
            self._back_at_s = None
            self._broker.restart()
            return True
        if self._back_at_s is None and self._stop.is_due(now_s):
            self._broker.stop()
            self._back_at_s = now_s + self._away_s
        return False


class ServerWatch:
    """Notices when the simulator, which restarts its server by itself, accepts connections again."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._was_there = True

    def has_returned(self) -> bool:
        """Tell whether it is there and was not the last time."""
        was_there, self._was_there = self._was_there, accepts(self._port)
        return self._was_there and not was_there


class Soak:
    """One run."""

    def __init__(self, plan: Plan, model: str, series: Series, logs: Path | None) -> None:
        """Prepare; `logs` is the folder for what the programs say, None where nobody wants it."""
        self._plan = plan
        self._model = model
        self._series = series
        self._clock = SystemClock()
        self._programs = Programs(self._clock, logs)
        self._processes: dict[str, psutil.Process] = {}

    def run(self) -> Record:
        """Start everything, watch it as long as planned, and end it."""
        with LocalBroker.start() as broker, self._programs, ExitStack() as stack:
            _say(broker.describe())
            events = EventLog(BrokerConfig(host=broker.host, port=broker.port), self._clock)
            events.start()
            stack.callback(events.stop)
            rtsp_port, http_port = free_port(), free_port()
            self._start(broker, rtsp_port, http_port)
            viewers = [PageViewer(LOOPBACK, http_port, pause_s) for pause_s in (0.0, SLOW_PAUSE_S)]
            for viewer in viewers:
                viewer.start()
                stack.callback(viewer.stop)
            self._programs.wait(lambda: len(events.sources()) == N_CAMERAS, "events of all cameras")
            record = Record(self._clock.monotonic())
            self._watch(record, BrokerFault(broker, self._plan, record.start_s), ServerWatch(rtsp_port))
            record.arrivals = {source: events.arrivals(source) for source in range(N_CAMERAS)}
            record.n_boxes, record.n_invalid = events.n_boxes, events.n_invalid
            record.viewer_bytes = [viewer.n_bytes for viewer in viewers]
            record.viewer_connections = sum(viewer.n_connections for viewer in viewers)
            return record

    def _start(self, broker: LocalBroker, rtsp_port: int, http_port: int) -> None:
        plan, programs = self._plan, self._programs
        faults = (
            *("--fault", f"{DROPPED_CAMERA}:drop={plan.drop_every_s:g}"),
            *("--fault", f"restart={plan.server_restart_every_s:g}/{plan.server_away_s:g}"),
        )
        pictures = ("--n", str(N_CAMERAS), "--port", str(rtsp_port), "--size", "640x360")
        self._processes["simulate"] = programs.start_nvr("simulate", *pictures, *faults)
        programs.wait(lambda: accepts(rtsp_port), "the cameras")
        common = (
            *("--stream-server", f"rtsp://{LOOPBACK}:{rtsp_port}", "--n", str(N_CAMERAS)),
            *("--mqtt-host", broker.host, "--mqtt-port", str(broker.port)),
        )
        self._processes["processor"] = programs.start_nvr(
            "processor", *common, "--model", self._model, "--instance-id", "soak"
        )
        self._processes["wall"] = programs.start_nvr("wall", *common, "--http", str(http_port), "--no-window")

    def _watch(self, record: Record, broker: BrokerFault, server: ServerWatch) -> None:
        plan, start_s = self._plan, record.start_s
        sampling, telling = Every(plan.sample_every_s, start_s), Every(plan.run_s / 12, start_s)
        cpu_before: dict[str, float] = {}
        while (now_s := self._clock.monotonic()) < start_s + plan.run_s:
            self._programs.check()
            if broker.has_returned(now_s):
                record.broker_returns.append(self._clock.monotonic())
            if server.has_returned():
                record.server_returns.append(self._clock.monotonic())
            if sampling.is_due(now_s):
                self._sample(record, now_s - start_s)
            if telling.is_due(now_s):
                rss = ", ".join(f"{name} {samples[-1].rss_mb:.1f} MB" for name, samples in record.samples.items())
                _say(f"{(now_s - start_s) / 60:.1f} min: {rss}")
            if not cpu_before and now_s >= start_s + plan.warm_up_s:
                cpu_before = self._cpu_s()
            time.sleep(POLL_S)
        record.end_s = self._clock.monotonic()
        record.cpu_s = {name: used_s - cpu_before.get(name, 0.0) for name, used_s in self._cpu_s().items()}

    def _sample(self, record: Record, at_s: float) -> None:
        for name, process in self._processes.items():
            memory = process.memory_full_info()
            sample = Sample(at_s, memory.rss / MB, memory.uss / MB, process.num_threads(), process.num_fds())
            record.samples.setdefault(name, []).append(sample)
            self._series.write(name, sample)

    def _cpu_s(self) -> dict[str, float]:
        return {name: cpu_s(process) for name, process in self._processes.items()}


def _say(text: str) -> None:
    print(f"soak: {text}", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0, help="length of the run [60]")
    parser.add_argument("--quick", action="store_true", help="40 s with many faults; memory is not judged")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--series", type=Path, help="write every sample to this CSV file")
    parser.add_argument("--logs", type=Path, help="keep what the programs say in this folder")
    parser.add_argument("--assets", type=Path, default=default_assets(), help="folder with models; without: motion")
    options = parser.parse_args()
    end_on_sigterm()
    plan = QUICK if options.quick else Plan(run_s=options.minutes * 60)
    model, model_name = choose_model(options.assets)
    _say(f"{plan.run_s / 60:.1f} min with {N_CAMERAS} cameras and {model_name}")
    with ExitStack() as stack:
        file = None if options.series is None else stack.enter_context(options.series.open("w", newline=""))
        try:
            record = Soak(plan, model, Series(file), options.logs).run()
        except NvrError as error:
            _say(str(error))
            return 1
        except KeyboardInterrupt:
            _say("ended early")
            return 1
    rows = judge(plan, record)
    print_rows(rows, as_json=options.json)
    return exit_code(rows)


if __name__ == "__main__":
    sys.exit(main())
