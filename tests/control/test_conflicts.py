import pytest
from pydantic import JsonValue

from nvr.control.conflicts import do_conflict, touched
from nvr.control.parameters import COMMANDS, read_parameters

MODEL: dict[str, JsonValue] = {"model_id": "motion"}
OTHER: dict[str, JsonValue] = {"model_id": "motion", "instead_of": "yolox-nano"}
CHANGES: dict[str, JsonValue] = {"changes": {"max_fps": 3}}
CAMERA: dict[str, JsonValue] = {"camera": {"uri": "rtsp://a/"}}
CAMERA_3: dict[str, JsonValue] = {"camera": {"uri": "rtsp://a/", "source_id": 3}}
NAMED: dict[str, JsonValue] = {"camera": {"uri": "rtsp://a/", "name": "door"}}
FPS: dict[str, JsonValue] = {"max_fps": 3}

Asked = tuple[str, dict[str, JsonValue], tuple[int, ...] | None]


def conflict(first: Asked, second: Asked) -> bool:
    one, other = (touched(name, read_parameters(name, told, ids), ids) for name, told, ids in (first, second))
    assert do_conflict(one, other) == do_conflict(other, one)
    return do_conflict(one, other)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("pause", {}, None), ("resume", {}, None)),
        (("pause", {}, (3,)), ("resume", {}, None)),
        (("pause", {}, (3, 4)), ("resume", {}, (4, 5))),
        (("update_stream", CHANGES, (3,)), ("pause", {}, (3,))),
        (("update_stream", CHANGES, (3,)), ("update_stream", CHANGES, (3,))),
        (("update_stream", CHANGES, (3,)), ("remove_stream", {}, (3,))),
        (("add_stream", CAMERA_3, None), ("add_stream", CAMERA_3, None)),
        (("add_stream", NAMED, None), ("add_stream", NAMED, None)),
        (("add_stream", NAMED, None), ("update_stream", {"changes": {"name": "door"}}, (4,))),
        (("remove_stream", {}, (3,)), ("set_fps", FPS, None)),
        (("remove_stream", {}, (3,)), ("record_start", {}, (3,))),
        (("change_model", MODEL, None), ("change_model", MODEL, None)),
        (("change_model", MODEL, None), ("change_model", OTHER, None)),
        (("restart", {}, None), ("change_model", MODEL, None)),
        (("reload", {}, None), ("add_stream", CAMERA, None)),
        (("rename_instance", {"instance_id": "a"}, None), ("restart", {}, None)),
        (("reload", {}, None), ("set_log_level", {"level": "debug"}, None)),
    ],
)
def test_two_that_change_the_same_conflict(first: Asked, second: Asked) -> None:
    assert conflict(first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("pause", {}, None), ("change_model", MODEL, None)),
        (("pause", {}, (3,)), ("resume", {}, (4,))),
        (("pause", {}, (3,)), ("record_start", {}, (3,))),
        (("pause", {}, (3,)), ("set_fps", FPS, (3,))),
        (("add_stream", CAMERA, None), ("add_stream", CAMERA, None)),
        (("add_stream", CAMERA, None), ("change_model", MODEL, None)),
        (("update_stream", CHANGES, (3,)), ("update_stream", CHANGES, (4,))),
        (("snapshot", {}, (3,)), ("remove_stream", {}, (3,))),
        (("ping", {}, None), ("restart", {}, None)),
        (("status", {}, None), ("reload", {}, None)),
        (("set_log_level", {"level": "debug"}, None), ("pause", {}, None)),
    ],
)
def test_others_do_not(first: Asked, second: Asked) -> None:
    assert not conflict(first, second)


def test_nothing_holds_up_a_stop() -> None:
    stop = touched("stop", read_parameters("stop", {}, None), None)
    everything = touched("restart", read_parameters("restart", {}, None), None)
    assert not do_conflict(stop, everything)
    assert "stop" in COMMANDS


def test_two_that_name_thousands_of_cameras_are_compared_at_once() -> None:
    first, second = tuple(range(10_000)), tuple(range(10_000, 20_000))
    assert not conflict(("update_stream", CHANGES, first), ("update_stream", CHANGES, second))
    assert conflict(("update_stream", CHANGES, first), ("pause", {}, (*second, 9_999)))
