"""Trust on first use: the checksums of files whose checksum the catalogue does not know, as first seen here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nvr.assets.files import locked, write_atomically
from nvr.core.clock import Clock
from nvr.core.errors import ModelError

_VERSION = 1
_LOCK_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class FirstSeen:
    """What the first file from a source was."""

    sha256: str
    size_bytes: int


class ModelsLock:
    """The file `models.lock`, kept per source URL, safe for several processes at once."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock

    @property
    def path(self) -> Path:
        """Where the file is or will be."""
        return self._path

    def find(self, url: str) -> FirstSeen | None:
        """Return what was recorded for a source.

        Raises:
            ModelError: The file is not what `record` writes.
        """
        return self._read().get(url)

    def record(self, url: str, seen: FirstSeen) -> FirstSeen:
        """Remember a file unless one is remembered; return the one that counts, maybe another process's."""
        with locked(self._path.with_name(f".{self._path.name}.guard"), self._clock, _LOCK_TIMEOUT_S):
            records = self._read()
            if url in records:
                return records[url]
            records[url] = seen
            write_atomically(self._path, _encode(records))
        return seen

    def _read(self) -> dict[str, FirstSeen]:
        try:
            return _decode(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(
                f"{self._path} cannot be read ({error}); it holds the checksums of models trusted on first use: "
                "restore it, or delete it to trust the files that are here now"
            ) from error


def _encode(records: Mapping[str, FirstSeen]) -> bytes:
    sources = {url: {"sha256": seen.sha256, "size_bytes": seen.size_bytes} for url, seen in sorted(records.items())}
    return (json.dumps({"version": _VERSION, "sources": sources}, indent=2) + "\n").encode()


def _decode(data: bytes) -> dict[str, FirstSeen]:
    document = json.loads(data)
    if document["version"] != _VERSION:
        raise ValueError(f"expected version {_VERSION}, got {document['version']!r}")
    return {
        url: FirstSeen(str(source["sha256"]), int(source["size_bytes"])) for url, source in document["sources"].items()
    }
