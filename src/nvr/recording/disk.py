"""What a disk that fails means for a recording: why it pauses, and when it is tried again."""

import errno
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Literal

from nvr.core.backoff import Backoff

PauseReason = Literal["disk full", "disk read-only", "disk gone", "disk refused", "disk failing", "disk slow", "codec"]

SLOW_S = 5.0
"""A disk that takes longer than this for one write holds recording up, and its camera's packets wait in memory."""

FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 10.0
"""Short, for a try costs little and the packets that wait in memory reach back some 15 s."""

_PROBE_BYTES = 64 << 10

_REASONS: dict[int, PauseReason] = {
    errno.ENOSPC: "disk full",
    errno.EDQUOT: "disk full",
    errno.EFBIG: "disk full",
    errno.EROFS: "disk read-only",
    errno.ENOENT: "disk gone",
    errno.ENODEV: "disk gone",
    errno.ENXIO: "disk gone",
    errno.ESTALE: "disk gone",
    errno.ENOTDIR: "disk gone",
    errno.ENOTCONN: "disk gone",
    errno.EACCES: "disk refused",
    errno.EPERM: "disk refused",
}


def pause_reason(error: OSError) -> PauseReason:
    """Return what an error of the disk means."""
    return _REASONS.get(error.errno or 0, "disk failing")


class Activity(StrEnum):
    """What the recorder of a camera does."""

    RECORDING = "recording"
    IDLE = "idle"
    """Nothing is to be recorded at present, or the camera sends nothing."""
    PAUSED = "paused"
    """Something is to be recorded and cannot be."""
    OFF = "off"


@dataclass(frozen=True, slots=True)
class RecordingState:
    """What the recorder of a camera does, since when and why; an event each time it changes."""

    source_id: int
    activity: Activity
    since: datetime
    """Wall time, aware UTC."""
    reason: PauseReason | None = None
    """Of a pause."""
    detail: str = ""
    """For a person: file and error of a pause."""


class DiskGuard:
    """Watches over the folder of recordings: a disk that is not mounted must not be mistaken for an empty folder."""

    def __init__(self, root: Path) -> None:
        """Remember the root as it is now."""
        self._root = root
        self._was_mount = root.is_mount()

    def check(self) -> None:
        """See whether the root is what it was.

        Raises:
            OSError: It is gone, or its disk is no longer mounted.
        """
        if not self._root.is_dir():
            raise FileNotFoundError(errno.ENOENT, "the folder of recordings is gone", str(self._root))
        if self._root.is_mount():
            self._was_mount = True
        elif self._was_mount:
            raise FileNotFoundError(errno.ENOENT, "no disk is mounted there any more", str(self._root))

    def probe(self) -> None:
        """See whether something can be written, without leaving a trace.

        Raises:
            OSError: It cannot.
        """
        self.check()
        try:
            descriptor = os.open(self._root, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        except OSError as error:
            if error.errno in {errno.EOPNOTSUPP, errno.EISDIR}:  # a file system without nameless files: just begin
                return
            raise
        try:
            os.write(descriptor, bytes(_PROBE_BYTES))
            os.fdatasync(descriptor)
        finally:
            with suppress(OSError):
                os.close(descriptor)


class Pause:
    """A pause of one recorder: why, and when to try again; used by its thread."""

    def __init__(self, backoff: Backoff | None = None) -> None:
        self._backoff = backoff or Backoff(FIRST_RETRY_S, LONGEST_RETRY_S)
        self._retry_s: float | None = None

    @property
    def is_on(self) -> bool:
        """Whether recording is paused."""
        return self._retry_s is not None

    def begin(self, now_s: float) -> None:
        """Pause, or go on pausing after a try that failed."""
        self._retry_s = now_s + self._backoff.next_s()

    def is_over(self, now_s: float) -> bool:
        """Tell whether it is time for a try."""
        return self._retry_s is not None and now_s >= self._retry_s

    def lift(self) -> None:
        """Try again; the next pause is longer until `succeed`."""
        self._retry_s = None

    def succeed(self) -> None:
        """Something was written: the next pause is short again."""
        self._backoff.reset()


def describe(error: OSError) -> str:
    """Return an error for a person: the file and what is wrong with it."""
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
