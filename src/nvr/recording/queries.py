"""The SQL of the index: rows to segments and back, and which rows a question is about."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from nvr.core.errors import InvalidInputError
from nvr.recording.layout import from_microseconds, microseconds
from nvr.recording.segment import Segment, SegmentKind

Place: TypeAlias = tuple[int, str, int, int, str]
Value: TypeAlias = str | int

_ROW = "tenant, source_id, start_us, duration_ms, kind, size_bytes"
_ORDER = "start_us, tenant, source_id, duration_ms"
_REVERSED = "start_us DESC, tenant DESC, source_id DESC, duration_ms DESC"
_SAME = "tenant = ? AND source_id = ? AND kind = ? AND start_us = ? AND duration_ms = ?"


@dataclass(frozen=True, slots=True)
class Question:
    """Which rows are asked for, apart from their kind: the rows of a kind are one range of an index."""

    tenant: str | None = None
    source_id: int | None = None
    begins_from: int | None = None
    """In microseconds, as are the two below."""
    begins_before: int | None = None
    ends_after: int | None = None
    after: Place | None = None
    """Only what follows this one."""

    def rows_of(
        self, connection: sqlite3.Connection, kind: SegmentKind, limit: int = -1, *, newest_first: bool = False
    ) -> list[Segment]:
        """Return the segments of one kind in order."""
        where, values = self._where(kind)
        order = _REVERSED if newest_first else _ORDER
        query = f"SELECT {_ROW} FROM segments WHERE {where} ORDER BY {order} LIMIT ?"  # noqa: S608 - constant
        return [_segment(row) for row in connection.execute(query, [*values, limit])]

    def sums_of(
        self, connection: sqlite3.Connection, kind: SegmentKind
    ) -> tuple[int, int, int, int | None, int | None]:
        """Return number, milliseconds, bytes, first start and last end of the segments of one kind."""
        where, values = self._where(kind)
        query = (
            "SELECT count(*), ifnull(sum(duration_ms), 0), ifnull(sum(size_bytes), 0), "  # noqa: S608 - constant
            f"min(start_us), max(start_us + duration_ms * 1000) FROM segments WHERE {where}"
        )
        segments, duration_ms, size_bytes, start_us, end_us = connection.execute(query, values).fetchone()
        return segments, duration_ms, size_bytes, start_us, end_us

    def _where(self, kind: SegmentKind) -> tuple[str, list[Value]]:
        terms: list[str] = ["kind = ?"]
        values: list[Value] = [kind]
        for term, value in (
            ("tenant = ?", self.tenant),
            ("source_id = ?", self.source_id),
            ("start_us >= ?", self.begins_from),
            ("start_us < ?", self.begins_before),
            ("start_us + duration_ms * 1000 > ?", self.ends_after),
        ):
            if value is not None:
                terms.append(term)
                values.append(value)
        if self.after is not None:
            terms.append(f"({_ORDER}) {'>=' if kind > self.after[-1] else '>'} (?, ?, ?, ?)")
            values += self.after[:-1]
        return " AND ".join(terms), values


def insert(connection: sqlite3.Connection, segments: Iterable[Segment]) -> None:
    """Add segments; those that are there get the new size."""
    connection.executemany(
        f"INSERT INTO segments ({_ROW}) VALUES (?, ?, ?, ?, ?, ?) "  # noqa: S608 - constant
        "ON CONFLICT DO UPDATE SET size_bytes = excluded.size_bytes",
        [_row(segment) for segment in segments],
    )


def delete(connection: sqlite3.Connection, segments: Iterable[Segment]) -> None:
    """Remove segments, whatever their sizes."""
    keys = [
        (segment.tenant, segment.source_id, segment.kind.value, microseconds(segment.start), segment.duration_ms)
        for segment in segments
    ]
    connection.executemany(f"DELETE FROM segments WHERE {_SAME}", keys)  # noqa: S608 - constant


def fact(connection: sqlite3.Connection, name: str) -> int:
    """Return one of the numbers that the index keeps about itself."""
    return int(connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()[0])


def place_of(segment: Segment) -> Place:
    """Return what segments are ordered by."""
    return microseconds(segment.start), segment.tenant, segment.source_id, segment.duration_ms, segment.kind


def _segment(row: tuple[str, int, int, int, str, int]) -> Segment:
    tenant, source_id, start_us, duration_ms, kind, size_bytes = row
    try:
        return Segment(tenant, source_id, from_microseconds(start_us), duration_ms, SegmentKind(kind), size_bytes)
    except (ValueError, OverflowError, InvalidInputError) as error:
        raise sqlite3.DatabaseError(f"a row is no segment: {error}") from error


def _row(segment: Segment) -> tuple[Value, ...]:
    return (
        segment.tenant,
        segment.source_id,
        microseconds(segment.start),
        segment.duration_ms,
        segment.kind.value,
        segment.size_bytes,
    )
