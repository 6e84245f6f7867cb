"""The SQLite file of the index: opened, watched, and made anew where it is damaged or gone.

The index is a cache, so nothing is ever mended or migrated: a file that is damaged or of an older version is set aside,
and an empty one takes its place that says of itself that it is not complete.
"""

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from nvr.core.errors import ConfigurationError, StorageError
from nvr.recording.layout import INDEX_NAME
from nvr.recording.locks import locked
from nvr.recording.reserve import NAME as RESERVE_NAME
from nvr.recording.reserve import Reserve

logger = logging.getLogger(__name__)

SCHEMA_VERSION = 1
BUSY_TIMEOUT_S = 5.0
LOCK_NAME = "index.lock"
_ASIDE = ".damaged"
_TABLES = {"segments", "segments_by_time", "days", "facts", "segment_added", "segment_resized", "segment_removed"}

_SCHEMA = """
CREATE TABLE segments (
    tenant TEXT NOT NULL,
    source_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    start_us INTEGER NOT NULL,   -- capture time of the first frame, microseconds since 1970
    duration_ms INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    PRIMARY KEY (tenant, source_id, kind, start_us, duration_ms)
) WITHOUT ROWID, STRICT;

-- the oldest of a kind over all cameras; holds every column, so that no query by time reads the table
CREATE INDEX segments_by_time ON segments (kind, start_us, tenant, source_id, duration_ms, size_bytes);

-- sums, kept by the triggers, since adding up millions of rows for each plan would be too slow
CREATE TABLE days (
    tenant TEXT NOT NULL,
    source_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    day INTEGER NOT NULL,        -- of the start, days since 1970
    segments INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    PRIMARY KEY (tenant, source_id, kind, day)
) WITHOUT ROWID, STRICT;

CREATE TRIGGER segment_added AFTER INSERT ON segments BEGIN
    INSERT INTO days VALUES
        (new.tenant, new.source_id, new.kind, new.start_us / 86400000000, 1, new.duration_ms, new.size_bytes)
    ON CONFLICT DO UPDATE SET
        segments = segments + 1,
        duration_ms = duration_ms + new.duration_ms,
        size_bytes = size_bytes + new.size_bytes;
    UPDATE facts SET value = new.duration_ms WHERE name = 'longest_ms' AND value < new.duration_ms;
END;

CREATE TRIGGER segment_resized AFTER UPDATE OF size_bytes ON segments BEGIN
    UPDATE days SET size_bytes = size_bytes + new.size_bytes - old.size_bytes
    WHERE tenant = new.tenant AND source_id = new.source_id AND kind = new.kind
        AND day = new.start_us / 86400000000;
END;

CREATE TRIGGER segment_removed AFTER DELETE ON segments BEGIN
    UPDATE days SET
        segments = segments - 1,
        duration_ms = duration_ms - old.duration_ms,
        size_bytes = size_bytes - old.size_bytes
    WHERE tenant = old.tenant AND source_id = old.source_id AND kind = old.kind
        AND day = old.start_us / 86400000000;
    DELETE FROM days
    WHERE tenant = old.tenant AND source_id = old.source_id AND kind = old.kind
        AND day = old.start_us / 86400000000 AND segments = 0;
END;

CREATE TABLE facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID, STRICT;
INSERT INTO facts VALUES
    ('longest_ms', 0),   -- no segment lasts longer: how far before a time those begin that reach into it
    ('is_complete', 0);  -- whether all that lies on the disk has been read in since this file was made
"""

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_HARMLESS = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL})

Result = TypeVar("Result")
Work = Callable[[sqlite3.Connection], Result]


class DamagedError(StorageError):
    """The file was damaged and has been set aside; an empty one takes its place."""


