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
from dataclasses import dataclass, field
from typing import Literal

from nvr.app.supervision.child_output import ChildOutput, Taken
from nvr.app.supervision.restarts import RestartHistory
from nvr.app.supervision.spare import Spare
from nvr.app.supervision.supervised_child import ChildSpec, SupervisedChild, describe_end
from nvr.core.clock import Clock, SystemClock

logger = logging.getLogger(__name__)

ChildPhase = Literal["running", "waiting", "failed", "stopped"]
LineHandler = Callable[[str, str], None]
"""Takes the name of a process and a line that it wrote."""

KILL_MARGIN_S = 0.3
"""What a guard gets to kill its program, beyond what the program gets to end."""
HOPELESS_STATUS = 2
"""Our commands end so where a person must change something; another try is in vain."""
MAX_READS = 8
"""Of 64 KiB, before the other processes have their turn."""


@dataclass(frozen=True, slots=True)
class ChildReport:
    """How one process does."""

    name: str
    phase: ChildPhase
    pid: int | None
    started_s: float | None
    """Monotonic; of the run that goes on."""
    restarts: int
    reason: str | None
    """How it ended the last time, and its last words."""
    next_start_s: float | None
    """Monotonic; of one that waits or has failed."""
    last_lines: tuple[str, ...]
    dropped_lines: int


