"""Files that are whole or absent: checksums, atomic writes, locks between processes."""

import contextlib
import fcntl
import hashlib
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from nvr.assets.cancelling import POLL_S, IsCancelled
from nvr.core.clock import Clock
from nvr.core.errors import DownloadError, TransientError


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def publish(part: Path, target: Path) -> None:
    """Give a finished file its name, all at once and so that a power cut leaves either all of it or nothing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(target)
    _sync_folder(target.parent)


def write_atomically(path: Path, data: bytes) -> None:
    """Replace the content of a file; a reader sees the old or the new one, never a mixture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        publish(part, path)
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(path: Path, clock: Clock, timeout_s: float, is_cancelled: IsCancelled | None = None) -> Iterator[None]:
    """Keep other processes out of a block; the lock ends with its owner, even by `kill -9`.

    Args:
        path: The lock file. It stays, empty, for deleting it would let two processes in.
        clock: For the timeout.
        timeout_s: How long to wait for another process.
        is_cancelled: Asked while it waits.

    Raises:
        DownloadError: Another process still holds the lock after `timeout_s`.
        TransientError: The wait was cancelled.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        give_up_s = clock.monotonic() + timeout_s
        pause = threading.Event()
        while not _try_lock(file.fileno()):
            if clock.monotonic() >= give_up_s:
                raise DownloadError(f"{path}: another process has held this lock for {timeout_s:g} s")
            if is_cancelled is not None and is_cancelled():
                raise TransientError(f"{path}: waiting for another process was cancelled")
            pause.wait(POLL_S)
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
