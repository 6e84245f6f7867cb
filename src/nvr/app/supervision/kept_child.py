"""What the supervisor knows of one process: how it does, why it ended, and what is to happen to it when."""

import logging
from dataclasses import dataclass, field, replace
from typing import Literal

from nvr.app.supervision.child_output import ChildOutput
from nvr.app.supervision.restarts import RestartHistory
from nvr.app.supervision.supervised_child import ChildSpec, SupervisedChild, describe_end

logger = logging.getLogger(__name__)

ChildPhase = Literal["running", "waiting", "failed", "stopped"]

KILL_MARGIN_S = 0.3
"""What a guard gets to kill its program, beyond what the program gets to end."""
HOPELESS_STATUS = 2
"""Our commands end so where a person must change something; another try is in vain."""


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
class KeptChild:
    """A process that is wanted, or was. All `now_s` are monotonic seconds."""

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
        """How it does."""
        if not self.is_wanted or self.has_finished:
            return "stopped"
        if self.process is not None:
            return "running"
        return "failed" if self.history.is_failed else "waiting"

    @property
    def is_leaving(self) -> bool:
        """Whether it runs and is wanted no more."""
        return self.process is not None and not self.is_wanted

    @property
    def due_s(self) -> float | None:
        """When it is to be killed, or started; None where neither is planned."""
        if self.process is not None:
            return self.kill_at_s
        return self.next_start_s if self.is_wanted else None

    def report(self) -> ChildReport:
        """Return how it does."""
        return ChildReport(
            name=self.spec.name,
            phase=self.phase,
            pid=None if self.process is None else self.process.pid,
            started_s=None if self.process is None else self.started_s,
            restarts=self.history.restarts,
            reason=self.reason,
            next_start_s=self.next_start_s if self.is_wanted and self.process is None else None,
            last_lines=self.output.last_lines,
            dropped_lines=self.output.dropped,
        )

    def begin_anew(self, now_s: float) -> None:
        """Forget all ends, and let it start now."""
        self.history = RestartHistory(restarts=self.history.restarts)
        self.reason = None
        self.is_replaced = self.has_finished = False
        self.next_start_s = now_s

    def want(self, spec: ChildSpec, now_s: float) -> None:
        """Let it be as `spec` says from now on; another command needs another process."""
        before, self.spec = self.spec, spec
        if self.process is None:
            if before != spec or not self.is_wanted:
                self.begin_anew(now_s)
        elif not self.is_wanted or before.command != spec.command:
            self.is_replaced = True
            self.request_stop(now_s)
        self.is_wanted = True

    def request_stop(self, now_s: float) -> None:
        """Ask it to end, unless it was asked already."""
        if self.process is not None and self.kill_at_s is None:
            self.process.request_stop()
            self.kill_at_s = now_s + self.spec.stop_timeout_s + KILL_MARGIN_S

    def note_start(self, process: SupervisedChild) -> None:
        """Take its process."""
        self.process, self.output, self.next_start_s, self.why_asked = process, ChildOutput(), None, None
        logger.info("%s was started", self.spec.name)

    def note_end(self, status: int, now_s: float, spread: float) -> None:
        """Decide what follows its end.

        Args:
            status: As `SupervisedChild.reap` returns it.
            now_s: Now.
            spread: As of `RestartHistory.delay_s`.
        """
        self.process, self.kill_at_s = None, None
        name = self.spec.name
        if not self.is_wanted:
            logger.info("%s %s", name, describe_end(status))
        elif self.is_replaced:
            self.begin_anew(now_s)
        elif status == 0 and self.spec.may_end and self.why_asked is None:
            self.reason, self.has_finished = "ended by itself", True
            logger.warning("%s ended by itself; it is started again when its settings change, or by a reload", name)
        else:
            words = self.output.last_words
            reason = self.why_asked or f"{describe_end(status)}{f': {words}' if words else ''}"
            is_hopeless = status == HOPELESS_STATUS and self.why_asked is None
            self.plan_restart(reason, now_s, spread, is_hopeless=is_hopeless)

    def plan_restart(self, reason: str, now_s: float, spread: float, *, is_hopeless: bool = False) -> None:
        """Decide when it is started again, and tell it; the end of one that has one life is told by its owner."""
        was_failed = self.history.is_failed
        self.reason = reason
        if self.spec.has_one_life:
            self.history, self.next_start_s = replace(self.history, is_failed=True), None
            return
        self.history = self.history.after_end(started_s=self.started_s, ended_s=now_s, is_hopeless=is_hopeless)
        delay_s = self.history.delay_s(spread)
        self.next_start_s = now_s + delay_s
        name, history = self.spec.name, self.history
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
