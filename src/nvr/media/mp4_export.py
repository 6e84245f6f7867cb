"""Recordings to one clip without coding anything anew: pieces are put one behind the other and cut at both ends.

Leaves to others: which recordings there are (the index), what a clip is made of (`mp4_clip`).
"""

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import av

from nvr.core.errors import ConfigurationError, InvalidInputError, NvrError, StorageError
from nvr.media.mp4_clip import MIN_GAP, Clip, ClipPiece, open_recording
from nvr.media.mp4_repair import check
from nvr.media.mp4_stream import playable_audio
from nvr.media.parameters import StreamParameters, read_parameters

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One file that was made."""

    path: Path
    start: datetime
    """When its first picture was captured; cut at a key frame it may be before what was asked."""
    end: datetime
    """When its last picture ended."""
    duration_ms: int
    """Shown; gaps are not in it."""
    video_frames: int
    """Pictures in the file; with an exact cut those before the start are not shown."""
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ExportGap:
    """A time of which there is no recording."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was asked for, as far as it was recorded."""

    files: tuple[ExportedFile, ...]
    """More than one where the camera changed its codec or resolution."""
    gaps: tuple[ExportGap, ...]
    problems: tuple[str, ...]
    """Recordings that could not be read, or not to their end."""


def export(
    pieces: Sequence[tuple[Path, datetime]],
    start: datetime,
    end: datetime,
    out: Path,
    *,
    exact: bool = False,
    overwrite: bool = False,
    on_progress: Progress | None = None,
) -> ExportReport:
    """Make a clip of recordings; it appears whole, with its index in front, or not at all.

    Args:
        pieces: Recordings of one camera with the capture times of their first pictures, in any order. Where two
            overlap, the one that starts earlier counts.
        start: The clip begins with the last key frame at or before this time.
        end: The first picture that is not in the clip any more; with B-frames up to two more may be shown.
        out: The file to make. Where codec, resolution or sound change, more follow: `clip-2.mp4`, `clip-3.mp4`.
        exact: Show nothing before `start` and nothing after `end`: pictures that only decoding needs are in the file,
            hidden by an edit list.
        overwrite: Replace a file that is there.
        on_progress: Called in this thread with the part that is done, 0 to 1. What it raises ends the export.

    Raises:
        InvalidInputError: Nothing was recorded in this time, or the times make no sense.
        ConfigurationError: The file is there already.
        StorageError: The file cannot be written; nothing of it is left.
    """
    if start.tzinfo is None or end.tzinfo is None or start >= end:
        raise InvalidInputError(f"expected two aware times, the earlier one first, got {start} and {end}")
    problems: list[str] = []
    wanted = [piece for piece in _look_at(pieces, problems) if piece.start < end and piece.end > start]
    groups = group_pieces(wanted)
    report = on_progress or _ignore
    clips: list[_FinishedClip] = []
    spans: list[tuple[datetime, datetime]] = []
    with _storage_errors(out), ExitStack() as stack:
        _refuse_existing(_numbered(out, len(groups)), overwrite=overwrite)
        done = 0
        for group in groups:
            path = stack.enter_context(_temporary(out))
            audio = next((piece.audio for piece in group if piece.audio is not None), None)
            with Clip(path, start, end, exact=exact and not clips, audio=audio) as clip:
                for piece in group:
                    report(done / len(wanted))
                    done += 1
                    try:
                        clip.append(piece)
                    except InvalidInputError as error:
                        problems.append(str(error))
            if clip.spans:
                clips.append(_finish(path, clip))
                spans += clip.spans
        if not clips:
            because = f": {problems[0]}" if problems else ""
            raise InvalidInputError(f"nothing was recorded from {start.isoformat()} to {end.isoformat()}{because}")
        files = _publish(clips, _numbered(out, len(clips)), overwrite=overwrite)
    report(1.0)
    return ExportReport(tuple(files), find_gaps(spans, start, end), tuple(problems))


