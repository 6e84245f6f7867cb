"""The product's own programs, each in its own process, for benchmarks of the whole; none outlives the benchmark."""

import os
import signal
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Self

import psutil

from nvr.app.children import STOP_TIMEOUT_S, Child, ChildEndedError
from nvr.core.clock import Clock

START_TIMEOUT_S = 30.0


class Programs:
    """Runs `nvr` commands, and scripts of the benchmarks, until it is left."""

    def __init__(self, clock: Clock, logs: Path | None = None) -> None:
        """Prepare; what they write goes to files in `logs`, else to a folder that is removed in the end."""
        self._clock = clock
        self._stack = ExitStack()
        self._children: dict[str, Child] = {}
        self._logs = logs

    def __enter__(self) -> Self:
        if self._logs is None:
            self._logs = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="nvr-bench-")))
        else:
            self._logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        for child in reversed(self._children.values()):
            child.request_stop()
        for child in reversed(self._children.values()):
            child.join(STOP_TIMEOUT_S + 1)
        self._children.clear()
        self._stack.close()

    def start(self, command: str, *arguments: str) -> psutil.Process:
        """Start `nvr COMMAND ARGUMENTS` and return its process."""
        assert self._logs is not None, "used as a context manager only"
        child = Child(command, [command, *arguments], self._logs / f"{command}.log")
        self._children[command] = child
        deadline_s = self._clock.monotonic() + START_TIMEOUT_S
        while self._clock.monotonic() < deadline_s:
            child.check()
            process = _find_child(["-m", "nvr", command])
            if process is not None:
                return process
        raise ChildEndedError(f"{command} did not start within {START_TIMEOUT_S:g} s")

    def check(self) -> None:
        """Raise ChildEndedError if one of them has ended."""
        for child in self._children.values():
            child.check()


def _find_child(first_arguments: Sequence[str]) -> psutil.Process | None:
    """Return the Python that runs a program; its guard, which is what was started, has it among its arguments too."""
    for process in psutil.Process().children(recursive=True):
        try:
            if process.cmdline()[1 : 1 + len(first_arguments)] == list(first_arguments):
                return process
        except psutil.NoSuchProcess:  # ended while we looked
            continue
    return None


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
