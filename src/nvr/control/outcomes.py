"""What was answered, so that a command that comes again is answered and not carried out."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from nvr.control.signing import canonical
from nvr.events.command import Command

MAX_OUTCOMES = 1000
MAX_BYTES = 4 * 2**20
"""A status of hundreds of cameras has 100 kB; the oldest answers go first."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A final answer as it was sent."""

    fingerprint: str
    """Of the command that it was for."""
    ack: bytes


class Outcomes:
    """The last answers by command id, bounded by number and by size. For one thread, or under its owner's lock."""

    def __init__(self, max_outcomes: int = MAX_OUTCOMES, max_bytes: int = MAX_BYTES) -> None:
        self._max_outcomes = max_outcomes
        self._max_bytes = max_bytes
        self._outcomes: OrderedDict[str, Outcome] = OrderedDict()
        self._size_bytes = 0

    def __len__(self) -> int:
        return len(self._outcomes)

    def put(self, command_id: str, outcome: Outcome) -> None:
        """Remember an answer; the newest one is kept whatever its size."""
        self._drop(command_id)
        self._outcomes[command_id] = outcome
        self._size_bytes += len(outcome.ack)
        while len(self._outcomes) > self._max_outcomes or (
            self._size_bytes > self._max_bytes and len(self._outcomes) > 1
        ):
            self._drop(next(iter(self._outcomes)))

    def get(self, command_id: str) -> Outcome | None:
        """Return what was answered, and keep it as one that is still asked for."""
        outcome = self._outcomes.get(command_id)
        if outcome is not None:
            self._outcomes.move_to_end(command_id)
        return outcome

    def _drop(self, command_id: str) -> None:
        dropped = self._outcomes.pop(command_id, None)
        if dropped is not None:
            self._size_bytes -= len(dropped.ack)


def fingerprint(command: Command) -> str:
    """Return what two commands have in common that ask for the same, whenever and by whomever they were sent."""
    asked = command.model_dump(mode="json", include={"command", "source_ids", "params"})
    return hashlib.sha256(canonical(asked)).hexdigest()
