"""The audit log: each command and how it ended, one line of JSON each. A disk that fails never holds up a command."""

import json
import logging
import math
import os
import queue
import re
import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import JsonValue

from nvr.core.clock import Clock, SystemClock
from nvr.core.masking import MASK, mask_credentials
from nvr.core.throttle import ThrottledLog

logger = logging.getLogger(__name__)

MAX_FILE_BYTES = 10_000_000
MAX_FILES = 3
"""The newest and its predecessors, `.1` and `.2`."""

MAX_WAITING = 1000
MAX_LINE_PARAMS = 4000
"""Characters of the parameters in a line; larger ones are told by their size."""

_SECRET = re.compile(r"passw|secret|token|key|credential", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One command and its end."""

    time: datetime
    """When it ended, aware UTC."""
    instance_id: str
    outcome: str
    """`completed`, `repeated`, or the type of the error."""
    command: str | None = None
    command_id: str | None = None
    issuer: str | None = None
    """As the sender says; proven only where commands are signed."""
    is_signed: bool = False
    targets: tuple[str, ...] = ()
    source_ids: tuple[int, ...] | None = None
    params: JsonValue = None
    reason: str | None = None
    duration_ms: float | None = None


def audit_line(entry: AuditEntry) -> bytes:
    """Return an entry as a line of JSON without any credential; unset fields are left out."""
    params = masked(entry.params)
    text = json.dumps(params)
    if len(text) > MAX_LINE_PARAMS:
        params = {"omitted_characters": len(text)}
    fields: dict[str, JsonValue] = {
        "time": entry.time.isoformat().replace("+00:00", "Z"),
        "instance_id": entry.instance_id,
        "command": entry.command,
        "command_id": entry.command_id,
        "issuer": entry.issuer,
        "signed": entry.is_signed,
        "target_instances": list(entry.targets[:100]),
        "source_ids": None if entry.source_ids is None else list(entry.source_ids[:1000]),
        "params": params,
        "outcome": entry.outcome,
        "reason": None if entry.reason is None else mask_credentials(entry.reason),
        "duration_ms": None if entry.duration_ms is None else round(entry.duration_ms, 3),
    }
    kept = {name: value for name, value in fields.items() if value is not None}
    return json.dumps(kept).encode() + b"\n"


def masked(value: JsonValue) -> JsonValue:
    """Return a value in which every credential of an URI, and whatever a key calls secret, is `***`."""
    match value:
        case str():
            return mask_credentials(value)
        case float() if not math.isfinite(value):
            return str(value)  # which JSON has no number for
        case list():
            return [masked(each) for each in value]
        case dict():
            return {
                key: MASK if _SECRET.search(key) and each is not None else masked(each) for key, each in value.items()
            }
        case _:
            return value


class AuditLog:
    """Writes entries in a thread of its own; what it cannot write is counted."""

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int = MAX_FILE_BYTES,
        max_files: int = MAX_FILES,
        clock: Clock | None = None,
    ) -> None:
        """Prepare; nothing is opened before `start`.

        Args:
            path: The file, readable by its owner only; its folder is made.
            max_bytes: From this size on it becomes `.1`, and a new one begins.
            max_files: How many are kept.
            clock: For reports about trouble.
        """
        self._path = path
        self._max_bytes = max_bytes
        self._max_files = max_files
        self._entries: queue.Queue[AuditEntry | None] = queue.Queue(MAX_WAITING)
        self._trouble = ThrottledLog(logger, clock=clock or SystemClock())
        self._thread = threading.Thread(target=self._run, name="control-audit", daemon=True)

    @property
    def lost(self) -> int:
        """Entries that were not written: the disk was full, gone or too slow."""
        return self._trouble.total

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def note(self, entry: AuditEntry) -> None:
        """Take an entry; any thread, never waits."""
        try:
            self._entries.put_nowait(entry)
        except queue.Full:
            self._trouble.report(f"{self._path} takes no entries in time: a command is not in the audit log")

    def stop(self, timeout_s: float = 1.0) -> bool:
        """Write what waits and end; False where the disk did not let it in time."""
        if self._thread.ident is None:
            return True
        try:
            self._entries.put(None, timeout=timeout_s)
        except queue.Full:
            return False
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (entry := self._entries.get()) is not None:
            try:
                self._append(audit_line(entry))
            except OSError as error:
                self._trouble.report(f"a command is not in the audit log {self._path}: {error.strerror or error}")
            except ValueError as error:  # a name that no UTF-8 has
                self._trouble.report(f"a command is not in the audit log {self._path}: {error}")

    def _append(self, line: bytes) -> None:
        # opened each time: commands are rare, and a file that was moved away or a disk that came back needs no care
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = self._open()
        try:
            size_bytes = os.fstat(descriptor).st_size
            if size_bytes + len(line) > self._max_bytes and size_bytes:
                self._rotate()
                full, descriptor = descriptor, self._open()  # which may fail: each is closed once
                os.close(full)
                size_bytes = 0
            if os.write(descriptor, line) != len(line):  # the disk is full: no half line stays
                os.ftruncate(descriptor, size_bytes)
                raise OSError(0, "no space left")
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _rotate(self) -> None:
        for number in range(self._max_files - 1, 0, -1):
            older = self._numbered(number)
            newer = self._path if number == 1 else self._numbered(number - 1)
            if newer.exists():
                newer.replace(older)

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")
