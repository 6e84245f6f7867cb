"""Runs commands in this process: a process of their own takes them a hundred times as long."""

import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from nvr.cli.main import main


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command that has ended leaves to its caller."""

    returncode: int
    stdout: str
    stderr: str


Nvr = Callable[..., Ended]
"""Takes the arguments behind `nvr`, and environment variables by name."""


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    """Handle signals after the test as before."""
    taken = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in taken.items():
        signal.signal(number, handler)


@pytest.fixture
def nvr(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Nvr:
    """The program as its console script runs it, errors and exit status included."""

    def run(*arguments: str, **environment: str) -> Ended:
        capfd.readouterr()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["nvr", *arguments])
            for name, value in {"COLUMNS": "200", **environment}.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                main()
        said = capfd.readouterr()
        code = ended.value.code
        return Ended(code if isinstance(code, int) else int(code is not None), said.out, said.err)

    return run