@dataclass(slots=True)
class _Kept:
    """A process that is wanted, or was."""

    spec: ChildSpec
    history: RestartHistory = field(default_factory=RestartHistory)
    process: SupervisedChild | None = None
    output: ChildOutput = field(default_factory=ChildOutput)
    started_s: float = 0.0
    next_start_s: float | None = 0.0
    reason: str | None = None
    is_wanted: bool = True
    kill_at_s: float | None = None
    """Set while it is asked to end."""
    why_asked: str | None = None
    """Where the supervisor itself asked for the end of one that is wanted."""
    is_replaced: bool = False
    """Whether it is started with another command as soon as it has ended."""
    has_finished: bool = False
    """Whether it ended by itself, as it may."""

    @property
    def phase(self) -> ChildPhase:
        if not self.is_wanted or self.has_finished:
            return "stopped"
        if self.process is not None:
            return "running"
        return "failed" if self.history.is_failed else "waiting"

    def begin_anew(self, now_s: float) -> None:
        """Forget all ends, and let it start now."""
        self.history = RestartHistory(restarts=self.history.restarts)
        self.reason = None
        self.is_replaced = self.has_finished = False
        self.next_start_s = now_s


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
        self._kept: dict[str, _Kept] = {}
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
        for name, kept in self._kept.items():
            if name not in wanted:
                kept.is_wanted = kept.is_replaced = False
                self._request_stop(kept)
        for name, spec in wanted.items():
            self._want_one(name, spec)
        self._forget_stopped()
        self._is_changed = True

    def _want_one(self, name: str, spec: ChildSpec) -> None:
        kept = self._kept.get(name)
        if kept is None:
            self._kept[name] = _Kept(spec)
            return
        before, kept.spec = kept.spec, spec
        if kept.process is None:
            if before != spec or not kept.is_wanted:
                kept.begin_anew(self._clock.monotonic())
        elif not kept.is_wanted or before.command != spec.command:
            kept.is_replaced = True
            self._request_stop(kept)
        kept.is_wanted = True

    def restart(self, name: str, reason: str) -> None:
        """End a process and start it again, as one that ended by itself."""
        kept = self._kept.get(name)
        if kept is not None and kept.process is not None and kept.kill_at_s is None:
            kept.why_asked = reason
            self._request_stop(kept)

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
        with contextlib.suppress(BlockingIOError):  # it is going to wake up anyway
            os.write(self._wake_write, b"\0")

    def reports(self) -> tuple[ChildReport, ...]:
        """Return how each process does, in the order in which they were asked for."""
        return tuple(
            ChildReport(
                name=kept.spec.name,
                phase=kept.phase,
                pid=None if kept.process is None else kept.process.pid,
                started_s=None if kept.process is None else kept.started_s,
                restarts=kept.history.restarts,
                reason=kept.reason,
                next_start_s=kept.next_start_s if kept.is_wanted and kept.process is None else None,
                last_lines=kept.output.last_lines,
                dropped_lines=kept.output.dropped,
            )
            for kept in self._kept.values()
        )

    def poll(self, timeout_s: float) -> bool:
        """Start what is due, then wait for what happens first, at most `timeout_s`.

        Returns:
            Whether a process has started or ended.
        """
        self._act()
        now_s = self._clock.monotonic()
        wait_s = max(0.0, min([timeout_s, *(due_s - now_s for due_s in self._due())]))
        for key, _ in self._selector.select(wait_s):
            kept: _Kept | None = key.data
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
                    self._request_stop(kept)
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
        """Give back what the supervisor itself holds, after `stop`."""
        self._selector.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _leaving(self) -> list[_Kept]:
        return [kept for kept in self._kept.values() if kept.process is not None and not kept.is_wanted]

    def _due(self) -> Iterable[float]:
        for kept in self._kept.values():
            if kept.process is not None:
                if kept.kill_at_s is not None:
                    yield kept.kill_at_s
            elif kept.is_wanted and kept.next_start_s is not None:
                yield kept.next_start_s

    def _act(self) -> None:
        now_s = self._clock.monotonic()
        for kept in self._kept.values():
            if kept.process is not None:
                if kept.kill_at_s is not None and kept.kill_at_s <= now_s:
                    kept.kill_at_s = None
                    kept.process.kill()
            elif kept.is_wanted and kept.next_start_s is not None and kept.next_start_s <= now_s:
                self._start(kept)
        if self._spare is not None:
            if any(kept.spec.may_be_spare and kept.process is not None for kept in self._kept.values()):
                self._spare.look(self._last_start_s)
            else:
                self._spare.stop()

    def _start(self, kept: _Kept) -> None:
        kept.started_s = self._last_start_s = self._clock.monotonic()
        if kept.reason is not None:
            kept.history = kept.history.after_restart()
        self._is_changed = True
        try:
            spare = None if self._spare is None else self._spare.take(kept.spec)
            process = spare or SupervisedChild(kept.spec, self._environment)
        except OSError as error:
            self._plan_restart(kept, f"cannot be started: {error}", is_hopeless=False)
            return
        kept.process, kept.output, kept.next_start_s, kept.why_asked = process, ChildOutput(), None, None
        self._selector.register(process.output_fd, selectors.EVENT_READ, kept)
        self._selector.register(process.pid_fd, selectors.EVENT_READ, kept)
        logger.info("%s was started", kept.spec.name)

    def _request_stop(self, kept: _Kept) -> None:
        if kept.process is not None and kept.kill_at_s is None:
            kept.process.request_stop()
            kept.kill_at_s = self._clock.monotonic() + kept.spec.stop_timeout_s + KILL_MARGIN_S

    def _read(self, kept: _Kept) -> bytes | None:
        if kept.process is None:
            return None
        data = kept.process.read()
        if data is None:
            self._unregister(kept.process.output_fd)
        elif data:
            self._show(kept, kept.output.take(data, self._clock.monotonic()))
        return data

    def _show(self, kept: _Kept, taken: Taken) -> None:
        if taken.left_out:
            self._on_line(kept.spec.name, f"({taken.left_out} lines were too many and are left out)")
        for line in taken.lines:
            self._on_line(kept.spec.name, line)

    def _note_end(self, kept: _Kept) -> None:
        process = kept.process
        if process is None or not process.has_ended():
            return
        for _ in range(MAX_READS):
            if not self._read(kept):
                break
        self._show(kept, kept.output.close(self._clock.monotonic()))
        self._unregister(process.output_fd)
        self._unregister(process.pid_fd)
        status = process.reap()
        kept.process, kept.kill_at_s = None, None
        self._is_changed = True
        name = kept.spec.name
        if not kept.is_wanted:
            logger.info("%s %s", name, describe_end(status))
        elif kept.is_replaced:
            kept.begin_anew(self._clock.monotonic())
        elif status == 0 and kept.spec.may_end and kept.why_asked is None:
            kept.reason, kept.has_finished = "ended by itself", True
            logger.warning("%s ended by itself; it is started again when its settings change, or by a reload", name)
        else:
            words = kept.output.last_words
            reason = kept.why_asked or f"{describe_end(status)}{f': {words}' if words else ''}"
            self._plan_restart(kept, reason, is_hopeless=status == HOPELESS_STATUS and kept.why_asked is None)

    def _plan_restart(self, kept: _Kept, reason: str, *, is_hopeless: bool) -> None:
        now_s = self._clock.monotonic()
        was_failed = kept.history.is_failed
        kept.reason = reason
        kept.history = kept.history.after_end(started_s=kept.started_s, ended_s=now_s, is_hopeless=is_hopeless)
        delay_s = kept.history.delay_s(self._rng.random())
        kept.next_start_s = now_s + delay_s
        name, history = kept.spec.name, kept.history
        if not history.is_failed:
            logger.warning("%s %s; it is started again %s", name, reason, f"in {delay_s:.1f} s" if delay_s else "now")
        elif not was_failed:
            logger.error(
                "%s has failed: it %s%s; it is tried again in %.0f s, then once a minute, and as soon as its settings "
                "change",
                name,
                reason,
                "" if is_hopeless else f", for the {history.ends_in_a_row}th time in a row",
                delay_s,
            )
        else:
            logger.warning("%s %s, again; it is tried in %.0f s", name, reason, delay_s)

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
