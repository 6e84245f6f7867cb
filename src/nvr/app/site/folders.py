"""Folders that belong to a running `nvr up`: of its state, and of what nobody else may read."""

import fcntl
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import platformdirs

from nvr.core.errors import ConfigurationError

APP = "nvr"
SYSTEM_RUNTIME = Path("/run") / APP
LOCK_FILE = "up.lock"


def state_folder(environment: Mapping[str, str]) -> Path:
    """Return where a state that survives a restart is kept: systemd's STATE_DIRECTORY, else the user's."""
    given = environment.get("STATE_DIRECTORY", "").split(":")[0]
    return Path(given) if given else Path(platformdirs.user_state_dir(APP, appauthor=False))


def runtime_folder(environment: Mapping[str, str]) -> Path:
    """Return where what runs now leaves its traces: systemd's RUNTIME_DIRECTORY, else the user's."""
    if given := environment.get("RUNTIME_DIRECTORY", "").split(":")[0]:
        return Path(given)
    user = Path(environment.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}")
    return user / APP if user.is_dir() else Path(tempfile.gettempdir()) / f"{APP}-{os.geteuid()}"


def make_private(folder: Path) -> Path:
    """Make a folder that only its owner may enter, or check that it is one.

    Raises:
        ConfigurationError: It cannot be made, is a link or none of ours: another user may have put it there.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise ConfigurationError(f"cannot make the folder {folder}: {error}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise ConfigurationError(f"{folder} is no folder of ours: it belongs to user {found.st_uid}, or is a link")
    return folder


class StateLock:
    """Makes sure that a state has one user at a time; held until `release`, or the end of the process."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor: int | None = descriptor

    @classmethod
    def acquire(cls, folder: Path) -> Self:
        """Take the lock of a folder, which is made where it is absent.

        Raises:
            ConfigurationError: Another process has it, or the folder cannot be written; says which.
        """
        path = make_private(folder) / LOCK_FILE
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise ConfigurationError(f"cannot write to the state folder {folder}: {error}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError as error:
            owner = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise ConfigurationError(
                f"`nvr up` runs already, as process {owner}, with the state folder {folder}: end it, or give this one "
                "another --state-dir"
            ) from error
        except OSError as error:
            os.close(descriptor)
            raise ConfigurationError(f"cannot write to the state folder {folder}: {error}") from error
        return cls(path, descriptor)

    def release(self) -> None:
        """Give the lock back; the file stays, as to remove it would let two have it."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
