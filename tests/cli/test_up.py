"""`nvr up` and who sits before it: what is read of it, and the terminal that it was started from."""

import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from nvr.app.site.running_file import find_running
from tests.conftest import require_program
from tests.waiting import DEADLINE_S, wait_until

pytestmark = pytest.mark.broker

COMMAND = (sys.executable, "-m", "nvr", "up", "--model", "motion", "--no-wall", "rtsp://127.0.0.1:1/nobody")

TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture(autouse=True)
def _needs_mosquitto() -> None:
    require_program("mosquitto")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "run").mkdir()
    own = {"RUNTIME_DIRECTORY": str(tmp_path / "run"), "STATE_DIRECTORY": str(tmp_path / "state")}
    return dict(os.environ) | own


def is_up(environment: dict[str, str]) -> bool:
    return find_running(environment) is not None


def test_it_goes_on_where_nobody_reads_what_it_says(environment: dict[str, str], tmp_path: Path) -> None:
    with subprocess.Popen(
        COMMAND, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, cwd=tmp_path, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.stdout.close()  # as `head -1` does
        wait_until(lambda: is_up(environment), "it has started")
        wait_until(lambda: len(psutil.Process(process.pid).children()) >= 2, "broker and processor run")
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 0


class Terminal:
    """A process in a terminal of its own, and what it writes there."""

    def __init__(self, process: "subprocess.Popen[bytes]", master: int) -> None:
        self.process = process
        self.output = b""
        self._master = master
        self._is_closing = threading.Event()
        self._reader = threading.Thread(target=self._read, name="terminal", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while not self._is_closing.is_set():
            try:
                self.output += os.read(self._master, 4096)
            except BlockingIOError:
                self._is_closing.wait(0.02)

    def wait_for(self, text: bytes) -> None:
        wait_until(lambda: text in self.output, f"{text!r} on the terminal, which shows {self.output!r}")

    def hang_up(self) -> None:
        self._is_closing.set()
        self._reader.join()
        os.close(self._master)


@contextmanager
def in_terminal(environment: dict[str, str], folder: Path) -> Iterator[Terminal]:
    master, slave = pty.openpty()
    os.set_blocking(master, False)
    with subprocess.Popen(
        (sys.executable, "-c", TAKE_TERMINAL, *COMMAND),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment,
        cwd=folder,
        start_new_session=True,
    ) as process:
        os.close(slave)
        try:
            yield Terminal(process, master)
        finally:
            process.kill()


def test_sighup_is_a_reload_until_the_terminal_goes_and_then_it_ends(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with in_terminal(environment, tmp_path) as terminal:
        terminal.wait_for(b"Ctrl-C ends everything")
        terminal.process.send_signal(signal.SIGHUP)
        terminal.wait_for(b"the settings were read")
        family = psutil.Process(terminal.process.pid).children(recursive=True)
        assert len(family) >= 4, "broker and processor, each with its guard"
        terminal.hang_up()
        assert terminal.process.wait(DEADLINE_S) == 0
        assert not any(member.is_running() for member in family)
