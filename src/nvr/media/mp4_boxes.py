"""The boxes of an MP4 file as plain values: bytes in, values out, whatever the bytes are.

Reads what tells how long and how whole a recording is, and nothing else. Source: ISO/IEC 14496-12.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from nvr.core.errors import InvalidInputError

HEADER_BYTES = 16
"""The longest header of a box."""

_CODECS = {
    b"avc1": "h264",
    b"avc3": "h264",
    b"hvc1": "hevc",
    b"hev1": "hevc",
    b"mp4a": "aac",
    b"Opus": "opus",
    b"fLaC": "flac",
}
_OBJECT_TYPES = {0x20: "mpeg4", 0x40: "aac", 0x69: "mp3", 0x6B: "mp3", 0x6C: "mjpeg"}
_OBJECT_TYPE = re.compile(rb"esds.{4}\x03[\x80-\xff]*[^\x80-\xff].{3}\x04[\x80-\xff]*[^\x80-\xff](.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Box:
    """Where a box lies."""

    kind: bytes
    start: int
    body: int
    """Where its header ends."""
    end: int


@dataclass(frozen=True, slots=True)
class Mp4Track:
    """One track as the header of the file describes it."""

    track_id: int
    kind: str
    """The handler: `vide`, `soun` or something else."""
    codec: str
    """FFmpeg's name where it is a codec that we write, else the four letters of the file."""
    width_px: int
    height_px: int
    timescale: int
    """Ticks per second."""
    samples: int
    """In the sample tables of the header: 0 in a fragmented file."""
    duration_ms: int
    """By the header; 0 in a fragmented file."""
    default_duration: int = 0
    default_size: int = 0


@dataclass(frozen=True, slots=True)
class Mp4Header:
    """What the `moov` box says."""

    tracks: tuple[Mp4Track, ...]
    is_fragmented: bool

    @property
    def video(self) -> Mp4Track | None:
        """The first video track."""
        return next((track for track in self.tracks if track.kind == "vide"), None)


@dataclass(frozen=True, slots=True)
class TrackFragment:
    """The samples of one track in one fragment."""

    track_id: int
    samples: int
    size_bytes: int
    """Of all samples together."""
    start: int
    """Decoding time of the first sample, in ticks of the track."""
    shown_until: int
    """Where the last of them ends, in showing order."""


def box_at(header: bytes, start: int, end: int) -> Box:
    """Return the box whose first bytes are given.

    Args:
        header: At least 8 bytes, or `HEADER_BYTES` where there are as many.
        start: Where the box begins.
        end: Where what contains it ends; an `mdat` of size 0 reaches to there.

    Raises:
        InvalidInputError: The box is smaller than its header or reaches past the end.
    """
    if len(header) < 8:
        raise InvalidInputError(f"a box at byte {start}: expected 8 bytes of header, got {len(header)}")
    size, kind = struct.unpack_from(">I4s", header)
    body = start + 8
    if size == 1 and len(header) >= HEADER_BYTES:
        size, body = int.from_bytes(header[8:16], "big"), start + 16
    elif size == 0 and kind == b"mdat":
        size = end - start
    if not body <= start + size <= end:
        raise InvalidInputError(
            f"box {printable(kind)} at byte {start}: expected {body - start} to {end - start} bytes, got {size}"
        )
    return Box(kind, start, body, start + size)


