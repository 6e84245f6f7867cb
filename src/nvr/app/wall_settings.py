"""The settings of a wall over the changes of its file: cameras come and go while it runs."""

import logging
import threading
from collections.abc import Callable
from typing import Protocol

from nvr.config.diff import setting_of
from nvr.config.wall import VideoWallConfig
from nvr.config.watch import FileWatch, WatchedFiles
from nvr.core.clock import Clock
from nvr.core.errors import NvrError
from nvr.core.masking import mask_credentials

logger = logging.getLogger(__name__)

STOP_S = 0.3


class ChangeableWall(Protocol):
    """What is asked of a wall."""

    def change_cameras(self, config: VideoWallConfig) -> None:
        """Show other cameras from now on; raises ConfigurationError."""
        ...


class WallSettings:
    """Reads the settings of a wall, and again when one of their files changes."""

    def __init__(
        self, read: Callable[[], VideoWallConfig], files: WatchedFiles | None = None, *, clock: Clock | None = None
    ) -> None:
        """Read them.

        Args:
            read: Called now and for each change.
            files: Those that are watched; None: none.
            clock: For the looks at the file.

        Raises:
            ConfigurationError: They cannot be read.
        """
        self._read = read
        self._lock = threading.Lock()
        self._wall: ChangeableWall | None = None
        self._watch = None if files is None else FileWatch(files, self.apply, clock)
        self._told = read()

    @property
    def told(self) -> VideoWallConfig:
        """What was read last and could be applied."""
        return self._told

    def follow(self, wall: ChangeableWall) -> None:
        """Bring a wall, made from `told`, to what the file says, whenever it changes."""
        self._wall = wall
        if self._watch is not None:
            self._watch.start()

    def stop(self) -> None:
        """Follow no more."""
        if self._watch is not None:
            self._watch.stop(STOP_S)

    def apply(self) -> None:
        """Read the settings again and apply them; what is wrong is told in the log and changes nothing."""
        wall = self._wall
        if wall is None:
            return
        failure: NvrError | None = None
        with self._lock:
            try:
                self._apply(wall)
            except NvrError as error:
                failure = error
        if failure is not None:
            logger.error("the wall stays as it is: %s", mask_credentials(str(failure)))

    def _apply(self, wall: ChangeableWall) -> None:
        new, old = self._read(), self._told
        if new.numbered_cameras != old.numbered_cameras:
            wall.change_cameras(new)
        left = sorted(
            setting_of(name)
            for name in VideoWallConfig.model_fields
            if name not in {"cameras", "stream_uris", "first_source_id"} and getattr(new, name) != getattr(old, name)
        )
        if left:
            logger.warning("takes effect when the wall is started again: %s", ", ".join(left))
        self._told = new