def group_pieces(pieces: Sequence[ClipPiece]) -> list[list[ClipPiece]]:
    """Split recordings, in the order of their times, where they do not fit into one file. Missing sound fits to any."""
    groups: list[list[ClipPiece]] = []
    video: StreamParameters | None = None
    audio: StreamParameters | None = None
    for piece in sorted(pieces, key=lambda piece: piece.start):
        has_other_sound = audio is not None and piece.audio is not None and piece.audio != audio
        if piece.video != video or has_other_sound:
            groups.append([])
            video, audio = piece.video, None
        groups[-1].append(piece)
        audio = audio or piece.audio
    return groups


def find_gaps(
    spans: Sequence[tuple[datetime, datetime]], start: datetime, end: datetime, least: timedelta = MIN_GAP
) -> tuple[ExportGap, ...]:
    """Return the times from `start` to `end` that no span covers, as far as they are longer than `least`."""
    edges = [(start, start), *spans, (end, end)]
    between = ((earlier[1], later[0]) for earlier, later in pairwise(edges))
    return tuple(ExportGap(left, right) for left, right in between if right - left > least)


@dataclass(frozen=True, slots=True)
class _FinishedClip:
    path: Path
    start: datetime
    end: datetime
    duration_ms: int
    video_frames: int
    size_bytes: int


def _look_at(pieces: Sequence[tuple[Path, datetime]], problems: list[str]) -> Iterator[ClipPiece]:
    for path, start in pieces:
        try:
            found = check(path)
            with open_recording(path) as container:
                video = read_parameters(container.streams.video[0])
                audio = [read_parameters(stream) for stream in container.streams.audio[:1]]
                audio = [one for one in audio if playable_audio(one)]
        except OSError as error:
            problems.append(f"{path}: cannot be read: {error.strerror}")
            continue
        except NvrError as error:
            problems.append(str(error))
            continue
        if found.problem is not None:
            problems.append(f"{path}: {found.problem}")
        yield ClipPiece(
            path, start, start + timedelta(milliseconds=found.duration_ms), video, audio[0] if audio else None
        )


def _finish(path: Path, clip: Clip) -> _FinishedClip:
    found = check(path)
    if found.problem is not None or found.video_frames != clip.video_frames:
        reason = found.problem or f"expected {clip.video_frames} pictures, got {found.video_frames}"
        raise StorageError(f"{path}: the clip was not written whole: {reason}")
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return _FinishedClip(
        path, clip.spans[0][0], clip.spans[-1][1], found.duration_ms, found.video_frames, found.size_bytes
    )


def _publish(clips: list[_FinishedClip], targets: list[Path], *, overwrite: bool) -> list[ExportedFile]:
    _refuse_existing(targets, overwrite=overwrite)
    for clip, target in zip(clips, targets, strict=True):
        clip.path.replace(target)
    folder = os.open(targets[0].parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return [
        ExportedFile(target, clip.start, clip.end, clip.duration_ms, clip.video_frames, clip.size_bytes)
        for clip, target in zip(clips, targets, strict=True)
    ]


def _numbered(out: Path, count: int) -> list[Path]:
    return [out, *(out.with_name(f"{out.stem}-{number}{out.suffix}") for number in range(2, count + 1))]


def _refuse_existing(targets: list[Path], *, overwrite: bool) -> None:
    existing = next((target for target in targets if target.exists()), None)
    if existing is not None and not overwrite:
        raise ConfigurationError(f"{existing} exists: name another file, or ask to overwrite it")


@contextmanager
def _temporary(out: Path) -> Iterator[Path]:
    path = out.with_name(f".{out.stem}.{secrets.token_hex(4)}.part")
    path.open("xb").close()
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _storage_errors(out: Path) -> Iterator[None]:
    try:
        yield
    except av.FFmpegError as error:
        raise StorageError(f"{out}: cannot be written: {error.strerror}") from error
    except OSError as error:
        raise StorageError(f"{out}: cannot be written: {error.strerror}") from error


def _ignore(_part: float) -> None:
    return
