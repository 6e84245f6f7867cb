"""A real `nvr up` of a test's own, with cameras of its own, and someone who listens to its events."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from nvr.app.site.running_file import RunningInfo, find_running
from nvr.bus.connection import MqttConnection
from nvr.config.broker import BrokerConfig
from nvr.demo.simulator import Simulator, SimulatorConfig
from nvr.events.schema import DetectionEvent
from tests.processes import has_ended
from tests.waiting import DEADLINE_S, wait_until


@contextmanager
def cameras(n: int) -> Iterator[list[str]]:
    """Serve drawn cameras from this process."""
    config = SimulatorConfig(n_cameras=n, width_px=320, height_px=180, fps=10, scene_s=5, port=0)
    with Simulator(config) as simulator:
        yield [simulator.uri(i) for i in range(n)]


class Listener:
    """Collects the events of a broker."""

    def __init__(self, host: str, port: int) -> None:
        self._lock = threading.Lock()
        self._events: list[tuple[float, DetectionEvent]] = []
        self._connection = MqttConnection(BrokerConfig(host=host, port=port))
        self._connection.subscribe("nvr/detections/+", self._take)
        self._connection.start()
        assert self._connection.wait_connected(DEADLINE_S)

    def _take(self, _topic: str, payload: bytes) -> None:
        event = DetectionEvent.from_json(payload)
        with self._lock:
            self._events.append((time.monotonic(), event))

    def events(self, source_id: int, since_s: float = 0.0) -> list[DetectionEvent]:
        with self._lock:
            return [event for at_s, event in self._events if event.source_id == source_id and at_s >= since_s]

    def source_ids(self, since_s: float = 0.0) -> set[int]:
        with self._lock:
            return {event.source_id for at_s, event in self._events if at_s >= since_s}

    def wait_for(self, source_ids: set[int], since_s: float = 0.0) -> float:
        """Wait until each of these cameras has an event since then; return how many seconds after it the last came."""
        wait_until(lambda: source_ids <= self.source_ids(since_s), f"events of the cameras {source_ids}")
        with self._lock:
            firsts = {
                source_id: min(at_s for at_s, event in self._events if event.source_id == source_id and at_s >= since_s)
                for source_id in source_ids
            }
        return max(firsts.values()) - since_s

    def close(self) -> None:
        self._connection.stop()


class RunningUp:
    """The process, what it says, and what it has started."""

    def __init__(self, process: "subprocess.Popen[str]", environment: dict[str, str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._environment = environment
        self._reader = threading.Thread(target=self._read, name="reader", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def wait_for_line(self, *parts: str, deadline_s: float = DEADLINE_S) -> str:
        def found() -> str | None:
            return next((line for line in list(self.lines) if all(part in line for part in parts)), None)

        def is_there() -> bool:
            assert found() is not None or self.process.poll() is None, f"it has ended: {self.output}"
            return found() is not None

        try:
            wait_until(is_there, f"a line with {parts}", deadline_s)
        except AssertionError as error:
            raise AssertionError(f"{error}; it said:\n{self.output}") from None
        line = found()
        assert line is not None
        return line

    def info(self) -> RunningInfo:
        wait_until(lambda: find_running(self._environment) is not None, "a file says where it runs")
        info = find_running(self._environment)
        assert info is not None
        return info

    def listener(self) -> Listener:
        info = self.info()
        return Listener(info.broker_host, info.broker_port)

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run another `nvr` command, which finds this one."""
        command = [sys.executable, "-m", "nvr", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=self._environment)

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, *words: str) -> psutil.Process:
        """Return the process itself, not its guard, whose command line holds these words."""
        found = [
            member
            for member in self.family()
            if "process_guard" not in " ".join(member.cmdline()) and set(words) <= set(member.cmdline())
        ]
        assert len(found) == 1, f"{words}: {found}"
        return found[0]

    def broker(self) -> psutil.Process:
        [found] = [member for member in self.family() if member.name() == "mosquitto"]
        return found

    def stop(self, number: int = signal.SIGTERM) -> float:
        """Signal it and return how many seconds it took to end."""
        began_s = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)
        return time.monotonic() - began_s


def all_ended(family: Sequence[psutil.Process]) -> bool:
    return all(has_ended(member) for member in family)


@contextmanager
def nvr_up(folder: Path, *arguments: str) -> Iterator[RunningUp]:
    """Run `nvr up` with motion as model and everything of its own below `folder`."""
    (folder / "run").mkdir(exist_ok=True)
    environment = dict(os.environ) | {
        "RUNTIME_DIRECTORY": str(folder / "run"),
        "STATE_DIRECTORY": str(folder / "state"),
    }
    command = [sys.executable, "-m", "nvr", "up", *arguments]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env=environment,
        start_new_session=True,
    ) as process:
        running = RunningUp(process, environment)
        try:
            yield running
        finally:
            process.kill()
