"""Takes the commands of one instance, has them carried out, and answers: `received` at once, then how it ended."""

import logging
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from pydantic import JsonValue

from nvr.config.operations import ControlConfig
from nvr.control.admission import Admission, check_expiry, parse_command, read_command
from nvr.control.answers import Answers
from nvr.control.audit import AuditEntry, AuditLog
from nvr.control.conflicts import Thing, do_conflict, touched
from nvr.control.connection import InstanceConnection
from nvr.control.handlers import CommandHandlers, PartialError, Request
from nvr.control.lane import Lane
from nvr.control.memory import CommandMemory
from nvr.control.outcomes import Outcome, fingerprint
from nvr.control.parameters import COMMANDS, Parameters
from nvr.control.refusal import RefusedError, command_error
from nvr.control.signing import key_of_tenant
from nvr.core.clock import Clock, SystemClock
from nvr.core.errors import MessageError, NvrError
from nvr.core.log_context import log_fields
from nvr.core.rate import RateGate
from nvr.core.throttle import ThrottledLog
from nvr.events.command import Command, CommandError
from nvr.events.protocol import TopicKind

logger = logging.getLogger(__name__)

UNREADABLE_PER_S = 2.0
"""Answers to messages that are no command; the rest is counted."""

QUICK_THREADS, QUICK_PLACES = 1, 64
SLOW_THREADS, SLOW_PLACES = 4, 16
"""Models that load, cameras that come: each in a thread, so that one that hangs holds up no other."""


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """A command that was taken and is not over."""

    command: Command
    parameters: Parameters
    things: frozenset[Thing]
    fingerprint: str
    received_s: float
    instance_id: str
    """Under which it came."""


@dataclass(frozen=True, slots=True)
class ControlCounters:
    """What became of what came, since the start."""

    received: int
    """Commands for this instance."""
    completed: int
    failed: int
    """Refused, or ended with an error."""
    repeated: int
    """Came again and were only answered."""
    unreadable: int


