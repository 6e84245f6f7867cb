"""One supervised process: started under a guard, read without waiting, ended with all that it started."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nvr.core.child_process import guarded

READ_BYTES = 65_536
_SIGNALLED = 128
"""A guard ends with this plus the number of the signal that ended its program, as shells do."""


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What is to run."""

    name: str
    """Unique among all, short: it stands before each line that the process writes."""
    command: tuple[str, ...]
    """A process whose command changes is ended and started anew."""
    stage: int = 0
    """Lower ones end first."""
    stop_timeout_s: float = 1.0
    """What it gets after SIGTERM until it is killed."""
    revision: str = ""
    """Of what it reads by itself while it runs, as a file: one that waits or has failed is tried at once with a new
    one; one that runs goes on."""
    may_be_spare: bool = False
    """Whether a process in waiting may become it, see `nvr.app.supervision.spare`."""
    may_end: bool = False
    """Whether its end with status 0 is meant, as after the last frame of a file; else it is started again."""
    has_one_life: bool = False
    """Whether it is never started again: however it ends, it has failed."""


class SupervisedChild:
    """A process that runs, or ran. Not thread-safe."""

    def __init__(self, spec: ChildSpec, environment: Mapping[str, str]) -> None:
        """Start it.

        Raises:
            OSError: There are too many processes or open files.
        """
        self._process = subprocess.Popen(
            guarded(spec.command, stop_timeout_s=spec.stop_timeout_s),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,  # Ctrl-C is for the supervisor, which ends its children in order
        )
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        self.output_fd = self._process.stdout.fileno()
        os.set_blocking(self.output_fd, False)
        self.pid_fd = os.pidfd_open(self._process.pid)

    @property
    def pid(self) -> int:
        """Of the program itself while it runs; else of its guard."""
        guard = self._process.pid
        with contextlib.suppress(OSError, ValueError):
            children = Path(f"/proc/{guard}/task/{guard}/children").read_text(encoding="ascii").split()
            return int(children[0]) if children else guard
        return guard

    def read(self) -> bytes | None:
        """Return what it wrote; empty while it writes nothing, None where it has closed its output."""
        try:
            return os.read(self.output_fd, READ_BYTES) or None
        except BlockingIOError:
            return b""
        except OSError:
            return None

    def request_stop(self) -> None:
        """Ask it to end; its guard kills it where it does not in time."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def kill(self) -> None:
        """End it and all that it started, at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def has_ended(self) -> bool:
        """Tell whether its guard has ended, without forgetting it."""
        return os.waitid(os.P_PIDFD, self.pid_fd, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def reap(self) -> int:
        """Return its exit status, above 128 for a signal; what it left behind is killed. Call it once, at the end."""
        # while the guard is a zombie its number, which is that of the group, belongs to nobody else
        self.kill()
        self.request_stop()
        status = self._process.wait()
        os.close(self.pid_fd)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return status if status >= 0 else _SIGNALLED - status


def describe_end(status: int) -> str:
    """Return how a process ended, in words."""
    if status > _SIGNALLED:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(status - _SIGNALLED).name}"
    return f"ended with status {status}"
