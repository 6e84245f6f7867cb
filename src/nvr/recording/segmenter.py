"""From a camera's packets to its files, as its plan says; what a failing disk means is left to the recorder."""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC
from pathlib import Path

from nvr.core.clock import Clock
from nvr.core.errors import InvalidInputError
from nvr.core.throttle import ThrottledLog
from nvr.media.fragment_writer import VIDEO_CODECS, playable_audio
from nvr.media.packet import MediaPacket
from nvr.media.packet_ring import PacketRing
from nvr.media.parameters import StreamParameters
from nvr.recording.disk import DiskGuard, describe
from nvr.recording.layout import SegmentOrigin
from nvr.recording.plan import Ended, PlanSettings, RecordingPlan, Step
from nvr.recording.planned_reader import PlannedReader
from nvr.recording.segment import Segment, SegmentKind
from nvr.recording.segment_file import RecordingFile, SegmentFile
from nvr.recording.segment_writer import FinishedSegment, SegmentWriter, SyncWord
from nvr.recording.tree import sync_folder

logger = logging.getLogger(__name__)

MAX_FINISHED = 64
"""Finished segments whose kind a late detection can still raise: ten minutes of them."""

CreateFile = Callable[[Path, SegmentOrigin], RecordingFile]


@dataclass(frozen=True, slots=True)
class RecorderSettings:
    """How one camera is recorded."""

    plan: PlanSettings = field(default_factory=PlanSettings)
    fragment_s: float = 0.5
    sync: SyncWord = "fragment"
    """Whether each fragment or only each finished segment is made safe against a power cut."""


@dataclass(slots=True)
class SegmentCounters:
    """What was written of a camera; one thread writes."""

    segments: int = 0
    written_bytes: int = 0
    """Of finished segments."""
    written_packets: int = 0
    refused_packets: int = 0
    """That no MP4 can hold: out of order or broken."""
    dropped_audio: int = 0
    """Packets of sound whose codec no MP4 can hold, or that came before the next key frame after a change."""
    left_behind: int = 0
    """Segments that kept their unfinished name because the disk failed; a repair mends them."""


