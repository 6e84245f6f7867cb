"""One process that is ready to become a processor, so that one that was killed is back sooner. Not thread-safe."""

import contextlib
import json
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from nvr.app.supervision.supervised_child import ChildSpec, SupervisedChild
from nvr.core.clock import Clock, SystemClock

logger = logging.getLogger(__name__)

CALM_S = 5.0
"""Nothing else has started for so long before a spare is: it would only slow the others down."""

AGAIN_S = 60.0
"""After a spare that ended by itself."""

COMMAND = (sys.executable, "-m", "nvr")
"""What the commands begin with that a spare can become."""


class Spare:
    """Keeps one in waiting; `take` hands it over, and a new one follows when it is calm again."""

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        *,
        stop_timeout_s: float,
        calm_s: float = CALM_S,
        clock: Clock | None = None,
    ) -> None:
        """Prepare; nothing is started before `look`.

        Args:
            folder: Private; for the named pipe.
            environment: As of the processes that it stands in for.
            stop_timeout_s: As of these, since it cannot be changed later.
            calm_s: Nothing else has started for so long before it is.
            clock: For intervals.
        """
        self._pipe = folder / "spare"
        self._environment = environment
        self._spec = ChildSpec(
            "spare",
            (sys.executable, "-m", "nvr.cli.spare_processor", str(self._pipe)),
            stop_timeout_s=stop_timeout_s,
        )
        self._calm_s = calm_s
        self._clock = clock or SystemClock()
        self._process: SupervisedChild | None = None
        self._not_before_s = 0.0

    @property
    def pid(self) -> int | None:
        """Of the process that waits; None without one."""
        return None if self._process is None else self._process.pid

    def look(self, last_start_s: float) -> None:
        """Start one if there is none and nothing has started for a while.

        Args:
            last_start_s: Monotonic second of the last start of another process.
        """
        now_s = self._clock.monotonic()
        if self._process is not None and self._process.has_ended():
            logger.warning("the spare processor ended with status %d", self._process.reap())
            self._process = None
            self._not_before_s = now_s + AGAIN_S
        if self._process is None and now_s >= max(last_start_s + self._calm_s, self._not_before_s):
            try:
                self._pipe.unlink(missing_ok=True)
                os.mkfifo(self._pipe, 0o600)
                self._process = SupervisedChild(self._spec, self._environment)
            except OSError as error:
                logger.warning("there is no spare processor: %s", error)
                self._not_before_s = now_s + AGAIN_S

    def take(self, spec: ChildSpec) -> SupervisedChild | None:
        """Return the spare as the process that is wanted; None where it is not ready, or cannot become that."""
        process = self._process
        if process is None or not spec.may_be_spare or spec.command[: len(COMMAND)] != COMMAND or process.has_ended():
            return None
        told = json.dumps(spec.command[len(COMMAND) :]).encode()
        try:
            pipe = os.open(self._pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # nobody reads yet: it still loads
            return None
        try:
            is_told = len(told) <= _whole_write_bytes() and os.write(pipe, told) == len(told)
        except OSError:
            is_told = False
        finally:
            os.close(pipe)
        if not is_told:
            self.stop()
            return None
        self._process = None
        return process

    def stop(self) -> None:
        """End it: nothing of it is worth a wait."""
        if self._process is not None:
            self._process.kill()
            self._process.reap()
            self._process = None
        with contextlib.suppress(OSError):
            self._pipe.unlink(missing_ok=True)


def _whole_write_bytes() -> int:
    return os.pathconf("/", "PC_PIPE_BUF")
