"""Child processes that never outlive their parent."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

_GUARD = Path(__file__).parent / "process_guard.py"


def guarded(command: Sequence[str], *, remove: Path | None = None, stop_timeout_s: float = 1.0) -> list[str]:
    """Return the command line that runs `command` and ends it with this process, even after `kill -9`.

    Give the new process a pipe as standard input and keep its other end: closing it ends the command too.

    Args:
        command: Program and arguments.
        remove: Folder to remove afterwards.
        stop_timeout_s: How long the command may take after SIGTERM until it is killed.
    """
    return [
        *(sys.executable, "-P", str(_GUARD)),
        *("--parent", str(os.getpid()), "--stop-timeout", str(stop_timeout_s)),
        *(() if remove is None else ("--remove", str(remove))),
        "--",
        *command,
    ]
