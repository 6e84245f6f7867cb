import pytest
from pydantic import ValidationError

from nvr.config.recording import CameraRetention, RecordingConfig


@pytest.mark.parametrize("mode", ["off", "continuous", "events", "on_demand", "continuous+events", "events+on_demand"])
def test_a_mode_is_off_or_some_words(mode: str) -> None:
    assert RecordingConfig(mode=mode).mode == mode


@pytest.mark.parametrize(
    "mode",
    ["", "on", "off+events", "events+", "+events", "events+events", "Continuous", "continuous events", "event\n"],
)
def test_any_other_mode_is_refused(mode: str) -> None:
    with pytest.raises(ValidationError):
        RecordingConfig(mode=mode)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("segment_s", 0),
        ("segment_s", float("nan")),
        ("fragment_s", 1.5),
        ("pre_roll_s", -1),
        ("on_demand_max_s", 0),
        ("retain_continuous_days", 0),
        ("retain_event_days", float("inf")),
        ("max_total_gb", -1),
        ("min_free_percent", 100),
        ("unheard_of", 1),
        ("cameras", {-1: {}}),
        ("cameras", {1: {"retain_event_days": 0}}),
    ],
)
def test_impossible_values_are_refused(name: str, value: object) -> None:
    with pytest.raises(ValidationError):
        RecordingConfig.model_validate({name: value})


def test_a_camera_keeps_what_it_does_not_say_like_all_others() -> None:
    config = RecordingConfig(retain_event_days=20, max_camera_gb=3, cameras={4: CameraRetention(max_gb=9)})
    assert config.retention_of(4) == CameraRetention(
        retain_continuous_days=7, retain_event_days=20, retain_on_demand_days=30, max_gb=9
    )
    assert config.retention_of(5).max_gb == 3


def test_nothing_is_recorded_unless_somebody_says_so() -> None:
    assert RecordingConfig().root is None
    assert RecordingConfig().mode == "off"
