"""Logging of the commands: one line a record on stderr, credentials hidden whoever wrote it."""

import logging
import os
import sys

from nvr.core.masking import mask_credentials

_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_CHATTY_LIBRARIES = ("httpx", "httpcore", "libav", "uvicorn.access", "asyncio", "transitions", "amqtt")


class _MaskingFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return mask_credentials(super().format(record))


def setup_logging(is_verbose: bool, quiet_level: str = "INFO") -> None:
    """Send the records of this process to stderr, from `quiet_level` or, if verbose, from DEBUG on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_MaskingFormatter(_FORMAT, datefmt="%H:%M:%S"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if is_verbose else quiet_level)
    for name in _CHATTY_LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    # OpenCV and FFmpeg write to stderr by themselves, with URIs as they are
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
    os.environ.setdefault("AV_LOG_FORCE_NOCOLOR", "1")
