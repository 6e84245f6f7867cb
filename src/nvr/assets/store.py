"""Where models and videos lie on this machine, and how they get there.

Search order: the folder of `NVR_ASSETS_DIR`, the user's cache, the network. A file is used only after its checksum
was compared. A download is written to a folder of its own, `.partial`, and gets its name when it is whole and right;
whatever ends it early removes what there was of it.
"""

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol
from urllib.parse import urlsplit

import platformdirs

from nvr.assets.cancelling import IsCancelled
from nvr.assets.catalogue import AssetEntry
from nvr.assets.files import locked, publish, sha256_of
from nvr.assets.lock import FirstSeen, ModelsLock
from nvr.assets.structure import structure_trouble
from nvr.core.clock import Clock, SystemClock
from nvr.core.errors import ConfigurationError, DownloadError, ModelError, OfflineError

logger = logging.getLogger(__name__)

Origin = Literal["assets dir", "cache"]

MAX_UNPINNED_BYTES = 1 << 30
"""Room for the largest detector of the catalogue (YOLOX-X, about 400 MB) and an end for a server that never stops."""
_DOWNLOAD_LOCK_TIMEOUT_S = 3600.0
_SWITCH: Mapping[str, bool] = {
    **dict.fromkeys(("", "0", "false", "no", "off"), False),
    **dict.fromkeys(("1", "true", "yes", "on"), True),
}


class Progress(Protocol):
    """Told how far a download is."""

    def __call__(self, received_bytes: int, total_bytes: int | None, /) -> None:
        """Take the bytes there so far and the bytes in all, None where nobody knows."""


class Downloader(Protocol):
    """Whatever writes the bytes behind a URL to a file; `nvr.assets.download` has the real one."""

    def download(
        self,
        url: str,
        part: Path,
        *,
        size_bytes: int | None,
        max_bytes: int,
        progress: Progress,
        is_cancelled: IsCancelled | None = None,
    ) -> None:
        """Write `part` whole or raise DownloadError; after a cancellation, another TransientError."""


@dataclass(frozen=True, slots=True)
class Located:
    """A file of the catalogue that is on this machine; nothing is said of its content yet."""

    path: Path
    origin: Origin


