"""The processes of a program made of several: start them, notice which one ends, end them all."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from nvr.core.child_process import guarded
from nvr.core.errors import NvrError

STOP_TIMEOUT_S = 2.5
"""A processor ends within 2 s whatever its cameras do."""


class ChildEndedError(NvrError):
    """A process ended that should run on; its last words are in the message."""


class Child:
    """One `nvr` command in a process of its own; its output goes to a file or to this process's stderr."""

    def __init__(self, name: str, arguments: Sequence[str], log: Path | None) -> None:
        """Start `nvr` with these arguments."""
        self.name = name
        self._log = log
        output = None if log is None else log.open("wb")
        try:
            self._process = subprocess.Popen(
                guarded([sys.executable, "-m", "nvr", *arguments], stop_timeout_s=STOP_TIMEOUT_S),
                stdin=subprocess.PIPE,
                stdout=sys.stderr if output is None else output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the parent, which ends its children in order
            )
        finally:
            if output is not None:
                output.close()

    def check(self) -> None:
        """Do nothing while it runs.

        Raises:
            ChildEndedError: It has ended; says how and with which last line.
        """
        status = self._process.poll()
        if status is not None:
            raise ChildEndedError(f"{self.name} ended with status {status}: {self.last_line() or 'it said nothing'}")

    def last_line(self) -> str:
        """Return the last line that it wrote; empty where it wrote none or not to a file."""
        if self._log is None:
            return ""
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    def request_stop(self) -> None:
        """Ask it to end, without waiting."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def join(self, timeout_s: float) -> None:
        """Wait until it has ended; after `timeout_s` kill it and its guard, which share a session."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


class Children:
    """Processes that live and end together."""

    def __init__(self, *, is_verbose: bool = False) -> None:
        """Prepare; `is_verbose` shows what they write instead of keeping it for an error."""
        self._is_verbose = is_verbose
        self._logs = tempfile.TemporaryDirectory(prefix="nvr-logs-")
        self._children: list[Child] = []

    def start(self, name: str, *arguments: str) -> Child:
        """Start `nvr` with these arguments in a process of its own."""
        log = None if self._is_verbose else Path(self._logs.name) / f"{name}.log"
        child = Child(name, arguments, log)
        self._children.append(child)
        return child

    def check(self) -> None:
        """Raise ChildEndedError if one of them has ended."""
        for child in self._children:
            child.check()

    def stop(self) -> None:
        """End all, the last started first, at the same time; returns within about 3 s."""
        for child in reversed(self._children):
            child.request_stop()
        for child in reversed(self._children):
            child.join(STOP_TIMEOUT_S + 1)
        self._children.clear()
        self._logs.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