def boxes_in(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """Yield the boxes that follow each other in `data[start:end]`; InvalidInputError where they do not add up."""
    end = len(data) if end is None else end
    while start < end:
        box = box_at(data[start : min(start + HEADER_BYTES, end)], start, end)
        yield box
        start = box.end


def read_header(moov: bytes) -> Mp4Header:
    """Read the body of a `moov` box.

    Raises:
        InvalidInputError: It is cut off, has no track, or one without ticks per second.
    """
    try:
        boxes = list(boxes_in(moov))
        movie_ticks = _ticks_per_second(moov, _only(boxes, b"mvhd"))
        defaults = {}
        for extends in (box for box in boxes if box.kind == b"mvex"):
            for box in boxes_in(moov, extends.body, extends.end):
                if box.kind == b"trex":
                    track_id, _, duration, size = struct.unpack_from(">IIII", moov, box.body + 4)
                    defaults[track_id] = (duration, size)
        tracks = tuple(_read_track(moov, box, movie_ticks, defaults) for box in boxes if box.kind == b"trak")
    except (struct.error, IndexError) as error:
        raise InvalidInputError(f"the header of {len(moov)} bytes is cut off") from error
    if not tracks:
        raise InvalidInputError("the header has no track")
    return Mp4Header(tracks, is_fragmented=any(box.kind == b"mvex" for box in boxes))


def read_fragment(moof: bytes, header: Mp4Header) -> tuple[TrackFragment, ...]:
    """Read the body of a `moof` box.

    Raises:
        InvalidInputError: It is cut off or speaks of a track that the header has not.
    """
    known = {track.track_id: track for track in header.tracks}
    try:
        return tuple(_read_track_fragment(moof, box, known) for box in boxes_in(moof) if box.kind == b"traf")
    except (struct.error, IndexError) as error:
        raise InvalidInputError(f"a fragment header of {len(moof)} bytes is cut off") from error


def _read_track(moov: bytes, trak: Box, movie_ticks: int, defaults: dict[int, tuple[int, int]]) -> Mp4Track:
    boxes = list(boxes_in(moov, trak.body, trak.end))
    head = _only(boxes, b"tkhd")
    wide = moov[head.body] == 1
    track_id = struct.unpack_from(">I", moov, head.body + (20 if wide else 12))[0]
    duration = struct.unpack_from(">Q" if wide else ">I", moov, head.body + (28 if wide else 20))[0]
    width, height = struct.unpack_from(">II", moov, head.end - 8)
    media = list(_children(moov, _only(boxes, b"mdia")))
    handler = _only(media, b"hdlr")
    tables = list(_children(moov, _only(list(_children(moov, _only(media, b"minf"))), b"stbl")))
    sizes = [box for box in tables if box.kind in {b"stsz", b"stz2"}]
    description = _only(tables, b"stsd")
    default_duration, default_size = defaults.get(track_id, (0, 0))
    return Mp4Track(
        track_id=track_id,
        kind=printable(moov[handler.body + 8 : handler.body + 12]),
        codec=_codec(moov[description.body + 8 : description.end]),
        width_px=width >> 16,
        height_px=height >> 16,
        timescale=_ticks_per_second(moov, _only(media, b"mdhd")),
        samples=struct.unpack_from(">I", moov, sizes[0].body + 8)[0] if sizes else 0,
        duration_ms=duration * 1000 // movie_ticks,
        default_duration=default_duration,
        default_size=default_size,
    )


def _read_track_fragment(moof: bytes, traf: Box, known: dict[int, Mp4Track]) -> TrackFragment:
    boxes = list(_children(moof, traf))
    head = _only(boxes, b"tfhd")
    flags, track_id = struct.unpack_from(">II", moof, head.body)
    if track_id not in known:
        raise InvalidInputError(f"expected one of the tracks {sorted(known)} in a fragment, got {track_id}")
    position = head.body + 8 + (8 if flags & 1 else 0) + (4 if flags & 2 else 0)
    duration, size = known[track_id].default_duration, known[track_id].default_size
    if flags & 8:
        duration = struct.unpack_from(">I", moof, position)[0]
        position += 4
    if flags & 0x10:
        size = struct.unpack_from(">I", moof, position)[0]
    start = 0
    for box in boxes:
        if box.kind == b"tfdt":
            start = struct.unpack_from(">Q" if moof[box.body] == 1 else ">I", moof, box.body + 4)[0]
    samples = size_bytes = 0
    decoded = shown = start
    for box in boxes:
        if box.kind == b"trun":
            run = _read_run(moof, box, duration, size, decoded)
            samples, size_bytes = samples + run.samples, size_bytes + run.size_bytes
            decoded, shown = run.start, max(shown, run.shown_until)
    return TrackFragment(track_id, samples, size_bytes, start, shown)


def _read_run(moof: bytes, box: Box, duration: int, size: int, decoded: int) -> TrackFragment:
    """Return a run; `start` is where the next one begins."""
    flags, count = struct.unpack_from(">II", moof, box.body)
    position = box.body + 8 + (4 if flags & 1 else 0) + (4 if flags & 4 else 0)
    fields = [bit for bit in (0x100, 0x200, 0x400, 0x800) if flags & bit]
    if count * 4 * len(fields) > box.end - position:
        raise InvalidInputError(f"expected {count} samples in {box.end - position} bytes of a fragment's header")
    if not fields:  # no bytes bound the number of samples, so none is looked at
        end = decoded + count * duration
        return TrackFragment(0, count, count * size, end, end)
    values = struct.unpack_from(f">{count * len(fields)}I", moof, position)
    columns = {bit: values[index :: len(fields)] for index, bit in enumerate(fields)}
    durations = columns.get(0x100, (duration,) * count)
    ends = list(accumulate(durations, initial=decoded))[1:]
    offsets = columns.get(0x800, (0,) * count)
    # 32-bit offsets of version 0 never reach the sign bit in practice: read all as those of version 1
    shown = (end + (offset - (1 << 32) if offset >> 31 else offset) for end, offset in zip(ends, offsets, strict=True))
    return TrackFragment(
        track_id=0,
        samples=count,
        size_bytes=sum(columns[0x200]) if 0x200 in columns else count * size,
        start=ends[-1] if ends else decoded,
        shown_until=max(shown, default=decoded),
    )


def _codec(entry: bytes) -> str:
    """Return the codec of the first sample entry."""
    found = _OBJECT_TYPE.search(entry)
    if found is not None and found[1][0] in _OBJECT_TYPES:
        return _OBJECT_TYPES[found[1][0]]
    return _CODECS.get(entry[4:8], printable(entry[4:8]))


def _ticks_per_second(data: bytes, box: Box) -> int:
    ticks: int = struct.unpack_from(">I", data, box.body + (20 if data[box.body] == 1 else 12))[0]
    if ticks == 0:
        raise InvalidInputError(f"box {printable(box.kind)}: expected ticks per second, got 0")
    return ticks


def _children(data: bytes, box: Box) -> Iterator[Box]:
    return boxes_in(data, box.body, box.end)


def _only(boxes: list[Box], kind: bytes) -> Box:
    found = next((box for box in boxes if box.kind == kind), None)
    if found is None:
        raise InvalidInputError(f"a box {printable(kind)} is missing")
    return found


def printable(kind: bytes) -> str:
    """Return the letters of a box as they may be shown."""
    return "".join(chr(byte) if 32 < byte < 127 else "?" for byte in kind)
