"""Why a command is not carried out, as the answer says it."""

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
