"""Which settings take effect at once."""

import pytest

from nvr.config.diff import LIVE
from nvr.config.processor import StreamProcessorConfig
from nvr.core.errors import ConfigurationError
from nvr.processor.live_settings import OF_CAMERAS, checked, split_changes

BEFORE = StreamProcessorConfig(stream_uris=("rtsp://127.0.0.1/a",), max_fps=5)


def test_what_is_new_is_split_by_when_it_takes_effect() -> None:
    changes = {"max_fps": 2.0, "classes": ("person",), "mqtt_port": 1884, "tenant": "acme", "stream_uris": ()}
    live, rebuild = split_changes(BEFORE, BEFORE.model_copy(update=changes))
    assert live == {"max_fps": 2.0, "classes": ("person",)}
    assert rebuild == ("mqtt_port", "tenant")
    assert split_changes(BEFORE, BEFORE) == ({}, ())


def test_each_name_is_a_setting() -> None:
    assert StreamProcessorConfig.model_fields.keys() >= LIVE | OF_CAMERAS


def test_values_are_checked_as_in_the_settings() -> None:
    assert checked("max_fps", None) is None
    assert checked("confidence_threshold", 0) == 0
    for name, value in (("max_fps", 0), ("max_fps", float("nan")), ("confidence_threshold", 1.1)):
        with pytest.raises(ConfigurationError, match=name):
            checked(name, value)
    with pytest.raises(ConfigurationError, match="confidence_threshold"):
        checked("confidence_threshold", None)
