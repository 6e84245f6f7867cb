"""Logging of the commands: one line a record on stderr, credentials hidden whoever wrote it."""

import logging
import os
import sys
from collections.abc import Mapping
from io import TextIOBase
from typing import TYPE_CHECKING, Literal, TextIO

from nvr.core.log_format import JsonFormatter, TextFormatter
from nvr.core.log_limit import RepeatLimit

if TYPE_CHECKING:
    from nvr.config.operations import LogConfig

LogFormat = Literal["text", "json"]

_CHATTY_LIBRARIES = ("httpx", "httpcore", "libav", "uvicorn.access", "asyncio", "transitions", "amqtt")


class _Handler(logging.StreamHandler[TextIO | TextIOBase]):
    """Writes to a stream; who is limited is told of before it ends."""

    def __init__(self, stream: TextIO | TextIOBase) -> None:
        super().__init__(stream)
        self._limit = RepeatLimit(self._write)
        self.addFilter(self._limit)

    def close(self) -> None:
        """Tell what was held back, and end."""
        self._limit.flush()
        super().close()

    def _write(self, record: logging.LogRecord) -> None:
        self.acquire()
        try:
            self.emit(record)
        finally:
            self.release()


def setup_logging(
    is_verbose: bool,
    quiet_level: str = "INFO",
    log_format: LogFormat = "text",
    *,
    fields: Mapping[str, object] | None = None,
    stream: TextIO | TextIOBase | None = None,
) -> None:
    """Send the records of this process to one place, in place of where they went before.

    Args:
        is_verbose: From DEBUG on, whatever `quiet_level` says.
        quiet_level: The least important level that is written.
        log_format: Lines for people or JSON objects for programs.
        fields: What each JSON object says of this process, such as its `instance_id`.
        stream: Where to; None for stderr.
    """
    handler = _Handler(sys.stderr if stream is None else stream)
    handler.setFormatter(JsonFormatter(fields) if log_format == "json" else TextFormatter())
    root = logging.getLogger()
    for old in root.handlers:
        if isinstance(old, _Handler):
            old.close()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if is_verbose else quiet_level.upper())
    for name in _CHATTY_LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    # OpenCV and FFmpeg write to stderr by themselves, with URIs as they are
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
    os.environ.setdefault("AV_LOG_FORCE_NOCOLOR", "1")


def apply_log_settings(log: "LogConfig", fields: Mapping[str, object] | None = None) -> None:
    """Log as the settings say from now on; `fields` as in `setup_logging`."""
    setup_logging(is_verbose=False, quiet_level=log.level, log_format=log.format, fields=fields)
