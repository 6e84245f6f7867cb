"""Runs one program and makes sure that it ends with whoever asked for it, even after `kill -9`.

Started by path (standard library only, so that it is small): it ends the program and removes the folder when its
standard input reaches the end, when the parent's process is gone, or on SIGTERM. The pipe alone would not do, as
another child of the parent may have inherited its other end; nor would the kernel's parent-death signal, as it
comes with the end of the *thread* that started the program and is forgotten when mosquitto gives up root.
"""

import argparse
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

DEFAULT_STOP_TIMEOUT_S = 1.0
PARENT_POLL_S = 0.5
SIGNALLED = 128
"""Plus the number of the signal that ended the program is our status then, as with shells."""


def guard(command: list[str], parent_pid: int, stop_timeout_s: float) -> int:
    """Run a program until it ends, the parent is gone or standard input ends; return its exit status."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        ended = os.pidfd_open(process.pid)
        try:
            while os.getppid() == parent_pid:
                readable, _, _ = select.select([sys.stdin.fileno(), ended], [], [], PARENT_POLL_S)
                if readable:
                    break
        finally:
            os.close(ended)
            _end(process, stop_timeout_s)
    return process.returncode


def _end(process: subprocess.Popen[bytes], stop_timeout_s: float) -> None:
    process.terminate()
    try:
        process.wait(stop_timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()


def _leave(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def main() -> None:
    """Guard the program of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--remove", type=Path)
    parser.add_argument("--stop-timeout", type=float, default=DEFAULT_STOP_TIMEOUT_S)
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _leave)
    try:
        status = guard(arguments.command, arguments.parent, arguments.stop_timeout)
    finally:
        if arguments.remove is not None:
            shutil.rmtree(arguments.remove, ignore_errors=True)
    sys.exit(status if status >= 0 else SIGNALLED - status)


if __name__ == "__main__":
    main()
