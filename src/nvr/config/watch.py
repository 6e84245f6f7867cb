"""Notice that files were written, replaced or moved into place; by looking, as that works on every file system."""

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from nvr.core.clock import Clock
from nvr.core.throttle import ThrottledLog

logger = logging.getLogger(__name__)

Stamp: TypeAlias = tuple[int, int, int, int]
"""Device, inode, time of the last change in nanoseconds, and size: another content has another stamp."""

WatchedFiles: TypeAlias = Callable[[], Mapping[Path, Stamp | None]]
"""Returns the files that count now, each with its stamp from just before it was read; None for one that was absent."""


GONE_LOOKS = 4
"""An absent or empty file is told after so many looks: by then nobody is just writing it anew."""


class Settling:
    """Tells from looks at a file when a new content of it has come to rest; pure."""

    def __init__(self, known: Stamp | None) -> None:
        self._known = known
        self._last = known
        self._n_absent = 0

    @property
    def is_gone(self) -> bool:
        """True at one look only, once the file is absent, not just being replaced."""
        return self._n_absent == GONE_LOOKS

    def see(self, stamp: Stamp | None) -> bool:
        """Take a look, None where the file is absent; True once for each new content that two looks agree on."""
        self._n_absent = self._n_absent + 1 if stamp is None else 0
        is_settled = stamp == self._last
        self._last = stamp
        if stamp is None or stamp == self._known or not is_settled:
            return False
        self._known = stamp
        return True


class FileWatch:
    """Calls back, in a thread of its own, soon after one of some files has another content.

    A file that is absent or empty for a while, as between deleting and writing it anew, or after writing it on a full
    disk, is waited for; when that lasts, the log says so.
    """

    def __init__(
        self, files: WatchedFiles, on_change: Callable[[], None], clock: Clock | None = None, poll_s: float = 0.25
    ) -> None:
        """Prepare.

        Args:
            files: Asked at each look: what comes of a change may be that others count.
            on_change: Called in the watch's thread; while it works no look is taken, and what it raises is logged.
            clock: For the limit on log lines.
            poll_s: Seconds from look to look; a change is told after one to two of them.
        """
        self._files = files
        self._on_change = on_change
        self._poll_s = poll_s
        self._settling: dict[Path, Settling] = {}
        self._faults = ThrottledLog(logger, logging.ERROR, clock=clock)
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="file-watch", daemon=True)

    def start(self) -> None:
        """Begin to look.

        Raises:
            RuntimeError: It was started before.
        """
        self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> bool:
        """End the thread; False where `on_change` still works after `timeout_s`. May be called at any time."""
        self._is_stopping.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._is_stopping.wait(self._poll_s):
            if changed := self._look():
                self._tell(changed)

    def _look(self) -> str:
        """Return the names of the files that have changed."""
        before = self._settling
        self._settling = {path: before.get(path) or Settling(stamp) for path, stamp in self._files().items()}
        changed = []
        for path, settling in self._settling.items():
            if settling.see(stamp_of(path)):
                changed.append(str(path))
            elif settling.is_gone:
                logger.warning("%s is gone or empty: what was read last holds on", path)
        return ", ".join(changed)

    def _tell(self, changed: str) -> None:
        logger.info("changed: %s", changed)
        try:
            self._on_change()
        except Exception as error:  # the supervisor of a foreign function: the next change must be noticed
            if self._faults.total == 0:
                logger.exception("what follows a change of %s failed; the watch goes on", changed)
            self._faults.report(f"what follows a change of {changed} failed: {error!r}")


def stamp_of(path: Path) -> Stamp | None:
    """Return by what another content of a file is noticed; None where it cannot be looked at or is empty."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size) if found.st_size > 0 else None
