"""One segment while it is written: packets in, fragments to the file, a finished or rescued segment out."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from nvr.core.errors import InvalidInputError
from nvr.events.recording_event import EndReason
from nvr.events.schema import TimestampSource
from nvr.media.fragment_writer import FragmentWriter
from nvr.media.packet import MediaPacket
from nvr.media.parameters import StreamParameters
from nvr.recording.segment import MAX_DURATION_MS, Segment, SegmentKind
from nvr.recording.segment_file import RecordingFile

SyncWord = Literal["fragment", "segment"]

ChooseKind = Callable[[Segment], SegmentKind]
"""Says the kind of a segment whose time is known; given it as `continuous`."""


@dataclass(frozen=True, slots=True)
class FinishedSegment:
    """A segment on the disk, and what its name does not say."""

    segment: Segment
    video: StreamParameters
    has_audio: bool
    timestamp_source: TimestampSource
    end_reason: EndReason
    replaces: Segment | None = None
    """As what the same file was announced before its kind rose."""


class SegmentWriter:
    """Writes one segment; used by one thread."""

    def __init__(
        self, file: RecordingFile, first: MediaPacket, audio: StreamParameters | None, *, fragment_s: float
    ) -> None:
        """Take a new file, which is closed by `finish` or `rescue`.

        Args:
            file: Empty.
            first: A key frame; not written yet.
            audio: What sound is to be kept; None for none.
            fragment_s: Length of a fragment, the most that a crash can lose.

        Raises:
            UnsupportedError: MP4 cannot hold the video.
        """
        self._file = file
        self._writer = FragmentWriter(file, first.parameters, audio, fragment_s=fragment_s)
        self._first = first
        self.audio = audio
        self._has_audio = False
        self._synced_bytes = 0
        self._safe_end_s = 0.0
        self._is_torn = False

    @property
    def bytes_written(self) -> int:
        """Bytes that the file took."""
        return self._writer.bytes_written

    @property
    def has_fragment(self) -> bool:
        """Whether something playable has been written."""
        return self._safe_end_s > 0

    @property
    def first_sequence(self) -> int:
        """Of its first packet."""
        return self._first.sequence

    @property
    def has_audio(self) -> bool:
        """Whether sound came."""
        return self._has_audio

    def write(self, packet: MediaPacket) -> None:
        """Add a packet.

        Raises:
            OSError: The disk's; `rescue` is all that is left to do.
            InvalidInputError: This packet cannot be kept, the next may be.
        """
        writer = self._writer
        before_s, before_bytes = writer.media_end_s, writer.bytes_written
        try:
            writer.write(packet)
        except OSError:
            self._is_torn = True
            raise
        if writer.bytes_written != before_bytes:
            # a fragment is written when the first packet of the next one comes
            self._safe_end_s = before_s
        if packet.kind == "audio":
            self._has_audio = True

    def sync(self) -> None:
        """Make what was written since the last time safe on the disk; raises OSError."""
        if self._writer.bytes_written != self._synced_bytes:
            self._file.sync()
            self._synced_bytes = self._writer.bytes_written

    def finish(self, reason: EndReason, choose_kind: ChooseKind) -> FinishedSegment | None:
        """Write the last fragment and publish the file; None where nothing was ever written.

        Raises:
            OSError: The disk's; `rescue` may save what was written.
        """
        self._close()
        return self._publish(reason, choose_kind)

    def rescue(self, reason: EndReason, choose_kind: ChooseKind) -> FinishedSegment | None:
        """Cut the file back to its last whole fragment and publish it; None where there is none.

        Raises:
            OSError: The disk's; the file stays as it is, for a repair once the disk is back.
        """
        with suppress(OSError):  # the disk failed before, and may again
            self._close()
        if self._safe_end_s > 0:
            self._file.truncate(self._writer.bytes_written)
        return self._publish(reason, choose_kind)

    def leave(self) -> None:
        """Close the file under its unfinished name; raises nothing."""
        self._file.close()

    def _close(self) -> None:
        try:
            self._writer.close()
        except OSError:
            self._is_torn = True
            raise
        except InvalidInputError:
            return  # its last packets cannot be kept: what lies before them can
        if not self._is_torn:
            self._safe_end_s = self._writer.media_end_s

    def _publish(self, reason: EndReason, choose_kind: ChooseKind) -> FinishedSegment | None:
        duration_ms = min(round(self._safe_end_s * 1000), MAX_DURATION_MS)
        if duration_ms <= 0:
            self._file.discard()
            return None
        origin = self._file.origin
        size_bytes = self._writer.bytes_written
        segment = Segment(
            origin.tenant, origin.source_id, origin.start, duration_ms, SegmentKind.CONTINUOUS, size_bytes
        )
        segment = Segment(origin.tenant, origin.source_id, origin.start, duration_ms, choose_kind(segment), size_bytes)
        self._file.publish(segment)
        return FinishedSegment(segment, self._first.parameters, self._has_audio, self._first.timestamp_source, reason)
