"""Whether a command is taken, and if not, why; pure."""

from dataclasses import dataclass
from datetime import datetime

from nvr.control.parameters import Parameters, read_parameters
from nvr.control.refusal import RefusedError
from nvr.control.signing import is_signed
from nvr.core.errors import MessageError
from nvr.events.command import Command

MAX_COMMAND_BYTES = 2**18
"""Ten thousand cameras can be named in it; what is larger would hold up the answers to others while it is read."""

AHEAD_S = 2.0
"""How far the clock of who signs may be ahead of ours. Each second of it is one after the start in which no signed
command is taken: it could be of before, see `memory`."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Whose commands are taken."""

    is_enabled: bool = True
    key: str | None = None
    """Shared key; None: any command is taken."""
    max_skew_s: float = 60.0
    """How old a signed command may be."""

    def check(self, command: Command, payload: bytes, now: datetime) -> None:
        """Refuse a command that is not from where commands may come, whatever it asks for.

        Args:
            command: What was read of it.
            payload: The command as it came: the signature is over all of it.
            now: Aware UTC.

        Raises:
            RefusedError: It is not signed as it must be.
        """
        if self.key is not None:
            _check_signature(command, payload, self.key)
            _check_age(command, now, self.max_skew_s)

    def check_enabled(self) -> None:
        """Raise RefusedError where no commands are taken."""
        if not self.is_enabled:
            raise RefusedError("disabled", "this instance takes no commands (control.enabled is false)")


def parse_command(payload: bytes) -> Command:
    """Return a command as it came.

    Raises:
        MessageError: It is too large or no command.
    """
    if len(payload) > MAX_COMMAND_BYTES:
        raise MessageError(f"not a Command: {len(payload)} bytes, at most {MAX_COMMAND_BYTES}")
    return Command.from_json(payload)


def read_command(command: Command) -> Parameters:
    """Return what a command is told; raises RefusedError where it is none that we know or can read."""
    return read_parameters(command.command, command.params, command.source_ids)


def check_expiry(command: Command, now: datetime) -> None:
    """Raise RefusedError where a command came too late."""
    if command.expires_at is not None and now >= command.expires_at:
        raise RefusedError("expired", f"it expired at {command.expires_at.isoformat()}, now it is {now.isoformat()}")


def _check_signature(command: Command, payload: bytes, key: str) -> None:
    if command.signature is None:
        raise RefusedError("unauthorised", "this instance takes signed commands only (control.key)")
    if not is_signed(payload, command.signature, key):
        raise RefusedError("unauthorised", "the signature is not that of this command and our key")
    if command.command_id is None or command.issued_at is None:
        raise RefusedError("unauthorised", "a signed command needs command_id and issued_at, else it could be replayed")


def _check_age(command: Command, now: datetime, max_skew_s: float) -> None:
    if command.issued_at is None:
        return
    age_s = (now - command.issued_at).total_seconds()
    if -AHEAD_S <= age_s <= max_skew_s:
        return
    limit = f"at most {max_skew_s:g} s old" if age_s > 0 else f"no more than {AHEAD_S:g} s ahead of us"
    raise RefusedError(
        "unauthorised",
        f"it was issued at {command.issued_at.isoformat()}, now it is {now.isoformat()}: a signed command is {limit}",
    )
