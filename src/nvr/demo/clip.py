"""What each camera shows: scenes rendered side by side, or video files; all cached on disk."""

import hashlib
import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from nvr.core.clock import Clock
from nvr.core.errors import NvrError
from nvr.demo.scene import Scene, SceneEvent, SceneObject, SceneSettings
from nvr.demo.scene.scene import SCENE_VERSION
from nvr.demo.scene.shapes import Image
from nvr.media.access_unit import EncodedLoop
from nvr.media.encode import EncoderSettings, encode_pictures
from nvr.media.packet_file import cached_loop, load_loop

logger = logging.getLogger(__name__)

MAX_CACHE_BYTES = 2 << 30
_RENDER_THREADS = 4
_UNFINISHED_FOR_S = 3600.0  # whoever still writes a file has written to it since

Item = TypeVar("Item")
Result = TypeVar("Result")


class RenderingStoppedError(NvrError):
    """Rendering was given up because another clip failed or the program ends."""


class TruthTable:
    """The truth of each frame of a loop, worked out once when it is first asked for."""

    def __init__(self, scene: Scene | None) -> None:
        self._scene = scene
        self._known: dict[int, tuple[SceneObject, ...]] = {}

    def events(self) -> tuple[SceneEvent, ...]:
        """Return each time that something is in the picture, by frames of the loop; empty for a file."""
        return () if self._scene is None else self._scene.events()

    def objects_at(self, frame_number: int) -> tuple[SceneObject, ...]:
        """Return the objects of a frame; empty for a file, whose truth nobody knows."""
        if self._scene is None:
            return ()
        if frame_number not in self._known:
            self._known[frame_number] = self._scene.objects_at(frame_number)
        return self._known[frame_number]


@dataclass(frozen=True, slots=True)
class Clip:
    """What one camera shows."""

    loop: EncodedLoop
    truth: TruthTable


def build_scene_clips(
    scenes: Sequence[SceneSettings], encoder: EncoderSettings, cache_dir: Path, clock: Clock
) -> list[Clip]:
    """Render scenes in parallel, or take them from the cache; an interruption ends it within a few frames."""

    def build(settings: SceneSettings, is_cancelled: Callable[[], bool]) -> Clip:
        path = cache_dir / f"scene-{_key(settings, encoder)}.mp4"
        loop = cached_loop(
            path,
            lambda: encode_pictures(_pictures(Scene(settings), is_cancelled), path, encoder),
            has_b_frames=encoder.b_frames > 0,
        )
        return Clip(loop, TruthTable(Scene(settings)))  # not the one that rendered: its pictures are large

    clips = _in_parallel(build, scenes)
    prune_cache(cache_dir, MAX_CACHE_BYTES, clock)
    return clips


def build_file_clips(files: Sequence[Path], gop_s: float, cache_dir: Path, clock: Clock) -> list[Clip]:
    """Read video files, each once; those that cannot be sent as they are get transcoded in parallel."""
    unique = list(dict.fromkeys(files))
    loops = _in_parallel(lambda path, _: load_loop(path, cache_dir, gop_s), unique)
    by_path = dict(zip(unique, loops, strict=True))
    prune_cache(cache_dir, MAX_CACHE_BYTES, clock)
    return [Clip(by_path[path], TruthTable(None)) for path in files]


def prune_cache(cache_dir: Path, max_bytes: int, clock: Clock) -> None:
    """Delete what was left unfinished, and the loops that were not used for longest until the rest fits.

    Others may use the folder at the same time; what cannot be deleted stays.
    """
    oldest_s = clock.now().timestamp() - _UNFINISHED_FOR_S
    for path, status in _files_in(cache_dir, ".*.part"):
        if status.st_mtime < oldest_s:
            _delete(path)
    total = 0
    for path, status in sorted(_files_in(cache_dir, "*.mp4"), key=lambda item: item[1].st_mtime, reverse=True):
        total += status.st_size
        if total > max_bytes:
            _delete(path)


def _files_in(folder: Path, pattern: str) -> list[tuple[Path, os.stat_result]]:
    found = []
    with suppress(OSError):  # a folder that cannot be read has nothing to delete
        for path in folder.glob(pattern):
            with suppress(FileNotFoundError):  # another process deleted it since
                found.append((path, path.stat()))
    return found


def _delete(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        logger.warning("%s cannot be deleted: %s", path, error.strerror)


def _in_parallel(build: Callable[[Item, Callable[[], bool]], Result], items: Sequence[Item]) -> list[Result]:
    cancelled = threading.Event()
    with ThreadPoolExecutor(_RENDER_THREADS, thread_name_prefix="nvr-render") as pool:
        try:
            return list(pool.map(lambda item: build(item, cancelled.is_set), items))
        finally:
            cancelled.set()


def _pictures(scene: Scene, is_cancelled: Callable[[], bool]) -> Iterator[Image]:
    for frame_number in range(scene.settings.n_frames):
        if is_cancelled():
            raise RenderingStoppedError("rendering was stopped")
        yield scene.render(frame_number)


def _key(scene: SceneSettings, encoder: EncoderSettings) -> str:
    return hashlib.sha256(repr((SCENE_VERSION, scene, encoder)).encode()).hexdigest()[:32]
