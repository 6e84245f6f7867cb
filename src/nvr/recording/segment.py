"""A finished piece of a recording: one file, described by its name and size; pure."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import PurePosixPath

from nvr.core.errors import InvalidInputError
from nvr.recording.layout import SEGMENT_SUFFIX, CameraKey, HourFolder, SegmentOrigin, parse_name, refusal

MAX_DURATION_MS = 24 * 3600 * 1000
"""Segments are some seconds long; one of a day is an error, and the bound keeps queries by time quick."""

_END = re.compile(r"_(?P<duration_ms>0|[1-9][0-9]{0,8})_(?P<kind>[a-z-]{1,16})\.mp4")


class SegmentKind(StrEnum):
    """Why a segment was recorded, which decides how long it is kept."""

    CONTINUOUS = "continuous"
    EVENT = "event"
    ON_DEMAND = "on-demand"
    PROTECTED = "protected"
    """Never deleted by retention."""


DELETABLE_KINDS = (SegmentKind.CONTINUOUS, SegmentKind.EVENT, SegmentKind.ON_DEMAND)


@dataclass(frozen=True, slots=True)
class Segment:
    """One finished file.

    Raises:
        InvalidInputError: A value cannot be part of a path or is out of range.
    """

    tenant: str
    source_id: int
    start: datetime
    """Capture time of the first frame; aware UTC."""
    duration_ms: int
    kind: SegmentKind
    size_bytes: int

    def __post_init__(self) -> None:
        HourFolder(self.camera, self.start)
        if not 0 <= self.duration_ms <= MAX_DURATION_MS or self.size_bytes < 0:
            raise InvalidInputError(
                f"source {self.source_id}: expected a duration of 0 to {MAX_DURATION_MS} ms and a size >= 0, "
                f"got {self.duration_ms} ms and {self.size_bytes} bytes"
            )

    @classmethod
    def from_path(cls, path: PurePosixPath, size_bytes: int) -> "Segment":
        """Read a segment off its path.

        Args:
            path: Relative to the root.
            size_bytes: Size of the file, the only thing that its name does not say.

        Raises:
            InvalidInputError: It is not exactly what `path` spells; it may be anything, hostile too.
        """
        return cls.from_origin(*parse_name(HourFolder.parse(path.parent), path.name), size_bytes)

    @classmethod
    def from_origin(cls, origin: SegmentOrigin, end: str, size_bytes: int) -> "Segment":
        """Make a segment of what `parse_name` returned.

        Raises:
            InvalidInputError: The rest of the name is not that of a segment.
        """
        match = _END.fullmatch(end)
        if match is None:
            raise refusal(origin.path(end), "its name is not that of a finished one")
        try:
            kind = SegmentKind(match["kind"])
            return cls(origin.tenant, origin.source_id, origin.start, int(match["duration_ms"]), kind, size_bytes)
        except (ValueError, InvalidInputError) as error:
            raise refusal(origin.path(end), str(error)) from error

    @property
    def origin(self) -> SegmentOrigin:
        """Whose it is and when it began."""
        return SegmentOrigin(self.tenant, self.source_id, self.start)

    @property
    def camera(self) -> CameraKey:
        """Whose it is."""
        return CameraKey(self.tenant, self.source_id)

    @property
    def end(self) -> datetime:
        """When its last frame ends; aware UTC."""
        return self.start + timedelta(milliseconds=self.duration_ms)

    @property
    def path(self) -> PurePosixPath:
        """Where it lies, relative to the root."""
        return self.origin.path(f"_{self.duration_ms}_{self.kind}{SEGMENT_SUFFIX}")
