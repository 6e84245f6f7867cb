"""Locks between processes that end with their owner, even by `kill -9`."""

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from nvr.core.errors import StorageError

_POLL_S = 0.05
_POLLS = 200


def try_lock(descriptor: int) -> bool:
    """Take the exclusive lock of an open file for as long as it stays open; False where someone else has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def try_locked(path: Path) -> Iterator[bool]:
    """Keep other processes out of a block without waiting; yields whether the lock was free.

    The file is made where it is missing and stays, for deleting it would let two processes in.

    Raises:
        StorageError: The file cannot be opened.
    """
    descriptor = _open(path)
    try:
        yield try_lock(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes out of a block, waiting some seconds for them.

    Raises:
        StorageError: The file cannot be opened, or the lock was not to be had in time.
    """
    descriptor = _open(path)
    try:
        pause = threading.Event()
        for _ in range(_POLLS):
            if try_lock(descriptor):
                break
            pause.wait(_POLL_S)
        else:
            raise StorageError(f"{path}: another process has held this lock for {_POLLS * _POLL_S:g} s")
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}") from error
