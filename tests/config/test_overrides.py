"""Settings from the environment: taken as they are meant, refused with the name of the variable."""

from pathlib import Path

import pytest

from nvr.config.file import parse_config
from nvr.config.known_settings import nested_model
from nvr.config.overrides import from_environment, sections, variable_of, without_settings
from nvr.config.problems import SettingsError
from nvr.config.recording import CameraRetention, RecordingConfig
from nvr.config.site import NvrConfig, SiteCamera


def site(**environment: str) -> NvrConfig:
    return parse_config("broker: {username: u}\n", "nvr.yaml", overrides=from_environment(environment))


def refusal(**environment: str) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        site(**environment)
    assert "\n" not in str(caught.value)
    return caught.value


def test_texts_are_taken_as_they_are() -> None:
    config = site(
        NVR_BROKER__PASSWORD="12345", NVR_MODELS__MODEL_ID="1e5", NVR_STORAGE__ROOT="null", NVR_BROKER__USERNAME="${X}"
    )
    assert config.broker.password is not None
    assert config.broker.password.get_secret_value() == "12345"
    assert (config.models.model_id, config.storage.root, config.broker.username) == ("1e5", Path("null"), "${X}")


def test_numbers_lists_and_sections_are_yaml() -> None:
    config = site(
        NVR_STREAMS__MAX_FPS="2.5",
        NVR_BROKER__TLS="true",
        NVR_BROKER__QOS="1",
        NVR_MODELS__CLASSES="[person, 'a, b']",
        NVR_STORAGE__CAMERAS="{3: {max_gb: 5}}",
        NVR_PROCESSORS__COUNT="4",
        NVR_HOME_ASSISTANT__CLASSES="person, car,",
        NVR_WALL__HTTP_PORT="null",
    )
    assert (config.streams.max_fps, config.broker.tls, config.broker.qos) == (2.5, True, 1)
    assert (config.models.classes, config.home_assistant.classes) == (("person", "a, b"), ("person", "car"))
    assert (config.storage.cameras[3].max_gb, config.processors.count, config.wall.http_port) == (5, 4, None)
    assert site(NVR_PROCESSORS__COUNT="auto").processors.count == "auto"


def test_a_variable_that_is_set_to_nothing_means_null_where_that_may_be() -> None:
    config = site(NVR_BROKER__USERNAME="", NVR_STREAMS__MAX_FPS="", NVR_WALL__HTTP_PORT="")
    assert (config.broker.username, config.streams.max_fps, config.wall.http_port) == (None, None, None)
    assert "wall.tile_width" in str(refusal(NVR_WALL__TILE_WIDTH=""))


def test_every_setting_of_every_section_has_a_variable() -> None:
    for section, model in sections().items():
        for setting, field in model.model_fields.items():
            value = field.get_default()
            text = "" if value is None else " " if value == () else "{}" if value == {} else str(value)
            (override,) = from_environment({variable_of(section, setting): text.lower() if value is True else text})
            assert override.path == (section, setting)
    assert {"broker", "home_assistant", "control", "log"} <= set(sections())
    assert not {"cameras", "tenants"} & set(sections())


def test_other_variables_are_no_settings() -> None:
    others = {
        "NVR_ASSETS_DIR": "x",
        "NVR_MQTT_PASSWORD": "y",
        "NVR_OFFLINE": "1",
        "NVR_PORT": "tcp://10.0.0.1:80",
        "NVR_BROKER_PORT": "tcp://10.0.0.1:1883",
        "NVR_BROKER_SERVICE_HOST": "10.0.0.1",
        "PATH": "z",
        "XNVR_BROKER__PORT": "w",
        "LOG": "1",
    }
    assert from_environment(others) == ()
    assert without_settings({**others, "NVR_BROKER__PORT": "1"}) == others


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        (
            {"NVR_BROKER__PASWORD": "x"},
            "NVR_BROKER__PASWORD: there is no such setting, did you mean NVR_BROKER__PASS",
        ),
        ({"NVR_STREAM__MAX_FPS": "1"}, "did you mean NVR_STREAMS__MAX_FPS? (environment)"),
        ({"NVR_BROKER__HOTS": "x"}, "did you mean NVR_BROKER__HOST? (environment)"),
        ({"NVR_CAMERAS__0__URI": "x"}, "NVR_CAMERAS__0__URI: cameras are set in the file only (environment)"),
        ({"NVR_TENANTS": "[a]"}, "NVR_TENANTS: tenants are set in the file only (environment)"),
        ({"NVR_STREAMS": "7"}, "NVR_STREAMS: names a whole section, and each setting has a variable of its own, such"),
        ({"NVR_LOG": "{level: debug}"}, "such as NVR_LOG__LEVEL (environment)"),
        ({"NVR_STREAMS_MAX_FPS": "7"}, "there is no such setting, did you mean NVR_STREAMS__MAX_FPS? (environment)"),
        ({"NVR_HOME_ASSISTANT_ENABLED": "true"}, "did you mean NVR_HOME_ASSISTANT__ENABLED? (environment)"),
        ({"NVR___": "x"}, "NVR___: there is no such setting (environment)"),
        ({"NVR_WALL__HTTP_PORT": "x"}, "wall.http_port: Input should be a valid integer"),
        ({"NVR_WALL__HTTP_PORT": "[1"}, "wall.http_port: is not YAML: "),
        ({"NVR_WALL__HTTP_PORT": "!secret x"}, "wall.http_port: !secret is for files only (NVR_WALL__HTTP_PORT"),
        (
            {"NVR_MODELS__CLASSES": "[1]"},
            "models.classes.0: Input should be a valid string, got 1 (NVR_",
        ),
        ({"NVR_STORAGE__CAMERAS": "{3: {max_bg: 5}}"}, "storage.cameras.3.max_bg: Extra inputs are not permitted"),
        ({"NVR_BROKER__TLS_INSECURE": "true"}, "broker: ca_file, cert_file and tls_insecure mean nothing without tls"),
        ({"NVR_" + "X" * 5000 + "__Y": "1"}, "NVR_XXX"),
    ],
)
def test_what_is_wrong_names_the_variable(environment: dict[str, str], said: str) -> None:
    error = refusal(**environment)
    assert said in str(error)
    assert len(str(error)) < 500


def test_all_problems_of_the_environment_are_held() -> None:
    assert len(refusal(NVR_A__B="1", NVR_C__D="2", NVR_WALL__HTTP_PORT="[").problems) == 3


def test_no_message_shows_a_password() -> None:
    assert "hunter2" not in str(refusal(NVR_BROKER__PASSWORD="hunter2", NVR_BROKER__USERNAME=""))
    assert "hunter2" not in str(refusal(NVR_CONTROL__KEY="hunter2"))


def test_models_are_found_in_lists_and_by_number() -> None:
    assert nested_model(NvrConfig.model_fields["cameras"].annotation) == ("list", SiteCamera)
    assert nested_model(RecordingConfig.model_fields["cameras"].annotation) == ("by_number", CameraRetention)
    assert nested_model(RecordingConfig.model_fields["mode"].annotation) is None
