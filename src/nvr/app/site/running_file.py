"""What runs on this machine: a small file that `nvr up` leaves for `nvr status` and others; no credentials in it.

The file is locked by its owner for as long as it lives, so that one that was left behind is seen to be stale, in
whatever container or PID namespace its owner lived.
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nvr.app.site.folders import SYSTEM_RUNTIME, runtime_folder
from nvr.core.errors import ConfigurationError

MAX_FILE_BYTES = 1_000_000
PATTERN = "running-*.json"


class RunningInfo(BaseModel):
    """Where a running installation can be reached."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    pid: Annotated[int, Field(ge=1)]
    """Of `nvr up`."""
    broker_host: str
    broker_port: Annotated[int, Field(ge=1, le=65535)]
    is_private_broker: bool
    """Whether it takes anybody on this machine, without a password."""
    tenants: tuple[str | None, ...]
    """None is the default one."""
    config_path: Path | None = None
    wall_urls: tuple[str, ...] = ()


class RunningFile:
    """The file of this process; written anew whenever something changes."""

    def __init__(self, folder: Path) -> None:
        """Prepare; `folder` must be there."""
        self._path = folder / f"running-{os.getpid()}.json"
        self._descriptor: int | None = None

    def write(self, info: RunningInfo) -> None:
        """Replace the content at once.

        Raises:
            ConfigurationError: The folder cannot be written.
        """
        part = self._path.with_suffix(".part")
        try:
            part.unlink(missing_ok=True)
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(descriptor, info.model_dump_json().encode())
            part.replace(self._path)
        except OSError as error:
            raise ConfigurationError(f"cannot write {self._path}: {error}") from error
        before, self._descriptor = self._descriptor, descriptor
        if before is not None:
            os.close(before)

    def remove(self) -> None:
        """Remove it; may be called without a file."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def remove_stale(folder: Path) -> None:
    """Remove what installations that were killed have left in a folder of ours: files, and folders with passwords."""
    for path in [*folder.glob(PATTERN), *folder.glob("up-*")]:
        with contextlib.suppress(OSError, ValueError):
            pid = int(path.stem.rpartition("-")[2])
            # one that has just begun has its folder, and its file not yet
            if (pid != os.getpid() and _is_process(pid)) or _is_locked(folder / f"running-{pid}.json"):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()


def _is_process(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        return _is_held(descriptor)
    finally:
        os.close(descriptor)


def find_running(environment: Mapping[str, str] | None = None) -> RunningInfo | None:
    """Return the installation that runs on this machine, the youngest where there are several.

    Args:
        environment: Says where to look; by default that of this process.
    """
    environment = os.environ if environment is None else environment
    folders = dict.fromkeys([runtime_folder(environment), SYSTEM_RUNTIME])
    found: list[tuple[float, RunningInfo]] = []
    for folder in folders:
        found.extend(_running_in(folder))
    return max(found, key=lambda entry: entry[0])[1] if found else None


def _running_in(folder: Path) -> Iterator[tuple[float, RunningInfo]]:
    try:
        paths = list(folder.glob(PATTERN))
        trusted = {0, os.geteuid(), *([folder.stat().st_uid] if folder == SYSTEM_RUNTIME else [])}
    except OSError:
        return
    for path in paths:
        with contextlib.suppress(OSError, ValidationError):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                found = os.fstat(descriptor)
                # in a folder that all may write, a stranger's file could send us to a stranger's broker
                if found.st_uid in trusted and _is_held(descriptor):
                    yield found.st_mtime, RunningInfo.model_validate_json(os.read(descriptor, MAX_FILE_BYTES))
            finally:
                os.close(descriptor)


def _is_held(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