class AssetStore:
    """Finds, fetches and verifies the files of catalogue entries. May be used by several processes at once."""

    def __init__(
        self,
        assets_dir: Path | None,
        cache_dir: Path,
        *,
        is_offline: bool = False,
        downloader: Downloader | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._assets_dir = assets_dir
        self._cache_dir = cache_dir
        self._is_offline = is_offline
        self._downloader = downloader
        self._clock = clock or SystemClock()
        self._lock = ModelsLock(cache_dir / "models.lock", self._clock)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "AssetStore":
        """Make the store that `NVR_ASSETS_DIR`, `NVR_OFFLINE` and the user's cache folder describe.

        Raises:
            ConfigurationError: A variable has a value that means nothing.
        """
        variables = os.environ if environment is None else environment
        folder = variables.get("NVR_ASSETS_DIR", "")
        if folder and not Path(folder).is_dir():
            raise ConfigurationError(f"NVR_ASSETS_DIR: expected a folder, got {folder!r}")
        switch = variables.get("NVR_OFFLINE", "").strip().lower()
        if switch not in _SWITCH:
            raise ConfigurationError(f"NVR_OFFLINE: expected 1 or 0, got {switch!r}")
        cache_dir = platformdirs.user_cache_path("nvr", appauthor=False)
        return cls(Path(folder) if folder else None, cache_dir, is_offline=_SWITCH[switch])

    @property
    def cache_dir(self) -> Path:
        """Where downloads go."""
        return self._cache_dir

    def locate(self, entry: AssetEntry) -> Located | None:
        """Return the first file of that entry in the search order, without network and without looking into it."""
        candidates: list[tuple[Path | None, Origin]] = [(self._assets_dir, "assets dir"), (self._cache_dir, "cache")]
        for folder, origin in candidates:
            if folder is not None:
                with _folder_errors(folder):
                    if (folder / entry.path).is_file():
                        return Located(folder / entry.path, origin)
        return None

    def find(self, entry: AssetEntry) -> Path | None:
        """Return where the file is, or None; no network, no checksum."""
        located = self.locate(entry)
        return None if located is None else located.path

    def get(self, entry: AssetEntry, progress: Progress | None = None, is_cancelled: IsCancelled | None = None) -> Path:
        """Return a file whose checksum is right, fetching it where there is none.

        A wrong file in our own cache is fetched anew; a wrong one in `NVR_ASSETS_DIR` is the user's to judge.

        Args:
            entry: What is wanted.
            progress: Told of a download; from another thread where there is an `is_cancelled`.
            is_cancelled: Asked ten times a second, from this thread, during a download or the wait for another process.

        Raises:
            ModelError: The file here has another checksum, or the first download was another file.
            DownloadError: It could not be fetched; nothing of it is left.
            TransientError: It was cancelled; nothing of it is left.
            OfflineError: It is not here and the network is off.
            ConfigurationError: A folder cannot be read or written.
        """
        with _folder_errors(self._cache_dir):
            located = self.locate(entry)
            if located is not None:
                try:
                    self.verify(entry, located.path)
                except ModelError as error:
                    if self._is_offline or located.origin != "cache" or entry.trust != "pinned":
                        raise
                    logger.warning("%s; fetching it anew", error)
                else:
                    return located.path
            if self._is_offline:
                raise OfflineError(f"{entry.name} is not here and NVR_OFFLINE is set: {self._by_hand(entry)}")
            return self._fetch(entry, progress, is_cancelled)

    def verify(self, entry: AssetEntry, path: Path, *, should_record: bool = True) -> None:
        """Compare a file with the checksum of its entry, or with the one first seen here.

        Args:
            entry: What the file is to be.
            path: The file.
            should_record: Whether the first file of a `first-use` entry becomes the one that counts.

        Raises:
            ModelError: Both checksums, or what is wrong with the file.
        """
        trouble = structure_trouble(path, entry.path.suffix)
        if trouble is not None:
            raise ModelError(f"{entry.name}: {path}: {trouble}")
        self._compare(entry, path, should_record=should_record)

    def is_recorded(self, entry: AssetEntry) -> bool:
        """Tell whether a checksum of a `first-use` entry was recorded on this machine."""
        return self._lock.find(entry.url) is not None

    def _compare(self, entry: AssetEntry, path: Path, *, should_record: bool) -> None:
        sha256 = sha256_of(path)
        if entry.sha256 is not None:
            if sha256 != entry.sha256:
                raise ModelError(f"{entry.name}: {path}: expected sha256 {entry.sha256}, got {sha256}")
            return
        seen = self._lock.find(entry.url)
        if seen is None and should_record:
            seen = self._lock.record(entry.url, FirstSeen(sha256, path.stat().st_size))
        if seen is not None and seen.sha256 != sha256:
            raise ModelError(
                f"{entry.name}: {path}: expected sha256 {seen.sha256} as first seen here, got {sha256}; if the change "
                f"is meant, remove its entry from {self._lock.path}"
            )

    def _fetch(self, entry: AssetEntry, progress: Progress | None, is_cancelled: IsCancelled | None) -> Path:
        target = self._cache_dir / entry.path
        partial_dir = self._cache_dir / ".partial"
        part = partial_dir / f"{entry.name}.part"
        with locked(partial_dir / f"{entry.name}.lock", self._clock, _DOWNLOAD_LOCK_TIMEOUT_S, is_cancelled):
            if target.is_file() and self._is_right(entry, target):  # another process was first
                return target
            try:
                self._download(entry, part, progress, is_cancelled)
                publish(part, target)
            finally:
                part.unlink(missing_ok=True)
        return target

    def _download(
        self, entry: AssetEntry, part: Path, progress: Progress | None, is_cancelled: IsCancelled | None
    ) -> None:
        downloader = self._downloader or _http_downloader()
        try:
            downloader.download(
                entry.url,
                part,
                size_bytes=entry.size_bytes,
                max_bytes=entry.size_bytes or MAX_UNPINNED_BYTES,
                progress=progress or _tell_nobody,
                is_cancelled=is_cancelled,
            )
        except DownloadError as error:
            # told at each start of each processor: the whole address is in `nvr models list --json`
            reason = str(error).replace(entry.url, urlsplit(entry.url).hostname or entry.url)
            raise DownloadError(
                f"{entry.name} could not be fetched: {reason}; try `nvr models pull {entry.name}`, "
                f"or fetch it by hand and put it at {self._cache_dir / entry.path}"
            ) from error
        trouble = structure_trouble(part, entry.path.suffix)
        if trouble is not None and entry.sha256 is None:
            raise DownloadError(f"{entry.name}: what came from {entry.url} was removed: {trouble}")
        try:
            self._compare(entry, part, should_record=True)
        except ModelError as error:
            if entry.sha256 is None:
                raise
            raise DownloadError(f"what came from {entry.url} was removed: {error}") from error

    def _is_right(self, entry: AssetEntry, path: Path) -> bool:
        try:
            self.verify(entry, path)
        except ModelError:
            return False
        return True

    def _by_hand(self, entry: AssetEntry) -> str:
        return (
            f"fetch {entry.url} by hand and put it at {self._cache_dir / entry.path}, "
            f"or set NVR_ASSETS_DIR to a folder that holds {entry.path}"
        )


def _http_downloader() -> Downloader:
    from nvr.assets.download import HttpDownloader

    return HttpDownloader()


def _tell_nobody(_received_bytes: int, _total_bytes: int | None, /) -> None:
    pass


@contextlib.contextmanager
def _folder_errors(cache_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = error.filename or cache_dir
        raise ConfigurationError(f"{place}: {error.strerror or error}") from error
