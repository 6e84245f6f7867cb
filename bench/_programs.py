"""The product's own programs, each in its own process, for benchmarks of the whole; none outlives the benchmark."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Self

import psutil

from nvr.app.demo import STOP_TIMEOUT_S, ChildEndedError
from nvr.bus.local_broker import LOOPBACK
from nvr.core.child_process import guarded
from nvr.core.clock import Clock
from nvr.core.errors import TransientError, UnsupportedError

START_TIMEOUT_S = 180.0
"""The simulator draws its pictures before it is there, if it never did."""
POLL_S = 0.2
PRIORITY = -15
"""Niceness, -20 to 19; some 28 times the share of a usual session."""


class Programs:
    """Runs programs until it is left; what they write goes to `{name}.log`."""

    def __init__(self, clock: Clock, logs: Path | None = None) -> None:
        """Prepare; without `logs` the files are in a folder that is removed in the end."""
        self._clock = clock
        self._stack = ExitStack()
        self._guards: dict[str, subprocess.Popen[bytes]] = {}
        self._folder = logs

    def __enter__(self) -> Self:
        if self._folder is None:
            self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="nvr-bench-")))
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._stack.close()

    @property
    def folder(self) -> Path:
        """Where the programs may leave files, too."""
        assert self._folder is not None, "used as a context manager only"
        return self._folder

    def start_nvr(self, command: str, *arguments: str) -> psutil.Process:
        """Start `nvr COMMAND ARGUMENTS` and return its process."""
        return self.start(command, [sys.executable, "-m", "nvr", command, *arguments])

    def start(self, name: str, command: Sequence[str]) -> psutil.Process:
        """Start a program and return its process.

        Raises:
            ChildEndedError: It ended at once.
        """
        with self._log(name).open("wb") as log:
            self._guards[name] = subprocess.Popen(
                guarded(command, stop_timeout_s=STOP_TIMEOUT_S),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the benchmark, which ends them in order
            )
        found: list[psutil.Process] = []

        def is_found() -> bool:
            found.extend(_children_that_run(command))
            return bool(found)

        self.wait(is_found, name)
        return found[0]

    def check(self) -> None:
        """Raise ChildEndedError if one of them has ended."""
        for name, guard in self._guards.items():
            if guard.poll() is not None:
                said = self._log(name).read_text(encoding="utf-8", errors="replace").strip().splitlines()
                raise ChildEndedError(f"{name} ended with status {guard.returncode}: {said[-1] if said else 'silent'}")

    def wait(self, is_there: Callable[[], bool], what: str, timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait for something that the programs will do.

        Raises:
            ChildEndedError: One of them has ended.
            TransientError: It did not happen in time.
        """
        deadline_s = self._clock.monotonic() + timeout_s
        while not is_there():
            self.check()
            if self._clock.monotonic() > deadline_s:
                raise TransientError(f"{what} did not appear within {timeout_s:g} s")
            time.sleep(POLL_S)

    def stop(self) -> None:
        """End all, the last started first."""
        for guard in reversed(self._guards.values()):
            if guard.stdin is not None:
                guard.stdin.close()
        for guard in reversed(self._guards.values()):
            _wait_for_end(guard)
        self._guards.clear()

    def end(self, name: str) -> None:
        """End one of them; its files stay."""
        guard = self._guards.pop(name)
        if guard.stdin is not None:
            guard.stdin.close()
        _wait_for_end(guard)

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"


def _wait_for_end(guard: "subprocess.Popen[bytes]") -> None:
    try:
        guard.wait(STOP_TIMEOUT_S + 1)
    except subprocess.TimeoutExpired:
        guard.kill()
        guard.wait()


def _children_that_run(command: Sequence[str]) -> list[psutil.Process]:
    """Return our descendants with this command line; the guard of each, with the same at its end, is none of them."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if process.cmdline()[1:] == list(command[1:]):
                found.append(process)
        except psutil.NoSuchProcess:  # ended while we looked
            continue
    return found


def take_priority() -> None:
    """Let all processes that this one has started go before those of other sessions, on a machine that others use.

    Linux shares cores between sessions first (`sched(7)`, autogroups), so that a niceness alone counts within one only.

    Raises:
        UnsupportedError: This system has no autogroups, or only root may do it.
    """
    for process in psutil.Process().children(recursive=True):
        try:
            Path(f"/proc/{process.pid}/autogroup").write_text(str(PRIORITY), encoding="ascii")
        except (FileNotFoundError, ProcessLookupError):  # ended while we looked
            if not Path("/proc/self/autogroup").exists():
                raise UnsupportedError("--priority needs Linux with scheduler autogroups") from None
        except PermissionError as error:
            raise UnsupportedError("--priority needs root") from error


def accepts(port: int) -> bool:
    """Tell whether something on this machine accepts TCP connections on a port."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True


def cpu_s(process: psutil.Process) -> float:
    """Return the CPU seconds that a process has used so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


def choose_model(assets: Path) -> tuple[str, str]:
    """Return what `--model` is told and its short name: YOLOX-Nano, or motion where its file is not at hand."""
    path = assets / "models" / "yolox_nano_416.onnx"
    return (str(path), "yolox-nano") if path.is_file() else ("motion", "motion")


def default_assets() -> Path:
    """Return the folder of models and videos."""
    return Path(os.environ.get("NVR_ASSETS_DIR", Path(__file__).parents[2] / "shared" / "data"))


def end_on_sigterm() -> None:
    """Let SIGTERM end this program as Ctrl-C does, so that everything it started ends in order."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
