"""Which frames of the simulator can be played from the disk, told by the numbers burnt into their pixels."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import av
import numpy as np

from nvr.core.errors import InvalidInputError
from nvr.demo.frame_code import read_frame_code
from nvr.recording.segment import Segment

FOREIGN_SUFFIXES = (".recording", ".broken")


@dataclass(frozen=True, slots=True)
class Sent:
    """A frame that a camera sent."""

    number: int
    """As burnt in: starts again with each round of the loop."""
    at_s: float
    """Capture time, wall seconds."""


@dataclass(slots=True)
class Disk:
    """What a folder of recordings holds."""

    shown: dict[int, list[Sent]] = field(default_factory=dict)
    """By camera: frames as decoded, with the time that their file gives them."""
    n_segments: int = 0
    n_unplayable: int = 0
    n_unfinished: int = 0
    n_unread: int = 0
    """Frames whose number cannot be read."""


def read_disk(root: Path) -> Disk:
    """Decode all finished segments below a root."""
    disk = Disk()
    for path in sorted(root.rglob("*")):
        if path.suffix in FOREIGN_SUFFIXES:
            disk.n_unfinished += 1
        elif path.suffix == ".mp4":
            _read_segment(root, path, disk)
    return disk


def _read_segment(root: Path, path: Path, disk: Disk) -> None:
    disk.n_segments += 1
    try:
        segment = Segment.from_path(PurePosixPath(path.relative_to(root)), path.stat().st_size)
        start_s = segment.start.timestamp()
        frames = disk.shown.setdefault(segment.source_id, [])
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            for frame in container.decode(stream):
                number = read_frame_code(frame.to_ndarray(format="gray", threads=1).astype(np.uint8, copy=False))
                if number is None:
                    disk.n_unread += 1
                else:
                    frames.append(Sent(number, start_s + float(frame.time or 0.0)))
    except (av.FFmpegError, InvalidInputError, IndexError):
        disk.n_unplayable += 1


def match(sent: Sequence[Sent], shown: Iterable[Sent], loop_s: float) -> dict[float, float]:
    """Return the capture times of those sent frames that are shown, and how far off their files' times are; pure.

    A number means a frame only within its round: of the sent ones with it, the nearest in time is meant.
    """
    times: dict[int, list[float]] = {}
    for frame in sent:
        times.setdefault(frame.number, []).append(frame.at_s)
    found: dict[float, float] = {}
    for frame in shown:
        candidates = times.get(frame.number, [])
        place = bisect_left(candidates, frame.at_s)
        near = min(candidates[max(0, place - 1) : place + 1], key=lambda at_s: abs(at_s - frame.at_s), default=None)
        if near is not None and abs(frame.at_s - near) < loop_s / 2:
            found[near] = frame.at_s - near
    return found
