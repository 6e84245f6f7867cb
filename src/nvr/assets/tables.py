"""Read values out of parsed TOML with errors that name the place, the key and what was expected."""

import difflib
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar, get_args

from nvr.core.errors import ModelError

C = TypeVar("C", bound=str)


def near_matches(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'a' or 'b'?" for the known words like `word`, or nothing if none is."""
    matches = difflib.get_close_matches(word[:100], list(known), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(repr(match) for match in matches)}?" if matches else ""


def shorten(text: str, limit: int = 80) -> str:
    """Quote a text that a stranger may have written so that one line can hold it."""
    return repr(text if len(text) <= limit else f"{text[:limit]}…")


@dataclass(frozen=True, slots=True)
class Table:
    """One TOML table and the place it stands in, for the messages."""

    values: Mapping[str, object]
    where: str

    def refuse_unknown(self, known: Collection[str]) -> None:
        """Raise ModelError for the first key that is not among the known ones."""
        for key in self.values:
            if key not in known:
                raise ModelError(f"{self.where}: unknown key {shorten(key)}{near_matches(key, known)}")

    def text(self, key: str) -> str:
        """Return a text that is not empty."""
        value = self._required(key)
        if not isinstance(value, str) or not value.strip():
            raise self._wrong(key, "a text", value)
        return value

    def choice(self, key: str, options: object, default: C | None = None) -> C:
        """Return one of the words of a Literal type."""
        words: tuple[C, ...] = get_args(options)
        value = self._required(key) if default is None else self.values.get(key, default)
        for word in words:
            if word == value:
                return word
        hint = near_matches(value, words) if isinstance(value, str) else ""
        raise self._wrong(key, f"one of {', '.join(words)}", value, hint)

    def integer(self, key: str, lowest: int, highest: int, default: int | None = None) -> int:
        """Return a whole number in a closed range."""
        value = self._required(key) if default is None else self.values.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            raise self._wrong(key, f"a whole number from {lowest} to {highest}", value)
        return value

    def number(self, key: str, default: float) -> float:
        """Return a finite number."""
        value = self.values.get(key, default)
        if not _is_number(value):
            raise self._wrong(key, "a number", value)
        return float(value)  # type: ignore[arg-type] # _is_number has seen an int or a float

    def triple(self, key: str, default: tuple[float, float, float]) -> tuple[float, float, float]:
        """Return three finite numbers, one per colour channel."""
        value = self.values.get(key, list(default))
        if not isinstance(value, list) or len(value) != 3 or not all(_is_number(part) for part in value):
            raise self._wrong(key, "three numbers", value)
        return float(value[0]), float(value[1]), float(value[2])

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts, none of them empty."""
        value = self._required(key)
        if not isinstance(value, list) or not all(isinstance(part, str) and part.strip() for part in value):
            raise self._wrong(key, "a list of texts", value)
        return tuple(value)

    def _required(self, key: str) -> object:
        if key not in self.values:
            raise ModelError(f"{self.where}: the key {key!r} is missing")
        return self.values[key]

    def _wrong(self, key: str, expected: str, value: object, hint: str = "") -> ModelError:
        return ModelError(f"{self.where}: {key}: expected {expected}, got {shorten(_as_text(value))}{hint}")


def _is_number(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        return False


def _as_text(value: object) -> str:
    try:
        return str(value)
    except (ValueError, RecursionError):  # thousands of digits, which Python does not write, or of nested tables
        return f"{type(value).__name__} too large to show"
