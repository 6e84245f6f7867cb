import pytest
from pydantic import JsonValue

from nvr.control.parameters import (
    COMMANDS,
    AddStreamParameters,
    ChangeModelParameters,
    PauseParameters,
    SetFpsParameters,
    read_parameters,
)
from nvr.control.refusal import RefusedError

ISSUE = (
    "ping status metrics pause resume stop restart change_model set_fps set_confidence add_stream remove_stream "
    "update_stream rename_instance record_start record_stop snapshot set_log_level reload"
)


def test_every_command_of_the_design_is_there() -> None:
    assert set(COMMANDS) == set(ISSUE.split())


def test_every_parameter_is_described() -> None:
    for name, spec in COMMANDS.items():
        assert spec.summary
        for field_name, field in spec.parameters.model_fields.items():
            assert field.description, f"{name}.{field_name}"


def test_defaults_are_those_of_a_bare_command() -> None:
    assert read_parameters("pause", {}, None) == PauseParameters(hang_up=False)
    assert read_parameters("pause", {"hang_up": True}, (1, 2)) == PauseParameters(hang_up=True)
    assert read_parameters("change_model", {"model_id": "motion"}, None) == ChangeModelParameters(model_id="motion")
    assert read_parameters("set_fps", {"max_fps": None}, None) == SetFpsParameters(max_fps=None)


def test_a_camera_is_read_as_in_a_file() -> None:
    camera: JsonValue = {
        "uri": "rtsp://10.0.0.5/main",
        "name": "door",
        "max_fps": 5,
        "zones": [{"name": "entrance", "polygon": [[0, 0], [0.5, 0], [0.5, 1]]}],
    }
    told = read_parameters("add_stream", {"camera": camera}, None)
    assert isinstance(told, AddStreamParameters)
    assert (told.camera.name, told.camera.max_fps, told.camera.zones[0].name) == ("door", 5, "entrance")


@pytest.mark.parametrize(
    ("name", "params", "source_ids", "type_", "reason"),
    [
        ("dance", {}, None, "unknown_command", "no command 'dance'; known are ping, "),
        ("ping", {"loud": True}, None, "invalid", "ping: loud: there is no such setting"),
        ("ping", {}, (3,), "invalid", "leave source_ids out"),
        ("remove_stream", {}, None, "invalid", "needs source_ids"),
        ("remove_stream", {}, (), "invalid", "needs source_ids"),
        ("update_stream", {"changes": {"max_fps": 3}}, None, "invalid", "needs source_ids"),
        ("update_stream", {"changes": {}}, (3,), "invalid", "changes: must not be empty"),
        ("update_stream", {"changes": {"source_id": 4}}, (3,), "invalid", "source_id of a camera cannot be changed"),
        ("update_stream", {"changes": {"max_fsp": 4}}, (3,), "invalid", "max_fsp: there is no such setting, did you"),
        (
            "add_stream",
            {"camera": {"uri": "rtsp://h/1", "zones": [{"name": "a", "poligon": []}]}},
            None,
            "invalid",
            "add_stream: camera.zones.0.poligon: there is no such setting, did you mean polygon?",
        ),
        ("update_stream", {"changes": {"max_fps": "many"}}, (3,), "invalid", "max_fps: Input should be a valid number"),
        ("set_fps", {}, None, "invalid", "max_fps: Field required"),
        ("set_fps", {"max_fps": "5"}, None, "invalid", "max_fps: Input should be a valid number"),
        ("set_fps", {"max_fps": 0}, None, "invalid", "max_fps: Input should be greater than 0"),
        ("set_confidence", {"confidence": 1.5}, None, "invalid", "less than or equal to 1"),
        ("rename_instance", {"instance_id": "a/b"}, None, "invalid", "'a/b' is not a valid name"),
        ("set_log_level", {"level": "debug", "logger": "paho"}, None, "invalid", "logger: String should match"),
        ("set_log_level", {"level": "loud"}, None, "invalid", "level: Input should be"),
        ("change_model", {}, None, "invalid", "model_id: Field required"),
        ("add_stream", {"camera": {"name": "door"}}, None, "invalid", "camera.uri: Field required"),
        ("record_start", {"max_s": float("nan")}, None, "invalid", "max_s"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(
    name: str, params: dict[str, JsonValue], source_ids: tuple[int, ...] | None, type_: str, reason: str
) -> None:
    with pytest.raises(RefusedError) as caught:
        read_parameters(name, params, source_ids)
    assert caught.value.type == type_
    assert reason in str(caught.value)


def test_a_password_in_a_refused_camera_is_not_told() -> None:
    with pytest.raises(RefusedError) as caught:
        read_parameters("add_stream", {"camera": {"uri": "rtsp://admin:hunter2@cam\x07era/"}}, None)
    assert "hunter2" not in str(caught.value)
