import pytest
from pydantic import ValidationError

from nvr.config.operations import HomeAssistantConfig


@pytest.mark.parametrize("prefix", ["homeassistant", "ha", "house/homeassistant"])
def test_a_discovery_prefix_is_one_or_more_levels(prefix: str) -> None:
    assert HomeAssistantConfig(discovery_prefix=prefix).discovery_prefix == prefix


@pytest.mark.parametrize("prefix", ["", "/ha", "ha/", "a//b", "ha/#", "+", "ha\0"])
def test_a_prefix_under_which_nobody_looks_is_refused(prefix: str) -> None:
    with pytest.raises(ValidationError):
        HomeAssistantConfig(discovery_prefix=prefix)
