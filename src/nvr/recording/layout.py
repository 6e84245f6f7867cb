"""Where a recording lies: `{tenant}/{source_id}/{YYYY}/{MM}/{DD}/{HH}/{start}…` below the root; pure.

A name says all that is known of a file, so that names alone suffice to rebuild the index. There is one spelling of
each: what is not spelt exactly so is not ours.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath

from nvr.core.errors import InvalidInputError
from nvr.core.names import is_name

DEFAULT_TENANT = "default"
"""Folder of the tenant without a name."""

INDEX_NAME = "index.sqlite"
OWN_PREFIX = "index."
"""Files of this package directly below the root begin so, and no tenant's folder may."""

SEGMENT_SUFFIX = ".mp4"
RECORDING_SUFFIX = ".recording"
"""Of a file that is still written; fragmented MP4 all the same, yet nobody must take it for a whole one."""
BROKEN_SUFFIX = ".broken"
"""Of an unfinished file out of which nothing playable could be made."""

MAX_SOURCE_ID = 2**63 - 1
FIRST_YEAR, LAST_YEAR = 1970, 9998
"""The end of a segment must still be a date."""

_NAME = re.compile(r"(?P<start>[0-9]{8}T[0-9]{6}\.[0-9]{6}Z)(?P<details>[0-9a-z_-]{0,40})(?P<suffix>\.[0-9a-z]{1,16})")
_SOURCE_ID = re.compile(r"0|[1-9][0-9]{0,18}")
_PARTS = 7
_QUOTED_AT_MOST = 160


@dataclass(frozen=True, slots=True)
class SegmentOrigin:
    """Whose recording began when: all that is known while a file is written.

    Raises:
        InvalidInputError: A value cannot be part of a path.
    """

    tenant: str
    source_id: int
    start: datetime
    """Capture time of the first frame; aware UTC."""

    def __post_init__(self) -> None:
        if not is_tenant_folder(self.tenant):
            raise InvalidInputError(f"{self.tenant[:_QUOTED_AT_MOST]!r} cannot be the folder of a tenant's recordings")
        if not 0 <= self.source_id <= MAX_SOURCE_ID:
            raise InvalidInputError(f"expected a source id of 0 to {MAX_SOURCE_ID}, got {self.source_id}")
        if self.start.tzinfo is not UTC or not FIRST_YEAR <= self.start.year <= LAST_YEAR:
            raise InvalidInputError(
                f"source {self.source_id}: expected a start in UTC from {FIRST_YEAR} to {LAST_YEAR}, got {self.start!r}"
            )

    @property
    def hour(self) -> datetime:
        """The full hour in which the recording began."""
        return self.start.replace(minute=0, second=0, microsecond=0)

    @property
    def folder(self) -> PurePosixPath:
        """The folder of the hour, relative to the root."""
        start = self.start
        return camera_folder(self.tenant, self.source_id) / (
            f"{start.year:04}/{start.month:02}/{start.day:02}/{start.hour:02}"
        )

    @property
    def stem(self) -> str:
        """The start as `YYYYMMDDTHHMMSS.ffffffZ`, with which every name begins."""
        start = self.start
        return (
            f"{start.year:04}{start.month:02}{start.day:02}"
            f"T{start.hour:02}{start.minute:02}{start.second:02}.{start.microsecond:06}Z"
        )

    @property
    def recording_path(self) -> PurePosixPath:
        """Where it lies while it is written, relative to the root."""
        return self.folder / f"{self.stem}{RECORDING_SUFFIX}"

    def broken_path(self, number: int = 1) -> PurePosixPath:
        """Where it is set aside, relative to the root; higher numbers where the first names are taken."""
        return self.folder / f"{self.stem}{'' if number == 1 else f'_{number}'}{BROKEN_SUFFIX}"


@dataclass(frozen=True, slots=True)
class ParsedPath:
    """A path taken apart; `details` and `suffix` are as they stand, see `Segment.from_path` for those of segments."""

    origin: SegmentOrigin
    details: str
    suffix: str


def camera_folder(tenant: str, source_id: int) -> PurePosixPath:
    """Return the folder of all recordings of one camera, relative to the root."""
    return PurePosixPath(tenant, str(source_id))


def is_tenant_folder(name: str) -> bool:
    """Tell whether a folder directly below the root may be a tenant's."""
    return is_name(name) and not name.startswith(OWN_PREFIX)


def parse_source_id(text: str) -> int | None:
    """Return the source id that names a camera's folder; None where the name is none."""
    if _SOURCE_ID.fullmatch(text) is None or int(text) > MAX_SOURCE_ID:
        return None
    return int(text)


def parse_path(path: PurePosixPath) -> ParsedPath:
    """Take the path of a file apart, finished or not.

    Args:
        path: Relative to the root.

    Raises:
        InvalidInputError: It is not exactly what this module spells; it may be anything, hostile too.
    """
    parts = path.parts
    if len(parts) != _PARTS:
        raise refusal(path, f"expected {_PARTS} parts, got {len(parts)}")
    tenant, source_text, *_, name = parts
    match = _NAME.fullmatch(name)
    source_id = parse_source_id(source_text)
    if match is None or source_id is None or not is_tenant_folder(tenant):
        raise refusal(path, "not spelt like one")
    try:
        origin = SegmentOrigin(tenant, source_id, datetime.fromisoformat(match["start"]))
    except (ValueError, InvalidInputError) as error:
        raise refusal(path, str(error)) from error
    if origin.stem != match["start"]:  # Python 3.13 reads T24 as the next day
        raise refusal(path, f"its start is spelt {origin.stem}")
    if origin.folder != path.parent:
        raise refusal(path, f"its start belongs into {origin.folder}")
    return ParsedPath(origin, match["details"], match["suffix"])


def refusal(path: PurePosixPath, reason: str) -> InvalidInputError:
    """Return the error for a path that is not ours."""
    return InvalidInputError(f"{str(path)[:_QUOTED_AT_MOST]!r} is no recording: {reason}")


def microseconds(moment: datetime) -> int:
    """Return an aware time as whole microseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_microseconds(since_1970: int) -> datetime:
    """Return the time of `microseconds` in UTC."""
    return _EPOCH + timedelta(microseconds=since_1970)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