class ControlAgent:
    """Answers the commands on the broker; they may come as soon as it is started, cameras or not."""

    def __init__(
        self,
        connection: InstanceConnection,
        config: ControlConfig,
        handlers: CommandHandlers,
        *,
        memory: CommandMemory | None = None,
        on_done: Callable[[], None] = lambda: None,
        clock: Clock | None = None,
    ) -> None:
        """Prepare; nothing is subscribed before `start`.

        Args:
            connection: Carries commands and answers; its owner starts it and stops it after `stop`.
            config: Whose commands are taken, and what is written down.
            handlers: Carry commands out.
            memory: What the process knows of earlier commands; by default this agent has one of its own.
            on_done: Called after each command that was carried out, in one of the agent's threads.
            clock: For time stamps and intervals.
        """
        self._connection = connection
        self._handlers = handlers
        self._on_done = on_done
        self._clock = clock or SystemClock()
        self._memory = memory or CommandMemory(clock=self._clock)
        self._config = config
        self._admission = _admission(config, self._connection.topics.tenant)
        self._audit = self._make_audit(config)
        self._answers = self._make_answers()
        self._audit_lost = 0
        self._quick = Lane("control-quick", n_threads=QUICK_THREADS, capacity=QUICK_PLACES, clock=self._clock)
        self._slow = Lane("control-slow", n_threads=SLOW_THREADS, capacity=SLOW_PLACES, clock=self._clock)
        self._unreadable_gate = RateGate(UNREADABLE_PER_S)
        self._trouble = ThrottledLog(logger, clock=self._clock)
        self._lock = threading.Lock()
        self._has_ended = threading.Condition(self._lock)
        self._in_work: set[_Work] = set()
        self._counts = Counter[str]()
        self._is_stopping = False

    @property
    def counters(self) -> ControlCounters:
        """What became of what came."""
        with self._lock:
            counts = self._counts
            return ControlCounters(
                counts["received"], counts["completed"], counts["failed"], counts["repeated"], counts["unreadable"]
            )

    @property
    def audit_lost(self) -> int:
        """Commands that the audit log could not take."""
        audit = self._audit
        return self._audit_lost + (0 if audit is None else audit.lost)

    def start(self) -> None:
        """Begin to listen; may come before the broker is there."""
        if self._audit is not None:
            self._audit.start()
        self._quick.start()
        self._slow.start()
        topics = self._connection.topics
        self._connection.subscribe(topics.commands, self.take, TopicKind.COMMANDS.qos, wants_retained=False)

    def reconfigure(self, config: ControlConfig) -> None:
        """Go by other settings from the next command on; what is in work goes on, and what was answered is known.

        Not to be called by a handler, nor by two threads at a time.
        """
        if config == self._config:
            return
        before, audit = self._config, self._audit
        if before.key is None and config.key is not None:
            self._memory.begin_anew()
        self._config = config
        if before.audit_path != config.audit_path:
            self._audit = self._make_audit(config)
            if self._audit is not None:
                self._audit.start()
        self._admission = _admission(config, self._connection.topics.tenant)
        self._answers = self._make_answers()
        if audit is not None and audit is not self._audit:
            audit.stop()
            self._audit_lost += audit.lost

    def write_down(self, entry: AuditEntry) -> None:
        """Put into the audit log what was asked for in another way than by a command; any thread, never waits."""
        audit = self._audit
        if audit is not None:
            audit.note(entry)

    def wait_idle(self, timeout_s: float) -> bool:
        """Wait until no command is in work; False if one still is. Not to be called by a handler."""
        with self._has_ended:
            return self._has_ended.wait_for(lambda: not self._in_work, timeout_s)

    def stop(self, timeout_s: float = 2.0) -> None:
        """Take no more commands, let those in work end within the time, and answer for those that do not.

        Not to be called by a handler: it would wait for itself.
        """
        deadline_s = self._clock.monotonic() + timeout_s

        def left_s() -> float:
            return max(0.0, deadline_s - self._clock.monotonic())

        with self._has_ended:
            self._is_stopping = True
            self._has_ended.wait_for(lambda: not self._in_work, timeout_s)
            unfinished = tuple(self._in_work)
        for work in unfinished:
            with _about(work.command):
                self._end(work, None, CommandError(type="timeout", reason="the instance stopped before it had ended"))
        self._quick.stop(left_s())
        self._slow.stop(left_s())
        if self._audit is not None:
            self._audit.stop()

    def take(self, topic: str, payload: bytes) -> None:
        """Take one message, in the connection's thread: nothing is carried out here, and nothing waited for."""
        received_s = self._clock.monotonic()
        instance_id = self._connection.instance_id
        try:
            command = parse_command(payload)
        except MessageError as error:
            self._refuse_unreadable(topic, instance_id, error)
            return
        if not command.is_for(instance_id):
            return
        is_named = instance_id in command.target_instances
        if command.command in COMMANDS and command.command not in self._handlers and not is_named:
            return  # what a supervisor is asked along with all processors
        self._count("received")
        try:
            self._admission.check(command, payload, self._clock.now())
            if self._answer_repeat(command, instance_id):
                return
            print_of_signed = self._take_signed(command)
        except (RefusedError, MessageError) as error:
            self._refuse(command, instance_id, error, received_s)
            return
        try:
            self._admission.check_enabled()
            check_expiry(command, self._clock.now())
            self._begin(command, instance_id, received_s)
        except (RefusedError, MessageError) as error:
            ack = self._refuse(command, instance_id, error, received_s)
            if print_of_signed is not None and command.command_id is not None:  # a recording of it stays refused
                self._memory.remember(command.command_id, Outcome(print_of_signed, ack))

    def _take_signed(self, command: Command) -> str | None:
        """Note that a signed command was taken and return its fingerprint; None where commands are not signed."""
        if self._admission.key is None or command.command_id is None or command.issued_at is None:
            return None
        found = fingerprint(command)
        self._memory.take_signed(command.command_id, command.issued_at, self._admission.max_skew_s)
        return found

    def _answer_repeat(self, command: Command, instance_id: str) -> bool:
        """Answer a command that came before as it was answered then; False for a new one."""
        if command.command_id is None:
            return False
        with self._lock:
            outcome = self._memory.outcome(command.command_id)
            known = outcome or next((w for w in self._in_work if w.command.command_id == command.command_id), None)
        if known is None:
            return False
        if known.fingerprint != fingerprint(command):
            raise RefusedError("invalid", f"command_id {command.command_id} was used for another command")
        self._count("repeated")
        if outcome is not None:
            self._answers.send(instance_id, outcome.ack)
        else:
            self._answers.say_received(command, instance_id)
        self._answers.write_down(command, instance_id, "repeated")
        return True

    def _begin(self, command: Command, instance_id: str, received_s: float) -> None:
        parameters = read_command(command)
        if command.command not in self._handlers:
            raise RefusedError("unsupported", f"instance {instance_id} has no use for {command.command}")
        self._check_name(command, instance_id)
        lane = self._quick if COMMANDS[command.command].is_quick else self._slow
        work = _Work(
            command=command,
            parameters=parameters,
            things=touched(command.command, parameters, command.source_ids),
            fingerprint=fingerprint(command),
            received_s=received_s,
            instance_id=instance_id,
        )
        self._enter(work, lane)
        self._answers.say_received(command, instance_id)
        lane.put(lambda: self._carry_out(work))

    def _check_name(self, command: Command, instance_id: str) -> None:
        """Refuse what is for one of two that have the same name; what is for all is for both."""
        is_named = instance_id in command.target_instances
        if not is_named or COMMANDS[command.command].is_question:
            return
        namesake = self._connection.namesake
        if namesake is not None:
            raise RefusedError("conflict", f"{namesake} is also called {instance_id}: nobody knows which is meant")

    def _enter(self, work: _Work, lane: Lane) -> None:
        with self._lock:
            if self._is_stopping:
                raise RefusedError("conflict", f"instance {work.instance_id} is stopping")
            for other in self._in_work:
                if do_conflict(work.things, other.things):
                    raise RefusedError("conflict", f"{_name(other.command)} is in work and changes the same")
            if not lane.reserve():
                raise RefusedError("busy", "too many commands wait already: try again")
            self._in_work.add(work)

    def _carry_out(self, work: _Work) -> None:
        if work not in self._in_work:  # it was answered for when the instance stopped
            return
        with _about(work.command):
            self._carry_out_now(work)

    def _carry_out_now(self, work: _Work) -> None:
        result: JsonValue = None
        error: CommandError | None = None
        try:
            check_expiry(work.command, self._clock.now())
            result = self._handlers[work.command.command](_request(work))
        except PartialError as failure:
            result, error = failure.result, command_error(failure)
        except NvrError as failure:
            error = command_error(failure)
        except Exception as failure:  # noqa: BLE001 - the supervisor of handlers: the sender learns of it, too
            self._trouble.report(f"command {work.command.command} failed: {failure!r}", failure)
            error = command_error(failure)
        self._end(work, result, error)
        self._on_done()

    def _end(self, work: _Work, result: JsonValue, error: CommandError | None) -> None:
        """Answer for good, once; the caller has said which command the log is about."""
        command, instance_id = work.command, work.instance_id
        duration_ms = 1000 * (self._clock.monotonic() - work.received_s)
        ack = self._answers.last_word(command, instance_id, result, error, duration_ms)
        with self._has_ended:
            if work not in self._in_work:
                return
            if command.command_id is not None:
                self._memory.remember(command.command_id, Outcome(work.fingerprint, ack))
            self._counts["completed" if error is None else "failed"] += 1
            self._answers.send(instance_id, ack)  # before a repeat may be answered, and before `stop` goes on
            self._in_work.remove(work)
            self._has_ended.notify_all()
        self._answers.write_down(command, instance_id, "completed", error, duration_ms)
        if error is not None:
            logger.warning("%s: %s, %s", command.command, error.type, error.reason)
        else:
            level = logging.DEBUG if COMMANDS[command.command].is_question else logging.INFO
            logger.log(level, "%s: done in %.0f ms", command.command, duration_ms)

    def _refuse(self, command: Command, instance_id: str, refusal: NvrError, received_s: float) -> bytes:
        """Answer a command that is not carried out; returns the answer."""
        error = command_error(refusal)
        duration_ms = 1000 * (self._clock.monotonic() - received_s)
        self._count("failed")
        ack = self._answers.last_word(command, instance_id, None, error, duration_ms)
        self._answers.send(instance_id, ack)
        self._answers.write_down(command, instance_id, "error", error, duration_ms)
        self._trouble.report(f"{_name(command)} was refused, {error.type}: {error.reason}")
        return ack

    def _refuse_unreadable(self, topic: str, instance_id: str, problem: MessageError) -> None:
        self._count("unreadable")
        self._trouble.report(f"{topic}: {problem}")
        if self._unreadable_gate.admits(self._clock.monotonic()):
            self._answers.say_unreadable(instance_id, problem)

    def _count(self, what: str) -> None:
        with self._lock:
            self._counts[what] += 1

    def _make_audit(self, config: ControlConfig) -> AuditLog | None:
        return None if config.audit_path is None else AuditLog(config.audit_path, clock=self._clock)

    def _make_answers(self) -> Answers:
        is_signed = self._admission.key is not None
        return Answers(self._connection, self._audit, wants_signatures=is_signed, clock=self._clock)


def _admission(config: ControlConfig, tenant: str | None) -> Admission:
    key = None if config.key is None else key_of_tenant(config.key.get_secret_value(), tenant)
    return Admission(config.enabled, key, config.max_skew_s)


def _request(work: _Work) -> Request:
    command = work.command
    is_named = work.instance_id in command.target_instances
    return Request(command.command, work.parameters, command.source_ids, is_for_all=not is_named)


def _about(command: Command) -> AbstractContextManager[None]:
    """Let what is logged carry the id of a command."""
    return nullcontext() if command.command_id is None else log_fields(command_id=command.command_id[:40])


def _name(command: Command) -> str:
    """Return what people may call a command; what strangers sent is quoted, and short."""
    name = command.command if command.command in COMMANDS else repr(command.command)
    return name if command.command_id is None else f"{name} ({command.command_id[:40]!r})"
