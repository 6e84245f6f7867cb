"""The headless multiplexer: many cameras in, one batch, detection events out.

The two public names are loaded when they are asked for, so that `nvr.processor.mqtt_sink` can be used in another
program's pipeline without PyAV and ONNX Runtime.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nvr.config.processor import StreamProcessorConfig
    from nvr.processor.stream_processor import StreamProcessor

__all__ = ["StreamProcessor", "StreamProcessorConfig"]

_HOMES = {
    "StreamProcessor": "nvr.processor.stream_processor",
    "StreamProcessorConfig": "nvr.config.processor",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
