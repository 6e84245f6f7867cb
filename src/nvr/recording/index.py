"""Which segments there are, quickly: a cache in SQLite of what the files' names say.

Files go first: a segment is added after its file has its name, and removed after its file is gone. So a crash leaves
at most a row without a file, which the next deletion or a look at the folder mends, or a file without a row, which
`nvr.recording.reindex` finds. Reading the tree and deleting files is left to others.
"""

import heapq
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from nvr.recording.database import BUSY_TIMEOUT_S, IndexDatabase
from nvr.recording.layout import INDEX_NAME, CameraKey, from_microseconds, microseconds
from nvr.recording.queries import Question, delete, fact, insert, place_of
from nvr.recording.segment import Segment, SegmentKind

_FIRST_PAGE, _LAST_PAGE = 4, 1024
_HOUR_US = 3600 * 10**6


@dataclass(frozen=True, slots=True)
class Total:
    """How much there is of something."""

    segments: int = 0
    duration_ms: int = 0
    size_bytes: int = 0

    def __add__(self, other: "Total") -> "Total":
        return Total(
            self.segments + other.segments, self.duration_ms + other.duration_ms, self.size_bytes + other.size_bytes
        )


@dataclass(frozen=True, slots=True)
class Summary:
    """How much there is of something, and from when to when."""

    total: Total
    first_start: datetime
    last_end: datetime


