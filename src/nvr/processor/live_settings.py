"""Which settings of a processor take effect while it runs; pure."""

from collections.abc import Mapping

from pydantic import TypeAdapter, ValidationError

from nvr.config.camera import Confidence, MaxFps
from nvr.config.diff import LIVE
from nvr.config.processor import StreamProcessorConfig
from nvr.core.errors import ConfigurationError
from nvr.core.validation import first_problem

OF_CAMERAS = frozenset({"cameras", "stream_uris"})
"""Cameras come, go and change one by one."""

_RANGES: Mapping[str, TypeAdapter[float | None]] = {
    "max_fps": TypeAdapter(MaxFps | None),
    "confidence_threshold": TypeAdapter(Confidence),
}


def split_changes(old: StreamProcessorConfig, new: StreamProcessorConfig) -> tuple[dict[str, object], tuple[str, ...]]:
    """Return the new values of settings that can take effect at once, and the names of the changed others."""
    names = StreamProcessorConfig.model_fields.keys() - OF_CAMERAS
    changed = sorted(name for name in names if getattr(old, name) != getattr(new, name))
    live: dict[str, object] = {name: getattr(new, name) for name in changed if name in LIVE}
    return live, tuple(name for name in changed if name not in LIVE)


def checked(name: str, value: float | None) -> float | None:
    """Return the value of a setting if it is one.

    Raises:
        ConfigurationError: It is out of range.
    """
    try:
        return _RANGES[name].validate_python(value)
    except ValidationError as error:
        raise ConfigurationError(f"{name}: {first_problem(error)}") from error
