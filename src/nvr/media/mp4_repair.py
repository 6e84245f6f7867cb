"""Whether a recorded MP4 is whole, and the end of one that was being written when the machine stopped.

Both walk over the boxes of the file, with bounded memory and whatever its bytes are. What becomes of a file that cannot
be repaired is the recorder's to decide.
"""

import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import av
from av.video.codeccontext import VideoCodecContext

from nvr.core.errors import InvalidInputError
from nvr.media.mp4_boxes import HEADER_BYTES, Box, Mp4Header, box_at, printable, read_fragment, read_header

MAX_HEADER_BYTES = 16 << 20
"""The largest `moov` or `moof` that is read: an hour of pictures at 25 a second has 2 MB."""
MAX_BOXES = 100_000
"""Six hours of fragments of half a second have fewer."""
MAX_DURATION_MS = 366 * 86_400_000

_SCAN_BYTES = 1 << 20
_MAX_CANDIDATES = 64
_FRAGMENT = re.compile(rb"moof\x00\x00\x00\x10mfhd")


@dataclass(frozen=True, slots=True)
class Mp4Check:
    """What is known of a file; the numbers count up to the first problem."""

    is_playable: bool
    """From its beginning to its end."""
    duration_ms: int
    """Where the last picture ends."""
    codec: str
    """Of the video, by FFmpeg's name; empty where the header cannot be read."""
    width_px: int
    height_px: int
    video_frames: int
    size_bytes: int
    problem: str | None
    """The first one, for a person; None where it is playable."""


@dataclass(frozen=True, slots=True)
class RepairedMp4:
    """A file that plays to its end now."""

    duration_ms: int
    size_bytes: int
    removed_bytes: int
    """Behind the last whole fragment; 0 where nothing was to be repaired."""
    covered_bytes: int
    """Damage between whole fragments, which players skip now."""
    codec: str
    width_px: int
    height_px: int
    video_frames: int


