"""What is asked of instances, and what they answer."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from nvr.events.message import AwareUtc, Message, MessagePart, NonNegative, SourceId

ALL_INSTANCES = "*"

CommandWord = Annotated[str, Field(min_length=1, max_length=64)]
CommandId = Annotated[str, Field(min_length=1, max_length=128)]
Target = Annotated[str, Field(min_length=1, max_length=63)]

AckState = Literal["received", "completed", "error"]
ErrorType = Literal[
    "invalid",
    "unknown_command",
    "unauthorised",
    "disabled",
    "expired",
    "conflict",
    "not_found",
    "unsupported",
    "failed",
    "timeout",
    "busy",
]
"""What each means: `nvr.control.refusal.ERROR_MEANINGS`."""


class Command(Message):
    """One command; `{"command": "pause", "target_instances": ["*"]}` is a whole one."""

    command: CommandWord = Field(description="Its name, such as `pause`.")
    command_id: CommandId | None = Field(
        default=None,
        description="Chosen by the sender: a command that comes again with the same id is answered, not carried out.",
    )
    target_instances: Annotated[tuple[Target, ...], Field(max_length=1000)] = Field(
        default=(ALL_INSTANCES,), description="Instances that it is for; `*` is all."
    )
    source_ids: Annotated[tuple[SourceId, ...], Field(max_length=10_000)] | None = Field(
        default=None, description="Cameras that it is for; unset: all of each instance. Those of others are left out."
    )
    params: dict[str, JsonValue] = Field(default={}, description="Parameters, by the command; see the reference.")
    issued_at: AwareUtc | None = Field(default=None, description="When it was sent, aware UTC; part of a signature.")
    expires_at: AwareUtc | None = Field(
        default=None, description="When nobody should carry it out any more, aware UTC; unset: never."
    )
    issuer: Annotated[str, Field(max_length=200)] | None = Field(default=None, description="Who asks, for the audit.")
    signature: Annotated[str, Field(max_length=200)] | None = Field(
        default=None, description="HMAC-SHA256 in hexadecimal over all else, where instances ask for it."
    )

    @property
    def subject(self) -> str:
        """The command, for errors."""
        return f"command {self.command}"

    def is_for(self, instance_id: str) -> bool:
        """Tell whether an instance is meant."""
        return ALL_INSTANCES in self.target_instances or instance_id in self.target_instances


class CommandError(MessagePart):
    """Why a command was not carried out."""

    type: ErrorType = Field(description="What kind of reason, for programs.")
    reason: str = Field(description="The reason in words, for people.")


class CommandAck(Message):
    """An instance's answer: `received` at once, then `completed` or `error`."""

    instance_id: str = Field(description="Who answers.")
    command_id: str | None = Field(default=None, description="Of the command; unset where it could not be read.")
    command: str | None = Field(default=None, description="Its name; unset where it could not be read.")
    status: AckState = Field(description="`received` comes first, then `completed` or `error`.")
    timestamp: AwareUtc = Field(description="When this was said, aware UTC.")
    result: JsonValue = Field(
        default=None, description="What a command found or did; beside an error, which part of it was done."
    )
    error: CommandError | None = Field(default=None, description="Why it was not carried out.")
    duration_ms: NonNegative | None = Field(default=None, description="From the receipt to the end.")

    @property
    def subject(self) -> str:
        """The command, for errors."""
        return f"command {self.command_id}"
