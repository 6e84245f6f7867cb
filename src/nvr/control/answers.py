"""What an agent says about a command: to its sender over the broker, and to the audit log."""

import logging

from pydantic import JsonValue, ValidationError

from nvr.control.audit import AuditEntry, AuditLog
from nvr.control.connection import InstanceConnection
from nvr.control.refusal import command_error
from nvr.core.clock import Clock
from nvr.core.errors import MessageError
from nvr.core.throttle import ThrottledLog
from nvr.events.command import AckState, Command, CommandAck, CommandError
from nvr.events.protocol import TopicKind

logger = logging.getLogger(__name__)


class Answers:
    """Any thread may call any method; none waits."""

    def __init__(
        self, connection: InstanceConnection, audit: AuditLog | None, *, wants_signatures: bool, clock: Clock
    ) -> None:
        self._connection = connection
        self._audit = audit
        self._wants_signatures = wants_signatures
        self._clock = clock
        self._trouble = ThrottledLog(logger, clock=clock)

    def say_received(self, command: Command, instance_id: str) -> None:
        """Answer that a command was taken."""
        self.send(instance_id, self._ack(command, instance_id, "received").to_json())

    def say_unreadable(self, instance_id: str, problem: MessageError) -> None:
        """Answer to what is no command."""
        error = command_error(problem)
        now = self._clock.now()
        ack = CommandAck(instance_id=instance_id, status="error", timestamp=now, error=error)
        self.send(instance_id, ack.to_json())
        self._note(AuditEntry(now, instance_id, error.type, reason=error.reason))

    def last_word(
        self,
        command: Command,
        instance_id: str,
        result: JsonValue,
        error: CommandError | None,
        duration_ms: float,
    ) -> bytes:
        """Return the final answer as it travels; a result that has no JSON becomes an error."""
        status: AckState = "completed" if error is None else "error"
        try:
            return self._ack(
                command, instance_id, status, result=result, error=error, duration_ms=duration_ms
            ).to_json()
        except (MessageError, ValidationError) as problem:
            self._trouble.report(f"the result of {command.command} cannot be told: {problem!r}")
            told = CommandError(type="failed", reason="it was done, and its result cannot be told as JSON")
            return self._ack(command, instance_id, "error", error=told, duration_ms=duration_ms).to_json()

    def send(self, instance_id: str, ack: bytes) -> None:
        """Publish an answer; the name is that under which the command came, so that a rename is answered, too."""
        topic = self._connection.topics.ack(instance_id)
        if not self._connection.publish(topic, ack, TopicKind.ACK.qos):
            self._trouble.report(f"too much waits for the broker: an answer on {topic} is lost")

    def write_down(
        self,
        command: Command,
        instance_id: str,
        outcome: str,
        error: CommandError | None = None,
        duration_ms: float | None = None,
    ) -> None:
        """Put a command and how it ended into the audit log."""
        self._note(
            AuditEntry(
                time=self._clock.now(),
                instance_id=instance_id,
                outcome=outcome if error is None else error.type,
                command=command.command,
                command_id=command.command_id,
                issuer=command.issuer,
                is_signed=self._wants_signatures and (error is None or error.type != "unauthorised"),
                targets=command.target_instances,
                source_ids=command.source_ids,
                params=command.params,
                reason=None if error is None else error.reason,
                duration_ms=duration_ms,
            )
        )

    def _ack(
        self,
        command: Command,
        instance_id: str,
        status: AckState,
        *,
        result: JsonValue = None,
        error: CommandError | None = None,
        duration_ms: float | None = None,
    ) -> CommandAck:
        return CommandAck(
            instance_id=instance_id,
            command_id=command.command_id,
            command=command.command,
            status=status,
            timestamp=self._clock.now(),
            result=result,
            error=error,
            duration_ms=duration_ms,
        )

    def _note(self, entry: AuditEntry) -> None:
        if self._audit is not None:
            self._audit.note(entry)