def check(path: Path, *, deep: bool = False) -> Mp4Check:
    """Tell whether a file plays to its end.

    Args:
        path: Any MP4, fragmented or not.
        deep: Decode every picture as well, which takes as long as decoding takes.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        survey = _Survey(file)
        survey.walk()
    problem, frames = survey.problem, survey.video_frames
    if problem is None and deep:
        problem, frames = _decode(path, frames)
    video = survey.header.video if survey.header is not None else None
    return Mp4Check(
        is_playable=problem is None,
        duration_ms=survey.duration_ms,
        codec=video.codec if video else "",
        width_px=video.width_px if video else 0,
        height_px=video.height_px if video else 0,
        video_frames=frames,
        size_bytes=survey.size_bytes,
        problem=problem,
    )


def repair(path: Path) -> RepairedMp4 | None:
    """Make a fragmented file that was not finished playable to its end; None where no fragment with a picture is whole.

    Works in place, so that a full disk does not prevent it: what follows the last whole fragment is cut off, damage
    between whole ones becomes a box that players skip. No whole fragment is touched, and the file is synced. Doing it
    again, or after a crash in the middle of it, gives the same.

    Raises:
        OSError: The file cannot be read or written.
    """
    with path.open("r+b") as file:
        survey = _Survey(file)
        survey.walk(past_damage=True)
        header = survey.header
        if header is None or header.video is None or not header.is_fragmented or not survey.video_frames:
            return None
        for start, end in survey.gaps:
            file.seek(start)
            file.write(_free_box_header(end - start))
        if survey.end < survey.size_bytes:
            file.truncate(survey.end)
        file.flush()
        os.fsync(file.fileno())
    return RepairedMp4(
        duration_ms=survey.duration_ms,
        size_bytes=survey.end,
        removed_bytes=survey.size_bytes - survey.end,
        covered_bytes=sum(end - start for start, end in survey.gaps),
        codec=header.video.codec,
        width_px=header.video.width_px,
        height_px=header.video.height_px,
        video_frames=survey.video_frames,
    )


class _Survey:
    """One walk over the boxes of a file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size_bytes = file.seek(0, os.SEEK_END)
        self.header: Mp4Header | None = None
        self.end = 0
        """Where the last box that is whole ends."""
        self.gaps: list[tuple[int, int]] = []
        """Damage that has whole fragments behind it."""
        self.video_frames = 0
        self.duration_ms = 0
        self.problem: str | None = None
        """The first one."""

    def walk(self, *, past_damage: bool = False) -> None:
        """Look at each box, up to the first problem or past it as long as there are whole fragments."""
        for _ in range(MAX_BOXES):
            if self.end >= self.size_bytes:
                break
            try:
                self.end = self._look_at(self.end)
            except InvalidInputError as error:
                self.problem = self.problem or str(error)
                later = self._find_fragment(self.end + 8) if past_damage else None
                if later is None:
                    return
                self.gaps.append((self.end, later))
                self.end = later
        else:
            self.problem = self.problem or f"expected at most {MAX_BOXES} boxes, got more"
        self.problem = self.problem or self._missing()

    def _missing(self) -> str | None:
        if self.header is None:
            return f"the file of {self.size_bytes} bytes has no header"
        if self.header.video is None:
            return "the file has no video"
        return None if self.video_frames else "the file has no picture"

    def _look_at(self, position: int) -> int:
        """Take what the box at a position says, and return where the next one begins."""
        box = self._box_at(position)
        if box.kind == b"moof":
            return self._take_fragment(box)
        if box.kind == b"moov":
            self._take_header(box)
        elif "?" in printable(box.kind):
            raise InvalidInputError(f"expected a box at byte {position}, got {box.kind.hex()}")
        return box.end

    def _take_header(self, box: Box) -> None:
        if self.header is not None:
            raise InvalidInputError(f"expected one header, got a second one at byte {box.start}")
        self.header = read_header(self._read(box))
        if self.header.video is not None:
            self.video_frames = self.header.video.samples
            self._note_duration(self.header.video.duration_ms)

    def _take_fragment(self, box: Box) -> int:
        if self.header is None:
            raise InvalidInputError(f"a fragment at byte {box.start} comes before the header")
        tracks = read_fragment(self._read(box), self.header)
        data = self._box_at(box.end)
        if data.kind != b"mdat":
            raise InvalidInputError(f"expected a box mdat at byte {box.end}, got {printable(data.kind)}")
        promised, found = sum(track.size_bytes for track in tracks), data.end - data.body
        if promised > found:
            raise InvalidInputError(
                f"the fragment at byte {box.start}: expected {promised} bytes of media, got {found}"
            )
        video = self.header.video
        for track in tracks:
            if video is not None and track.track_id == video.track_id:
                self._note_duration(track.shown_until * 1000 // video.timescale)
                self.video_frames += track.samples
        return data.end

    def _note_duration(self, duration_ms: int) -> None:
        if duration_ms > MAX_DURATION_MS:
            raise InvalidInputError(f"expected a duration of at most {MAX_DURATION_MS} ms, got {duration_ms}")
        self.duration_ms = max(self.duration_ms, duration_ms)

    def _find_fragment(self, position: int) -> int | None:
        """Return where the next whole fragment begins."""
        if self.header is None:
            return None
        candidates = 0
        while position < self.size_bytes:
            self._file.seek(position)
            found = _FRAGMENT.search(self._file.read(_SCAN_BYTES))
            if found is None:
                position += _SCAN_BYTES - 11  # the pattern may lie across the border
                continue
            start = position + found.start() - 4
            position += found.end()
            candidates += 1
            if candidates > _MAX_CANDIDATES:
                return None
            if self._is_whole_fragment(start):
                return start
        return None

    def _is_whole_fragment(self, start: int) -> bool:
        known = self.video_frames, self.duration_ms
        try:
            self._look_at(start)
        except InvalidInputError:
            return False
        finally:
            self.video_frames, self.duration_ms = known
        return True

    def _box_at(self, position: int) -> Box:
        self._file.seek(position)
        return box_at(self._file.read(HEADER_BYTES), position, self.size_bytes)

    def _read(self, box: Box) -> bytes:
        size_bytes = box.end - box.body
        if size_bytes > MAX_HEADER_BYTES:
            raise InvalidInputError(
                f"box {printable(box.kind)} at byte {box.start}: expected at most {MAX_HEADER_BYTES} bytes, "
                f"got {size_bytes}"
            )
        self._file.seek(box.body)
        return self._file.read(size_bytes)


def _free_box_header(size_bytes: int) -> bytes:
    if size_bytes < 1 << 32:
        return struct.pack(">I4s", size_bytes, b"free")
    return struct.pack(">I4sQ", 1, b"free", size_bytes)


def _decode(path: Path, expected: int) -> tuple[str | None, int]:
    frames = 0
    try:
        # named as what it is: FFmpeg would follow the addresses of a playlist that only calls itself .mp4;
        # without the edit list, so that hidden pictures are looked at, too
        with av.open(f"file:{path}", "r", format="mp4", options={"ignore_editlist": "1"}) as container:
            stream = container.streams.video[0]
            # PyAV's types do not say that there is none where this build has no decoder
            context: VideoCodecContext | None = stream.codec_context
            if context is None:
                return "the codec of the video is unknown to this build", 0
            context.thread_type = "NONE"
            context.thread_count = 1
            context.options = {"err_detect": "explode"}
            for picture in container.decode(stream):
                if picture.is_corrupt:
                    return f"picture {frames} is damaged", frames
                frames += 1
    except (av.FFmpegError, IndexError) as error:
        return f"picture {frames} cannot be decoded: {error}", frames
    return (None if frames == expected else f"expected {expected} pictures, got {frames}"), frames