class Segmenter:
    """Writes what the plan of one camera wants; used by one thread. Raises the OSErrors of the disk."""

    def __init__(
        self,
        source_id: int,
        ring: PacketRing,
        plan: RecordingPlan,
        *,
        root: Path,
        tenant: str,
        settings: RecorderSettings,
        clock: Clock,
        on_segment: Callable[[FinishedSegment], None],
        create_file: CreateFile = SegmentFile,
    ) -> None:
        """Prepare; the root must be there. `on_segment` takes each segment that is safe on the disk."""
        self.guard = DiskGuard(root)
        self.counters = SegmentCounters()
        self._source_id = source_id
        self._plan = plan
        self._root = root
        self._tenant = tenant
        self._settings = settings
        self._clock = clock
        self._on_segment = on_segment
        self._create_file = create_file
        self._reader = PlannedReader(ring, plan)
        self._writer: SegmentWriter | None = None
        self._unheld: StreamParameters | None = None
        self._silent_audio: StreamParameters | None = None
        self._unheld_codec: str | None = None
        self._finished: deque[tuple[Ended, FinishedSegment]] = deque(maxlen=MAX_FINISHED)
        self._trouble = ThrottledLog(logger, clock=clock)

    @property
    def is_writing(self) -> bool:
        """Whether a segment is open."""
        return self._writer is not None

    @property
    def has_written(self) -> bool:
        """Whether the open segment has something playable on the disk."""
        return self._writer is not None and self._writer.has_fragment

    @property
    def unheld_codec(self) -> str | None:
        """The codec of the video, where no MP4 can hold it."""
        return self._unheld_codec

    @property
    def lost_packets(self) -> int:
        """Wanted, but overwritten in memory before the disk took them."""
        return self._reader.lost

    def retune(self, settings: RecorderSettings) -> None:
        """Write the files to come otherwise; any thread."""
        self._settings = settings

    def write_batch(self, now_s: float) -> bool:
        """Write the next packets of the ring; True while there may be more."""
        return self._reader.read(now_s, self._handle)

    def sync(self) -> None:
        """Make what was written safe on the disk, if that is wanted before the segment's end."""
        if self._writer is not None and self._settings.sync == "fragment":
            self._writer.sync()

    def end(self, ended: Ended | None) -> None:
        """Finish the open segment that the plan has ended; where the disk fails, save what was written, and raise."""
        if ended is None or self._writer is None:
            return
        writer, self._writer = self._writer, None
        try:
            finished = writer.finish(ended.reason, lambda segment: self._kind(ended, segment))
        except OSError:
            self._rescue(writer, ended)
            raise
        self._announce(ended, writer, finished)

    def give_up(self) -> None:
        """Save what was written of the open segment; recording goes on at the next key frame. Raises nothing."""
        ended = self._plan.abandon("disk")
        writer, self._writer = self._writer, None
        if writer is not None:
            self._rescue(writer, ended or Ended("disk", is_on_demand=False, is_continuous=True))

    def raise_kinds(self) -> None:
        """Rename finished segments in whose time a detection fell that came only now."""
        for place, (ended, finished) in enumerate(tuple(self._finished)):
            old = finished.segment
            if old.kind is SegmentKind.CONTINUOUS and self._kind(ended, old) is SegmentKind.EVENT:
                new = replace(old, kind=SegmentKind.EVENT)
                try:
                    (self._root / old.path).rename(self._root / new.path)
                    sync_folder((self._root / new.path).parent)
                except FileNotFoundError:
                    continue  # deleted or protected meanwhile
                raised = replace(finished, segment=new, replaces=old)
                self._finished[place] = (ended, raised)
                self._on_segment(raised)

    def _handle(self, packet: MediaPacket, step: Step) -> None:
        if step.begins:
            self._turn_to(packet, step)
        elif step.ends is not None:
            self.end(step.ends)
        if step.writes and (packet.kind == "video" or self._takes_audio(packet)):
            self._write(packet)

    def _turn_to(self, first: MediaPacket, step: Step) -> None:
        try:
            self.end(step.ends)
            has_begun = self._begin(first)
        except OSError:
            self._plan.abandon("disk")
            self._plan.return_to(first.sequence)  # nothing of it was written: it may be once the disk is back
            raise
        if not has_begun:
            self._plan.abandon("parameters")

    def _begin(self, first: MediaPacket) -> bool:
        codec = first.parameters.codec
        self._unheld_codec = None if codec in VIDEO_CODECS else codec
        if self._unheld_codec is not None:
            return False
        try:
            origin = SegmentOrigin(self._tenant, self._source_id, first.captured_at.astimezone(UTC))
        except InvalidInputError as error:
            self._refuse(error)
            return False
        audio = self._reader.audio
        if audio is not None and (audio == self._silent_audio or not playable_audio(audio)):
            audio = None
        self.guard.check()
        file = self._create_file(self._root, origin)
        self._writer = SegmentWriter(file, first, audio, fragment_s=self._settings.fragment_s)
        return True

    def _write(self, packet: MediaPacket) -> None:
        writer = self._writer
        if writer is None:
            return
        try:
            writer.write(packet)
        except InvalidInputError as error:
            self._refuse(error)
            if not writer.bytes_written:  # the file could not even be begun: the next key frame may do
                self.end(self._plan.abandon("parameters"))
            return
        self.counters.written_packets += 1

    def _refuse(self, error: InvalidInputError) -> None:
        self.counters.refused_packets += 1
        self._trouble.report(f"camera {self._source_id}: {error}")

    def _takes_audio(self, packet: MediaPacket) -> bool:
        writer, parameters = self._writer, packet.parameters
        if writer is not None and (parameters is writer.audio or parameters == writer.audio):
            return True
        self.counters.dropped_audio += 1
        if playable_audio(parameters):
            self._silent_audio = None
            self._plan.cut_at_key_frame()
        elif parameters != self._unheld:
            self._unheld = parameters
            logger.warning("camera %d: its sound is not recorded: no MP4 holds %s", self._source_id, parameters.codec)
        return False

    def _rescue(self, writer: SegmentWriter, ended: Ended) -> None:
        try:
            finished = writer.rescue("disk", lambda segment: self._kind(ended, segment))
        except OSError as error:
            self.counters.left_behind += 1
            self._trouble.report(f"camera {self._source_id}: an unfinished segment is left behind: {describe(error)}")
            writer.leave()
            return
        if finished is None:
            self._plan.return_to(writer.first_sequence)
        self._announce(ended, writer, finished)

    def _announce(self, ended: Ended, writer: SegmentWriter, finished: FinishedSegment | None) -> None:
        if finished is None:
            return
        # a camera whose sound has ended: without it the next file holds no empty track
        self._silent_audio = None if writer.has_audio else writer.audio
        self.counters.segments += 1
        self.counters.written_bytes += finished.segment.size_bytes
        self._finished.append((ended, finished))
        self._on_segment(finished)

    def _kind(self, ended: Ended, segment: Segment) -> SegmentKind:
        return SegmentKind(self._plan.kind(ended, segment.start, segment.end))
