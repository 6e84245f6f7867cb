"""Facts that all records of a piece of work carry: which camera, which instance, which command.

A thread begins without any; whoever runs a thread for one camera says so once, in place of each record of it.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_FIELDS: ContextVar[Mapping[str, object]] = ContextVar("nvr_log_fields")

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


@contextmanager
def log_fields(**fields: object) -> Iterator[None]:
    """Let all records of this thread, or this task, carry these fields until the end of the block."""
    token = _FIELDS.set({**_FIELDS.get({}), **fields})
    try:
        yield
    finally:
        _FIELDS.reset(token)


def current_fields() -> Mapping[str, object]:
    """Return the fields that a record of this moment carries."""
    return _FIELDS.get({})


def extras_of(record: logging.LogRecord) -> dict[str, object]:
    """Return what was given as `extra` to the record itself."""
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}