class SegmentIndex:
    """All finished segments below a root; may be used by any thread, and by several processes at once.

    Every method raises StorageError where the file cannot be used for now: disk full, read-only, gone, or another
    process keeps it busy. A damaged file is set aside with a warning, and an empty one begun: see `is_complete`.
    """

    def __init__(self, root: Path, *, path: Path | None = None, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        """Open the index of a root, or begin an empty one.

        Args:
            root: Folder of the recordings; it must be there, for its disk may not be mounted yet.
            path: The file, where it cannot lie in the root: a disk that is read-only, a network drive.
            busy_timeout_s: How long to wait for another process's transaction.

        Raises:
            StorageError: The root is not there, or the file cannot be opened or made.
            ConfigurationError: The file was written by a newer version of this program.
        """
        self._database = IndexDatabase(root, path or root / INDEX_NAME, busy_timeout_s)

    @property
    def root(self) -> Path:
        """The folder of the recordings."""
        return self._database.root

    @property
    def path(self) -> Path:
        """The file of the index."""
        return self._database.path

    @property
    def is_complete(self) -> bool:
        """Whether all that lies on the disk has been read in since the file was made; false until a reindex ends."""
        return bool(self._database.read(lambda connection: fact(connection, "is_complete")))

    def mark_complete(self) -> None:
        """Note that all that lies on the disk has been read in."""
        self._database.write(
            lambda connection: connection.execute("UPDATE facts SET value = 1 WHERE name = 'is_complete'")
        )

    def renew_reserve(self) -> None:
        """Hold back a little room again that a full disk has used up; raises nothing."""
        self._database.reserve.renew()

    def add(self, segment: Segment) -> None:
        """Add a segment whose file is in place and safe on the disk; one that is there already gets the new size."""
        self.add_all([segment])

    def add_all(self, segments: Iterable[Segment]) -> None:
        """Add several segments at once, all or none."""
        added = list(segments)
        self._database.write(lambda connection: insert(connection, added))

    def remove(self, segment: Segment) -> None:
        """Remove a segment whose file is gone; one that is not there is no error."""
        self.remove_all([segment])

    def remove_all(self, segments: Iterable[Segment]) -> None:
        """Remove several segments at once, all or none."""
        removed = list(segments)
        self._database.write(lambda connection: delete(connection, removed))

    def replace(self, old: Segment, new: Segment) -> None:
        """Put a segment in another's place whose file was renamed, all at once."""

        def work(connection: sqlite3.Connection) -> None:
            delete(connection, [old])
            insert(connection, [new])

        self._database.write(work)

    def find(
        self,
        tenant: str | None = None,
        source_id: int | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        kinds: Collection[SegmentKind] | None = None,
    ) -> list[Segment]:
        """Return the segments of which some part lies in [start, end), ordered by start; None means all."""

        def work(connection: sqlite3.Connection) -> list[Segment]:
            question = _reaching_into(connection, tenant, source_id, start, end)
            return list(
                heapq.merge(*(question.rows_of(connection, kind) for kind in kinds or SegmentKind), key=place_of)
            )

        return self._database.read(work)

    def newest(
        self,
        tenant: str | None = None,
        source_id: int | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        kinds: Collection[SegmentKind] | None = None,
        *,
        limit: int,
    ) -> list[Segment]:
        """Return the last ones, at most `limit`, of what `find` returns, in the same order."""

        def work(connection: sqlite3.Connection) -> list[Segment]:
            question = _reaching_into(connection, tenant, source_id, start, end)
            found = [
                segment
                for kind in kinds or SegmentKind
                for segment in question.rows_of(connection, kind, limit, newest_first=True)
            ]
            return sorted(found, key=place_of)[-limit:]

        return self._database.read(work) if limit > 0 else []

    def summarise(
        self,
        tenant: str | None = None,
        source_id: int | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        kinds: Collection[SegmentKind] | None = None,
    ) -> Mapping[SegmentKind, Summary]:
        """Return how much there is of each kind in what `find` returns; kinds of which there is none are left out."""

        def work(connection: sqlite3.Connection) -> Mapping[SegmentKind, Summary]:
            question = _reaching_into(connection, tenant, source_id, start, end)
            sums = {kind: question.sums_of(connection, kind) for kind in kinds or SegmentKind}
            return {
                kind: Summary(
                    Total(segments, duration_ms, size_bytes), from_microseconds(first), from_microseconds(last)
                )
                for kind, (segments, duration_ms, size_bytes, first, last) in sums.items()
                if first is not None and last is not None
            }

        return self._database.read(work)

    def oldest(
        self,
        tenant: str | None = None,
        source_id: int | None = None,
        kinds: Collection[SegmentKind] | None = None,
        *,
        limit: int = 1,
        after: Segment | None = None,
    ) -> list[Segment]:
        """Return the oldest segments by their start, at most `limit`, those that follow `after` if it is given."""
        question = Question(tenant, source_id, after=None if after is None else place_of(after))

        def work(connection: sqlite3.Connection) -> list[Segment]:
            found = [question.rows_of(connection, kind, limit) for kind in kinds or SegmentKind]
            return list(heapq.merge(*found, key=place_of))[:limit]

        return self._database.read(work)

    def oldest_first(
        self,
        tenant: str | None = None,
        source_id: int | None = None,
        kinds: Collection[SegmentKind] | None = None,
    ) -> Iterator[Segment]:
        """Yield all segments by their start, read page by page: neither memory nor a transaction grows with them."""
        limit = _FIRST_PAGE
        page = self.oldest(tenant, source_id, kinds, limit=limit)
        while page:
            yield from page
            is_last = len(page) < limit
            limit = min(4 * limit, _LAST_PAGE)  # most callers stop at the first
            page = [] if is_last else self.oldest(tenant, source_id, kinds, limit=limit, after=page[-1])

    def totals(self, tenant: str | None = None) -> Mapping[tuple[CameraKey, SegmentKind], Total]:
        """Return how much there is of each camera and kind."""
        where, values = ("WHERE tenant = ?", (tenant,)) if tenant is not None else ("", ())
        rows = self._database.read(
            lambda connection: connection.execute(
                "SELECT tenant, source_id, kind, sum(segments), sum(duration_ms), sum(size_bytes) "  # noqa: S608 - constant
                f"FROM days {where} GROUP BY tenant, source_id, kind",
                values,
            ).fetchall()
        )
        return {
            (CameraKey(tenant, source_id), SegmentKind(kind)): Total(segments, duration_ms, size_bytes)
            for tenant, source_id, kind, segments, duration_ms, size_bytes in rows
        }

    def cameras(self) -> list[CameraKey]:
        """Return every camera that has a segment."""
        rows = self._database.read(
            lambda connection: connection.execute("SELECT DISTINCT tenant, source_id FROM days").fetchall()
        )
        return [CameraKey(tenant, source_id) for tenant, source_id in rows]

    def hours(self, camera: CameraKey) -> list[datetime]:
        """Return the full hours in which a camera's segments begin, the newest first."""
        query = (
            f"SELECT DISTINCT start_us / {_HOUR_US} FROM segments "  # noqa: S608 - constant
            "WHERE tenant = ? AND source_id = ? ORDER BY 1 DESC"
        )
        values = (camera.tenant, camera.source_id)
        rows = self._database.read(lambda connection: connection.execute(query, values).fetchall())
        return [from_microseconds(hour * _HOUR_US) for (hour,) in rows]

    def total_bytes(
        self,
        tenant: str | None = None,
        source_id: int | None = None,
        kinds: Collection[SegmentKind] | None = None,
    ) -> int:
        """Return the bytes of all segments of a tenant, camera and kinds; None means all."""
        return sum(
            total.size_bytes
            for (camera, kind), total in self.totals(tenant).items()
            if source_id in {None, camera.source_id} and (kinds is None or kind in kinds)
        )

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _reaching_into(
    connection: sqlite3.Connection,
    tenant: str | None,
    source_id: int | None,
    start: datetime | None,
    end: datetime | None,
) -> Question:
    """Return the question for what has some part in [start, end)."""
    begins_before = None if end is None else microseconds(end)
    if start is None:
        return Question(tenant, source_id, begins_before=begins_before)
    start_us = microseconds(start)
    # no segment is longer than the longest, so those before that need not be looked at
    begins_from = start_us - 1000 * fact(connection, "longest_ms")
    return Question(tenant, source_id, begins_from, begins_before, ends_after=start_us)
