"""Why a command is not carried out, as the answer says it."""

from collections.abc import Mapping
from types import MappingProxyType

from nvr.core.errors import (
    ConfigurationError,
    InvalidInputError,
    ModelError,
    NvrError,
    OfflineError,
    UnsupportedError,
)
from nvr.core.masking import mask_credentials
from nvr.events.command import CommandError, ErrorType

ERROR_MEANINGS: Mapping[ErrorType, str] = MappingProxyType(
    {
        "invalid": "The message, its parameters or the cameras that it names are wrong.",
        "unknown_command": "No command has this name.",
        "unauthorised": "It is not signed, not with our key, or too old.",
        "disabled": "The instance takes no commands.",
        "expired": "It came, or its turn came, after its `expires_at`.",
        "conflict": "A command in work changes the same, the instance is stopping, or another process has its name.",
        "not_found": "There is no such camera or model.",
        "unsupported": "This instance cannot do it, such as record where nothing is recorded.",
        "failed": "It was tried and failed; the reason says what was kept.",
        "timeout": "The instance stopped before it had ended; nobody knows how it did.",
        "busy": "Too many commands wait already.",
    }
)
"""For the reference."""

MAX_REASON = 1000
"""Characters of a reason; a provider's message may be pages long."""


class RefusedError(InvalidInputError):
    """A command is not carried out, for a reason that is known by its type."""

    def __init__(self, type_: ErrorType, reason: str) -> None:
        super().__init__(reason)
        self.type: ErrorType = type_


def command_error(error: Exception) -> CommandError:
    """Return what is answered when the work of a command raised; never a credential."""
    reason = str(error) if isinstance(error, NvrError) else f"{type(error).__name__}: {error}"
    reason = mask_credentials(reason[: 10 * MAX_REASON])
    return CommandError(
        type=error_type(error), reason=reason if len(reason) <= MAX_REASON else reason[:MAX_REASON] + "…"
    )


def error_type(error: Exception) -> ErrorType:
    """Return the type by what the caller can do about an error."""
    match error:
        case RefusedError():
            return error.type
        case ModelError():
            return "not_found"
        case OfflineError():
            return "failed"
        case ConfigurationError() | InvalidInputError():
            return "invalid"
        case UnsupportedError():
            return "unsupported"
        case _:
            return "failed"