class IndexDatabase:
    """One SQLite file, for all threads of a process and for several processes.

    Readers and the writer have a connection each: a long query does not hold up a recorder. Whoever sets the file
    aside leaves other processes with a file of another name, so each use looks whether it is still the same file.
    """

    def __init__(self, root: Path, path: Path, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        """Open the file, or make it.

        Raises:
            StorageError: The root is not there, or the file cannot be opened or written.
            ConfigurationError: The file was written by a newer version of this program.
        """
        self.root = root
        self.path = path
        self._busy_timeout_s = busy_timeout_s
        self._opening = threading.Lock()
        self._device: int | None = None
        self._reader = _Slot()
        self._writer = _Slot()
        self._is_closed = False
        self.reserve = Reserve(path.with_name(RESERVE_NAME))
        self.write(lambda _: None)
        self.reserve.renew()

    def read(self, work: Work[Result]) -> Result:
        """Call `work` with a connection for queries.

        Raises:
            StorageError: The file cannot be read.
        """
        return self._use_mending(self._reader, work)

    def write(self, work: Work[Result]) -> Result:
        """Call `work` within a transaction, which is undone where it raises.

        Raises:
            StorageError: The file cannot be written: disk full, read-only, gone, or another process is too long at it.
        """
        return self._use_mending(self._writer, lambda connection: _in_transaction(connection, work))

    def close(self) -> None:
        """Close the file; using it afterwards is an error of the caller's."""
        self._is_closed = True
        for slot in (self._reader, self._writer):
            with slot.lock:
                slot.close()

    def _use_mending(self, slot: "_Slot", work: Work[Result]) -> Result:
        """Use a connection; where the file was damaged or the disk is full, once more after what mends that."""
        try:
            return self._use(slot, work)
        except DamagedError:
            return self._use(slot, work)
        except StorageError:
            if not self.reserve.release():
                raise
            return self._use(slot, work)

    def _use(self, slot: "_Slot", work: Work[Result]) -> Result:
        with slot.lock:
            try:
                return work(self._connection(slot))
            except sqlite3.Error as error:
                code = _code(error)
                if code not in _HARMLESS:
                    slot.close()
                if code in _DAMAGED:
                    self._set_aside(slot.identity, str(error))
                    raise DamagedError(f"{self.path}: {error}") from error
                raise StorageError(f"{self.path}: {error}") from error
            except OSError as error:
                slot.close()
                raise StorageError(f"{self.path}: {error.strerror}") from error

    def _connection(self, slot: "_Slot") -> sqlite3.Connection:
        if self._is_closed:
            raise StorageError(f"{self.path}: the index is closed")
        self._check_root()
        if slot.connection is not None and slot.identity == _identity(self.path):
            return slot.connection
        slot.close()
        # two processes that make the file at once, or set it aside at once, would undo each other's work
        with self._opening, locked(self.path.with_name(LOCK_NAME)):
            slot.identity = _identity(self.path)
            slot.connection = self._open()
            slot.identity = _identity(self.path)
        return slot.connection

    def _check_root(self) -> None:
        """Refuse to go on where the disk is gone: its mount point looks like a root without recordings."""
        device = self.root.stat().st_dev
        if self._device not in {None, device}:
            witness = self.path.exists() if self.path.parent == self.root else any(self.root.iterdir())
            if not witness:
                raise StorageError(f"{self.root}: the disk that was here is gone")
        self._device = device

    def _open(self) -> sqlite3.Connection:
        connection = _connect(self.path, self._busy_timeout_s)
        try:
            version = _version(connection)
            if version == SCHEMA_VERSION:
                return connection
            if version != 0:
                connection.close()
                self._rename(f"expected version {SCHEMA_VERSION}, got {version or 'something else'}")
                connection = _connect(self.path, self._busy_timeout_s)
            _create(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_aside(self, damaged: tuple[int, int] | None, reason: str) -> None:
        with self._opening, locked(self.path.with_name(LOCK_NAME)):
            if _identity(self.path) == damaged:  # else another process was quicker
                self._rename(reason)

    def _rename(self, reason: str) -> None:
        logger.warning("the index was set aside and is rebuilt from the recordings: %s: %s", self.path, reason)
        # the journal first: beside a new file of its old name it would be taken for that one's
        for suffix in ("-wal", "-shm", ""):
            with contextlib.suppress(FileNotFoundError):
                Path(f"{self.path}{suffix}").replace(f"{self.path}{_ASIDE}{suffix}")


class _Slot:
    """One connection, its lock, and which file it has open."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.connection: sqlite3.Connection | None = None
        self.identity: tuple[int, int] | None = None

    def close(self) -> None:
        """Close the connection; what cannot be written any more is lost, the file on the disk stays as it is."""
        connection, self.connection = self.connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()


def _connect(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    # autocommit: transactions are begun here by name; one lock per connection makes it safe between threads
    connection = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        # a power cut may take the last rows along, never the file: what is missing is found again on the disk
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def _in_transaction(connection: sqlite3.Connection, work: Work[Result]) -> Result:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    return result


def _version(connection: sqlite3.Connection) -> int | None:
    """Return the version of a file of ours, 0 for an empty one, None for someone else's.

    Raises:
        ConfigurationError: It is newer than this program.
    """
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'")}
    if version > SCHEMA_VERSION:
        raise ConfigurationError(
            f"the index of the recordings has version {version}, this program knows {SCHEMA_VERSION}: use the newer "
            f"program, or delete {INDEX_NAME}, which is rebuilt"
        )
    if not names and version == 0:
        return 0
    return version if names == _TABLES and version > 0 else None


def _create(connection: sqlite3.Connection) -> None:
    connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's primary code; a row that cannot be read is damage that SQLite does not see."""
    is_ours = type(error) is sqlite3.DatabaseError and not hasattr(error, "sqlite_errorcode")
    return sqlite3.SQLITE_CORRUPT if is_ours else getattr(error, "sqlite_errorcode", sqlite3.SQLITE_MISUSE) & 0xFF


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
