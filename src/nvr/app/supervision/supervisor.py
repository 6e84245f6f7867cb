"""Keeps processes running: starts them, notices their end at once, starts them again, ends them in order.

It has no thread: its owner calls `poll`, which waits for whatever happens first. When a process comes back is decided
in `restarts`.
"""

import contextlib
import logging
import os
import random
import selectors
from collections.abc import Callable, Iterable, Mapping

from nvr.app.supervision.child_output import Taken
from nvr.app.supervision.kept_child import ChildReport, KeptChild
from nvr.app.supervision.spare import Spare
from nvr.app.supervision.supervised_child import ChildSpec, SupervisedChild
from nvr.core.clock import Clock, SystemClock

logger = logging.getLogger(__name__)

LineHandler = Callable[[str, str], None]
"""Takes the name of a process and a line that it wrote."""

CLOSED = -1
"""No descriptor."""
MAX_READS = 8
"""Of 64 KiB, before the other processes have their turn."""


class Supervisor:
    """A set of processes that are kept running. Not thread-safe but for `wake`."""

    def __init__(
        self,
        on_line: LineHandler,
        *,
        environment: Mapping[str, str] | None = None,
        spare: Spare | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        """Prepare; nothing is started before `poll`.

        Args:
            on_line: Takes what the processes write.
            environment: Of the processes; by default that of this one.
            spare: Stands in for a process that ended; the supervisor keeps and ends it.
            clock: For delays and deadlines.
            rng: Spreads restarts.
        """
        self._on_line = on_line
        self._environment = os.environ if environment is None else environment
        self._clock = clock or SystemClock()
        self._rng = rng or random.Random()  # noqa: S311 - spreads load, keeps no secret
        self._kept: dict[str, KeptChild] = {}
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        self._is_changed = False
        self._spare = spare
        self._last_start_s = 0.0

    def want(self, specs: Iterable[ChildSpec]) -> None:
        """Say what is to run from now on; what is no longer named ends, what has another command starts anew.

        Raises:
            ValueError: Two have the same name.
        """
        wanted: dict[str, ChildSpec] = {}
        for spec in specs:
            if wanted.setdefault(spec.name, spec) is not spec:
                raise ValueError(f"two processes are called {spec.name!r}")
        now_s = self._clock.monotonic()
        for name, kept in self._kept.items():
            if name not in wanted:
                kept.is_wanted = kept.is_replaced = False
                kept.request_stop(now_s)
        for name, spec in wanted.items():
            if name in self._kept:
                self._kept[name].want(spec, now_s)
            else:
                self._kept[name] = KeptChild(spec)
        self._forget_stopped()
        self._is_changed = True

    def restart(self, name: str, reason: str) -> bool:
        """End a process and start it again, as one that crashed; False where it does not run, or ends already."""
        kept = self._kept.get(name)
        if kept is None or kept.process is None or kept.kill_at_s is not None:
            return False
        kept.why_asked = reason
        kept.request_stop(self._clock.monotonic())
        return True

    def signal(self, name: str, number: int) -> None:
        """Send a signal to a program that runs, not to its guard; the program must expect it."""
        kept = self._kept.get(name)
        if kept is not None and kept.process is not None and kept.kill_at_s is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(kept.process.pid, number)

    def retry(self) -> None:
        """Start what waits, has failed or has ended by itself now, as if for the first time."""
        for kept in self._kept.values():
            if kept.process is None and kept.is_wanted:
                kept.begin_anew(self._clock.monotonic())

    def wake(self) -> None:
        """Let `poll` return; any thread, also a signal handler."""
        with contextlib.suppress(OSError):  # it is going to wake up anyway, or never again
            os.write(self._wake_write, b"\0")

    def reports(self) -> tuple[ChildReport, ...]:
        """Return how each process does, in the order in which they were asked for."""
        return tuple(kept.report() for kept in self._kept.values())

    def poll(self, timeout_s: float) -> bool:
        """Start what is due, then wait for what happens first, at most `timeout_s`.

        Returns:
            Whether a process has started or ended.
        """
        self._act()
        now_s = self._clock.monotonic()
        due = [kept.due_s for kept in self._kept.values()]
        wait_s = max(0.0, min([timeout_s, *(due_s - now_s for due_s in due if due_s is not None)]))
        for key, _ in self._selector.select(wait_s):
            kept: KeptChild | None = key.data
            if kept is None:
                self._drain_wake()
            elif kept.process is not None:
                if key.fd == kept.process.output_fd:
                    self._read(kept)
                elif key.fd == kept.process.pid_fd:
                    self._note_end(kept)
        self._act()
        is_changed, self._is_changed = self._is_changed, False
        return is_changed

    def stop(self, timeout_s: float, *, through_stage: int | None = None) -> bool:
        """End all, the lower stages first, and return within `timeout_s` and a little.

        A stage waits for those before it as long as its own `stop_timeout_s` and that of those after it allow.

        Args:
            timeout_s: What all of them get together.
            through_stage: Leave those of higher stages running; None for all.

        Returns:
            Whether all ended in time; the others were killed.
        """
        deadline_s = self._clock.monotonic() + timeout_s
        if self._spare is not None:
            self._spare.stop()
            self._spare = None
        for kept in self._kept.values():
            if through_stage is None or kept.spec.stage <= through_stage:
                kept.is_wanted = False
        needs_s = {kept.spec.stage: 0.0 for kept in self._leaving()}
        for kept in self._leaving():
            needs_s[kept.spec.stage] = max(needs_s[kept.spec.stage], kept.spec.stop_timeout_s)
        for stage in sorted(needs_s):
            for kept in self._leaving():
                if kept.spec.stage == stage:
                    kept.request_stop(self._clock.monotonic())
            later_s = sum(need_s for later, need_s in needs_s.items() if later > stage)
            self._wait_for_end(stage, deadline_s - later_s)
        late = self._leaving()
        for kept in late:
            logger.error("%s did not end in time and is killed", kept.spec.name)
            if kept.process is not None:
                kept.process.kill()
        while self._leaving():
            self.poll(1.0)
        self._forget_stopped()
        return not late

    def _wait_for_end(self, stage: int, until_s: float) -> None:
        while any(kept.spec.stage <= stage for kept in self._leaving()):
            left_s = until_s - self._clock.monotonic()
            if left_s <= 0:
                return
            self.poll(left_s)

    def close(self) -> None:
        """Give back what the supervisor itself holds, after `stop`; `wake` does nothing from now on."""
        self._selector.close()
        os.close(self._wake_read)
        write, self._wake_write = self._wake_write, CLOSED
        os.close(write)

    def _leaving(self) -> list[KeptChild]:
        return [kept for kept in self._kept.values() if kept.is_leaving]

    def _act(self) -> None:
        now_s = self._clock.monotonic()
        for kept in self._kept.values():
            if kept.due_s is None or kept.due_s > now_s:
                continue
            if kept.process is None:
                self._start(kept)
            else:
                kept.kill_at_s = None
                kept.process.kill()
        if self._spare is not None:
            if any(kept.spec.may_be_spare and kept.process is not None for kept in self._kept.values()):
                self._spare.look(self._last_start_s)
            else:
                self._spare.stop()

    def _start(self, kept: KeptChild) -> None:
        kept.started_s = self._last_start_s = self._clock.monotonic()
        if kept.reason is not None:
            kept.history = kept.history.after_restart()
        self._is_changed = True
        try:
            spare = None if self._spare is None else self._spare.take(kept.spec)
            process = spare or SupervisedChild(kept.spec, self._environment)
        except OSError as error:
            kept.plan_restart(f"cannot be started: {error}", self._clock.monotonic(), self._rng.random())
            return
        kept.note_start(process)
        self._selector.register(process.output_fd, selectors.EVENT_READ, kept)
        self._selector.register(process.pid_fd, selectors.EVENT_READ, kept)

    def _read(self, kept: KeptChild) -> bytes | None:
        if kept.process is None:
            return None
        data = kept.process.read()
        if data is None:
            self._unregister(kept.process.output_fd)
        elif data:
            self._show(kept, kept.output.take(data, self._clock.monotonic()))
        return data

    def _show(self, kept: KeptChild, taken: Taken) -> None:
        if taken.left_out:
            self._on_line(kept.spec.name, f"({taken.left_out} lines were too many and are left out)")
        for line in taken.lines:
            self._on_line(kept.spec.name, line)

    def _note_end(self, kept: KeptChild) -> None:
        process = kept.process
        if process is None or not process.has_ended():
            return
        for _ in range(MAX_READS):
            if not self._read(kept):
                break
        self._show(kept, kept.output.close(self._clock.monotonic()))
        self._unregister(process.output_fd)
        self._unregister(process.pid_fd)
        kept.note_end(process.reap(), self._clock.monotonic(), self._rng.random())
        self._is_changed = True

    def _forget_stopped(self) -> None:
        for name in [name for name, kept in self._kept.items() if not kept.is_wanted and kept.process is None]:
            del self._kept[name]

    def _unregister(self, fd: int) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(fd)

    def _drain_wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self._wake_read, 4096):
                pass
