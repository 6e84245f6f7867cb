"""The lines of several processes in one log: pure."""

import json
from typing import Literal

from nvr.core.log_format import CONTROLS

NAME_WIDTH = 12


def text_line(process: str, line: str) -> str:
    """Return a line for people, its process before it."""
    return f"{process:<{NAME_WIDTH}} | {line.translate(CONTROLS)}\n"


def json_line(process: str, line: str) -> str:
    """Return a JSON object: that of the process, with its name; what it or a library wrote as text becomes one."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        entry = None
    if not isinstance(entry, dict):
        entry = {"message": line}
    return json.dumps({**entry, "process": process}) + "\n"


def log_line(process: str, line: str, log_format: Literal["text", "json"]) -> str:
    """Return a line of a process as the log of all has it."""
    return json_line(process, line) if log_format == "json" else text_line(process, line)
