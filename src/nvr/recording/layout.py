"""Where a recording lies: `{tenant}/{source_id}/{YYYY}/{MM}/{DD}/{HH}/{start}…` below the root; pure.

A name says all that is known of a file, so that names alone suffice to rebuild the index. There is one spelling of
each: what is not spelt exactly so is not ours.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath

from nvr.core.errors import InvalidInputError
from nvr.core.names import DEFAULT_TENANT_FOLDER, is_name

DEFAULT_TENANT = DEFAULT_TENANT_FOLDER
"""Folder of the tenant without a name."""

INDEX_NAME = "index.sqlite"
OWN_PREFIX = "index."
"""Files of this package directly below the root begin so, and no tenant's folder may."""

SEGMENT_SUFFIX = ".mp4"
RECORDING_SUFFIX = ".recording"
"""Of a file that is still written; fragmented MP4 all the same, yet nobody must take it for a whole one."""
BROKEN_SUFFIX = ".broken"
"""Of an unfinished file out of which nothing playable could be made."""
SNAPSHOT_END = "_snapshot.jpg"
"""Of a picture that was taken of an event."""

MAX_SOURCE_ID = 2**63 - 1
FIRST_YEAR, LAST_YEAR = 1970, 9998
"""The end of a segment must still be a date."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAME = re.compile(r"(?P<start>[0-9]{8}T[0-9]{6}\.[0-9]{6}Z)(?P<end>[0-9a-z_-]{0,40}\.[0-9a-z]{1,16})")
_FOLDER = re.compile(r"(?P<tenant>[^/]+)/(?P<source_id>[0-9]+)/(?P<day>[0-9]{4}/[0-9]{2}/[0-9]{2})/(?P<hour>[0-9]{2})")
_SOURCE_ID = re.compile(r"0|[1-9][0-9]{0,18}")
_BROKEN_END = re.compile(r"(_[1-9][0-9]{0,3})?\.broken")
_QUOTED_AT_MOST = 160


@dataclass(frozen=True, slots=True, order=True)
class CameraKey:
    """A camera among those of all tenants."""

    tenant: str
    source_id: int

    def __str__(self) -> str:
        return f"{self.tenant}/{self.source_id}"

    @property
    def folder(self) -> PurePosixPath:
        """The folder of all its recordings, relative to the root."""
        return PurePosixPath(str(self))


@dataclass(frozen=True, slots=True)
class HourFolder:
    """The folder of what one camera began to record within one hour.

    Raises:
        InvalidInputError: A value cannot be part of a path.
    """

    camera: CameraKey
    hour: datetime
    """The full hour; aware UTC."""

    def __post_init__(self) -> None:
        tenant, source_id, hour = self.camera.tenant, self.camera.source_id, self.hour
        if not is_tenant_folder(tenant):
            raise InvalidInputError(f"{tenant[:_QUOTED_AT_MOST]!r} cannot be the folder of a tenant's recordings")
        if not 0 <= source_id <= MAX_SOURCE_ID:
            raise InvalidInputError(f"expected a source id of 0 to {MAX_SOURCE_ID}, got {source_id}")
        if hour.tzinfo is not UTC or not FIRST_YEAR <= hour.year <= LAST_YEAR:
            raise InvalidInputError(
                f"source {source_id}: expected a time in UTC from {FIRST_YEAR} to {LAST_YEAR}, got {hour!r}"
            )

    @classmethod
    def parse(cls, path: PurePosixPath) -> "HourFolder":
        """Read it off a path that is relative to the root.

        Raises:
            InvalidInputError: It is not exactly what `path` spells; it may be anything, hostile too.
        """
        text = str(path)
        match = _FOLDER.fullmatch(text)
        source_id = None if match is None else parse_source_id(match["source_id"])
        if match is None or source_id is None:
            raise refusal(path, "its folder is not spelt like one")
        try:
            hour = datetime.fromisoformat(f"{match['day'].replace('/', '')}T{match['hour']}Z")
            folder = cls(CameraKey(match["tenant"], source_id), hour)
        except (ValueError, InvalidInputError) as error:
            raise refusal(path, str(error)) from error
        if str(folder.path) != text:  # Python 3.13 reads T24 as the next day
            raise refusal(path, f"its folder is spelt {folder.path}")
        return folder

    @property
    def path(self) -> PurePosixPath:
        """Where it is, relative to the root."""
        hour = self.hour
        return PurePosixPath(f"{self.camera}/{hour.year:04}/{hour.month:02}/{hour.day:02}/{hour.hour:02}")


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
        HourFolder(CameraKey(self.tenant, self.source_id), self.start)

    @property
    def camera(self) -> CameraKey:
        """Whose it is."""
        return CameraKey(self.tenant, self.source_id)

    @property
    def folder(self) -> HourFolder:
        """The folder in which it lies."""
        return HourFolder(self.camera, full_hour(self.start))

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
        return self.path(RECORDING_SUFFIX)

    @property
    def snapshot_path(self) -> PurePosixPath:
        """Where a picture taken at this time lies, relative to the root."""
        return self.path(SNAPSHOT_END)

    def broken_path(self, number: int = 1) -> PurePosixPath:
        """Where it is set aside, relative to the root; higher numbers where the first names are taken."""
        return self.path(f"{'' if number == 1 else f'_{number}'}{BROKEN_SUFFIX}")

    def path(self, end: str) -> PurePosixPath:
        """Return the path, relative to the root, of the file whose name ends so."""
        return self.folder.path / f"{self.stem}{end}"


def parse_name(folder: HourFolder, name: str) -> tuple[SegmentOrigin, str]:
    """Return the origin that a file's name begins with and the rest of the name, which may still be anything.

    Raises:
        InvalidInputError: The name does not begin with a start, or with one of another hour.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise refusal(folder.path / name, "its name is not spelt like one")
    try:
        origin = SegmentOrigin(folder.camera.tenant, folder.camera.source_id, datetime.fromisoformat(match["start"]))
    except (ValueError, InvalidInputError) as error:
        raise refusal(folder.path / name, str(error)) from error
    if origin.stem != match["start"] or full_hour(origin.start) != folder.hour:
        raise refusal(folder.path / name, f"its start belongs into {origin.folder.path}")
    return origin, match["end"]


def is_tenant_folder(name: str) -> bool:
    """Tell whether a folder directly below the root may be a tenant's."""
    return is_name(name) and not name.startswith(OWN_PREFIX)


def is_broken_end(end: str) -> bool:
    """Tell whether the rest of a name is that of a file set aside."""
    return _BROKEN_END.fullmatch(end) is not None


def parse_source_id(text: str) -> int | None:
    """Return the source id that names a camera's folder; None where the name is none."""
    if _SOURCE_ID.fullmatch(text) is None or int(text) > MAX_SOURCE_ID:
        return None
    return int(text)


def full_hour(moment: datetime) -> datetime:
    """Return the full hour in which a time lies."""
    return moment.replace(minute=0, second=0, microsecond=0)


def refusal(path: PurePosixPath, reason: str) -> InvalidInputError:
    """Return the error for a path that is not ours."""
    return InvalidInputError(f"{str(path)[:_QUOTED_AT_MOST]!r} is no recording: {reason}")


def microseconds(moment: datetime) -> int:
    """Return an aware time as whole microseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_microseconds(since_1970: int) -> datetime:
    """Return the time of `microseconds` in UTC."""
    return _EPOCH + timedelta(microseconds=since_1970)
