"""Records as one line each: for people, or as JSON for programs. Credentials are hidden whoever wrote them."""

import json
import logging
import math
from collections.abc import Mapping
from datetime import UTC, datetime

from nvr.core.log_context import current_fields, extras_of
from nvr.core.masking import mask_credentials

TEXT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
CLOCK = "%H:%M:%S"

MAX_CHARS = 16_384
"""Of one text in a record: a stranger's megabytes, quoted in an error, are no log."""

CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), 127, *range(128, 160)) if chr(code) != "\t"} | {
    ord("\n"): "\\n",
    ord("\r"): "\\r",
}
"""What strangers send must neither begin a line of its own nor steer the terminal."""


class TextFormatter(logging.Formatter):
    """Lines for people; the trace of an exception follows in lines of its own."""

    def __init__(self) -> None:
        super().__init__(TEXT, datefmt=CLOCK)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - as logging calls it
        """Return the line of a record, with the fields of its context behind it but for what it says itself."""
        fields = {name: value for name, value in current_fields().items() if name != "source_id"}
        behind = "".join(f" {name}={value}" for name, value in fields.items())
        return _cut(f"{super().formatMessage(record)}{behind}").translate(CONTROLS)

    def format(self, record: logging.LogRecord) -> str:
        """Return what is written of a record."""
        return mask_credentials(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: timestamp, level, logger, message, thread, then the fields of record and context."""

    def __init__(self, fields: Mapping[str, object] | None = None) -> None:
        """Prepare; `fields` are those of the process, such as its instance, which each record carries."""
        super().__init__()
        self._fields = dict(fields or {})

    def format(self, record: logging.LogRecord) -> str:
        """Return what is written of a record."""
        timestamp = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        entry: dict[str, object] = {
            "timestamp": timestamp.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _text(record.getMessage()),
            "thread": record.threadName,
        }
        for name, value in {**self._fields, **current_fields(), **extras_of(record)}.items():
            entry[name if name not in entry and name != "exception" else f"extra_{name}"] = _plain(value)
        if record.exc_info:
            entry["exception"] = _text(self.formatException(record.exc_info))
        elif record.exc_text:
            entry["exception"] = _text(record.exc_text)
        return json.dumps(entry, allow_nan=False)


def _plain(value: object) -> object:
    """Return a value as JSON has it; what it has no form for is a text."""
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return _text(value if isinstance(value, str) else str(value))


def _text(text: str) -> str:
    # half a surrogate pair, as of a file name that is no UTF-8, cannot be written
    return _cut(mask_credentials(text)).encode("utf-8", "backslashreplace").decode()


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CHARS else f"{text[:MAX_CHARS]}… ({len(text)} characters)"
