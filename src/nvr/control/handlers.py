"""What the agent asks of whoever carries commands out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from pydantic import JsonValue

from nvr.control.parameters import Parameters
from nvr.control.refusal import RefusedError


@dataclass(frozen=True, slots=True)
class Request:
    """A command that was taken."""

    name: str
    parameters: Parameters
    source_ids: tuple[int, ...] | None = None
    """Cameras that it is for, also those of other instances; None for all."""
    is_for_all: bool = False
    """Every instance is meant, so that one without these cameras has nothing to do and makes no error of it."""


CommandHandler: TypeAlias = Callable[[Request], JsonValue]
"""Carries a command out in one of the agent's threads and returns its result; what it raises is the answer.

A `PartialError` is answered with its result, too.
"""

CommandHandlers: TypeAlias = Mapping[str, CommandHandler]
"""By the name of the command; what is absent is answered as unsupported."""


class PartialError(RefusedError):
    """Some of what was asked was done and some was not; the result says which."""

    def __init__(self, refusal: RefusedError, result: JsonValue) -> None:
        super().__init__(refusal.type, str(refusal))
        self.result = result
