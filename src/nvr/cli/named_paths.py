"""Files and folders that a command line names: one that is not there is a mistake, told before anything starts.

What the configuration file or a variable names is waited for: its disk may be mounted later.
"""

import itertools
from difflib import get_close_matches
from pathlib import Path

from nvr.core.errors import ConfigurationError
from nvr.core.masking import MASK
from nvr.core.source_uri import file_path, is_file

MAX_COMPARED = 1000
"""Names of a folder among which the nearest is looked for."""
_SHOWN_AT_MOST = 200


def check_sources(uris: list[str]) -> None:
    """Refuse cameras that are neither addresses nor files that can be played.

    Raises:
        ConfigurationError: A file is not there, cannot be reached, or is a folder, pipe or device.
    """
    for uri in map(str.strip, uris):
        if uri and uri.isprintable() and is_file(uri):
            _check_file(file_path(uri), uri)


def check_recordings(folder: Path) -> None:
    """Refuse a folder to record into that is not there.

    Raises:
        ConfigurationError: It is no folder, or cannot be reached.
    """
    try:
        is_there = folder.is_dir()
    except OSError as error:
        raise ConfigurationError(f"--recordings: {_shown(str(folder))}: {error.strerror}") from error
    if not is_there:
        raise ConfigurationError(
            f"--recordings: {_shown(str(folder))} is no folder: make it, or mount its disk, first"
            " (what storage.root of a file names is waited for)"
        )


def _check_file(path: Path, uri: str) -> None:
    try:
        if path.is_file():
            return
        if path.exists():
            what = "a folder" if path.is_dir() else "a pipe, socket or device"
            raise ConfigurationError(f"{_shown(uri)} is {what}, not a video file")
        near = _nearest(path)
    except OSError as error:
        raise ConfigurationError(f"{_shown(uri)} cannot be opened: {error.strerror}") from error
    hint = f", did you mean {near}?" if near else ""
    raise ConfigurationError(f"{_shown(uri)} is neither an address, such as rtsp://host/path, nor a file{hint}")


def _nearest(path: Path) -> Path | None:
    if not path.parent.is_dir():
        return None
    names = [each.name for each in itertools.islice(path.parent.iterdir(), MAX_COMPARED)]
    near = get_close_matches(path.name, names, n=1, cutoff=0.75)
    return path.parent / near[0] if near and near[0].isprintable() else None


def _shown(text: str) -> str:
    # an address whose scheme was forgotten or mistyped may hold a password
    userinfo, at, rest = text.rpartition("@")
    return f"{MASK}@{rest}"[:_SHOWN_AT_MOST] if at and ":" in userinfo else text[:_SHOWN_AT_MOST]
