import logging

import pytest
from pydantic import JsonValue

from nvr.control.handlers import PartialError, Request
from nvr.control.parameters import COMMANDS, read_parameters
from nvr.control.processor_commands import ProcessorCommands
from nvr.control.refusal import RefusedError, command_error
from nvr.core.clock import ManualClock
from nvr.core.errors import ConfigurationError, ModelError, NvrError, StreamError
from tests.control.fakes import START, FakeProcessor, FakeProgram, FakeRecorder


class Steered:
    """A program with a processor of cameras 1, 2 and 3, of which 1 and 2 are recorded."""

    def __init__(self) -> None:
        self.processor = FakeProcessor(1, 2, 3)
        self.program = FakeProgram(processor=self.processor)
        self.recorder: FakeRecorder | None = FakeRecorder(1, 2)
        self.clock = ManualClock(START)
        self.commands = ProcessorCommands(
            self.program, lambda: self.program.processor, lambda: self.recorder, clock=self.clock
        )

    def do(self, name: str, *source_ids: int, is_for_all: bool = False, **params: JsonValue) -> JsonValue:
        ids = source_ids or None
        request = Request(name, read_parameters(name, params, ids), ids, is_for_all=is_for_all)
        return self.commands.handlers()[name](request)

    def refusal(self, name: str, *source_ids: int, is_for_all: bool = False, **params: JsonValue) -> tuple[str, str]:
        with pytest.raises(NvrError) as caught:
            self.do(name, *source_ids, is_for_all=is_for_all, **params)
        told = command_error(caught.value)
        return told.type, told.reason


@pytest.fixture
def steered() -> Steered:
    return Steered()


def test_every_command_has_a_handler(steered: Steered) -> None:
    assert set(steered.commands.handlers()) == set(COMMANDS)


def test_ping_tells_version_and_time_since_the_start(steered: Steered) -> None:
    steered.clock.advance(12.5)
    assert steered.do("ping") == {"version": "0.1.0", "state": "running", "uptime_s": 12.5}


def test_the_status_is_that_of_the_moment(steered: Steered) -> None:
    steered.do("pause", 2)
    status = steered.do("status")
    assert isinstance(status, dict)
    assert [camera["is_detecting"] for camera in status["cameras"]] == [True, False, True]  # type: ignore[index,call-overload,union-attr] # JSON


def test_no_two_cameras_get_one_name(steered: Steered) -> None:
    steered.do("update_stream", 1, changes={"name": "door"})
    said = "the name 'door' would be given twice, to camera 1 and"
    door: JsonValue = {"uri": "rtsp://a/", "name": "door"}
    assert steered.refusal("add_stream", camera=door) == ("invalid", f"{said} the new camera")
    assert steered.refusal("update_stream", 3, changes={"name": "door"}) == ("invalid", f"{said} camera 3")
    assert steered.refusal("update_stream", 2, 3, changes={"name": "yard"}) == (
        "invalid",
        "the name 'yard' would be given twice, to camera 2 and camera 3",
    )
    assert list(steered.processor.cameras.configs) == [1, 2, 3]
    assert [camera.name for camera in steered.processor.cameras.configs.values()] == ["door", None, None]
    assert steered.do("update_stream", 1, changes={"name": "door"}) == {"source_ids": [1]}
    steered.do("update_stream", 1, changes={"name": None})
    assert steered.do("add_stream", camera=door) == {"source_id": 4}


def test_metrics_where_nothing_is_counted_are_unsupported(steered: Steered) -> None:
    assert steered.refusal("metrics") == ("unsupported", "nothing is counted here")


def test_pause_and_resume_are_for_all_cameras_or_for_some(steered: Steered) -> None:
    assert steered.do("pause") == {"source_ids": [1, 2, 3]}
    assert steered.do("resume", 2, 1) == {"source_ids": [1, 2]}
    assert steered.processor.paused == {3}
    assert steered.do("pause", 1, hang_up=True) == {"source_ids": [1]}
    assert steered.processor.hung_up == {1}


def test_cameras_of_other_instances_are_left_out(steered: Steered) -> None:
    assert steered.do("pause", 3, 4, 5) == {"source_ids": [3]}
    assert steered.do("pause", 7, is_for_all=True) == {"source_ids": []}
    assert steered.refusal("pause", 7, 8) == ("not_found", "there is no camera 7, 8 here, there are 1, 2, 3")
    assert steered.processor.paused == {3}


def test_rates_and_thresholds_reach_the_cameras(steered: Steered) -> None:
    assert steered.do("set_fps", 1, max_fps=2.5) == {"source_ids": [1]}
    assert steered.do("set_fps", max_fps=None) == {"source_ids": [1, 2, 3]}
    assert steered.do("set_confidence", 2, confidence=0.6) == {"source_ids": [2]}
    assert steered.processor.max_fps == {1: None, 2: None, 3: None}
    assert steered.processor.confidence == {2: 0.6}


def test_stop_and_restart_are_the_program_s(steered: Steered) -> None:
    assert steered.do("stop") == {"is_stopping": True}
    assert steered.do("restart") is None
    assert (steered.program.stops, steered.program.restarts) == (1, 1)


def test_a_model_is_changed_once_the_new_one_is_in_use(steered: Steered) -> None:
    steered.processor.swap.end()
    assert steered.do("change_model", model_id="motion", instead_of="yolox-nano") == {"model_id": "motion"}
    assert steered.processor.swaps == [("motion", "yolox-nano")]


@pytest.mark.parametrize(
    ("error", "type_", "reason"),
    [
        (ModelError("model 'nosuch' is unknown"), "not_found", "model 'nosuch' is unknown; the old one looks on"),
        (RuntimeError("CUDA"), "failed", "RuntimeError: CUDA; the old one looks on"),
        (KeyboardInterrupt(), "failed", "RuntimeError: KeyboardInterrupt(); the old one looks on"),
    ],
)
def test_a_model_that_cannot_be_had_leaves_the_old_one(
    steered: Steered, error: BaseException, type_: str, reason: str
) -> None:
    steered.processor.swap.end(error)
    assert steered.refusal("change_model", model_id="nosuch") == (type_, reason)


def test_a_model_that_takes_too_long_is_given_up(steered: Steered) -> None:
    type_, reason = steered.refusal("change_model", model_id="huge", timeout_s=0.01)
    assert (type_, reason) == ("failed", "model huge was not there within 0.01 s; the old one looks on")
    assert steered.processor.swap.is_cancelled


def test_a_camera_is_added_and_gets_a_number(steered: Steered) -> None:
    assert steered.do("add_stream", camera={"uri": "rtsp://a/"}) == {"source_id": 4}
    assert steered.do("add_stream", camera={"uri": "rtsp://a/", "source_id": 9}) == {"source_id": 9}
    assert steered.refusal("add_stream", camera={"uri": "rtsp://a/", "source_id": 9})[0] == "invalid"
    assert steered.refusal("add_stream", is_for_all=True, camera={"uri": "rtsp://a/"}) == (
        "invalid",
        "add_stream needs one instance in target_instances, not '*'",
    )


def test_cameras_are_removed_and_each_is_reported(steered: Steered) -> None:
    assert steered.do("remove_stream", 1, 3) == {
        "cameras": [{"source_id": 1, "ok": True}, {"source_id": 3, "ok": True}]
    }
    assert list(steered.processor.cameras.configs) == [2]


def test_settings_that_are_not_named_stay(steered: Steered) -> None:
    assert steered.do("update_stream", 2, changes={"max_fps": 3, "name": "door"}) == {"source_ids": [2]}
    assert steered.do("update_stream", 2, changes={"max_fps": None}) == {"source_ids": [2]}
    camera = steered.processor.cameras.configs[2]
    assert (camera.uri, camera.source_id, camera.name, camera.max_fps) == ("rtsp://camera/2", 2, "door", None)


def test_of_several_cameras_all_change_or_none(steered: Steered) -> None:
    steered.processor.stuck[3] = StreamError("camera 3 is gone")
    type_, reason = steered.refusal("update_stream", 1, 2, 3, changes={"max_fps": 3})
    assert (type_, reason) == ("failed", "camera 3: camera 3 is gone; nothing has changed")
    assert [camera.max_fps for camera in steered.processor.cameras.configs.values()] == [None, None, None]


def test_a_camera_that_cannot_be_set_back_is_named(steered: Steered) -> None:
    steered.processor.stuck_after_one[1] = ConfigurationError("enough")
    steered.processor.stuck[2] = StreamError("gone")
    type_, reason = steered.refusal("update_stream", 1, 2, changes={"max_fps": 3})
    assert (type_, reason) == ("failed", "camera 2: gone; camera 1 could not be set back: enough")


def test_recording_on_demand_is_reported_per_camera(steered: Steered) -> None:
    assert steered.do("record_start", 1, max_s=60) == {"cameras": [{"source_id": 1, "ok": True}]}
    assert steered.recorder is not None
    assert steered.recorder.recording == {1: 60}
    with pytest.raises(PartialError) as caught:
        steered.do("record_start")
    assert caught.value.type == "invalid"
    assert str(caught.value) == "1 of 3 cameras failed, the first: camera 3 is not recorded"
    assert caught.value.result == {
        "cameras": [
            {"source_id": 1, "ok": True},
            {"source_id": 2, "ok": True},
            {"source_id": 3, "ok": False, "error": {"type": "invalid", "reason": "camera 3 is not recorded"}},
        ]
    }
    assert steered.do("record_stop", 1, 2) == {"cameras": [{"source_id": 1, "ok": True}, {"source_id": 2, "ok": True}]}
    assert steered.recorder.recording == {}


def test_a_snapshot_tells_its_file(steered: Steered) -> None:
    result = steered.do("snapshot", 2)
    assert result == {
        "cameras": [
            {
                "source_id": 2,
                "ok": True,
                "path": "default/2/2026/11/20/09/20261120T093000.000000Z_snapshot.jpg",
                "captured_at": "2026-11-20T09:30:00Z",
            }
        ]
    }


@pytest.mark.parametrize("name", ["record_start", "record_stop", "snapshot"])
def test_without_a_recorder_nothing_can_be_recorded(steered: Steered, name: str) -> None:
    steered.recorder = None
    type_, reason = steered.refusal(name)
    assert (type_, "records nothing" in reason) == ("unsupported", True)


@pytest.mark.parametrize("name", ["pause", "resume", "record_start", "snapshot"])
def test_while_the_processor_begins_anew_its_commands_fail(steered: Steered, name: str) -> None:
    steered.program.processor = None
    type_, reason = steered.refusal(name)
    assert (type_, "does not run yet" in reason) == ("failed", True)


def test_renaming_needs_one_instance(steered: Steered) -> None:
    assert steered.do("rename_instance", instance_id="porch") == {"instance_id": "porch"}
    assert steered.program.names == ["porch"]
    assert steered.refusal("rename_instance", is_for_all=True, instance_id="all")[0] == "invalid"


def test_reload_tells_what_was_different(steered: Steered) -> None:
    steered.program.reload_result = {"added": [4]}
    assert steered.do("reload") == {"added": [4]}
    steered.program.reload_error = ConfigurationError("nvr.yaml line 3: unknown setting")
    assert steered.refusal("reload") == ("invalid", "nvr.yaml line 3: unknown setting")


def test_the_level_of_a_part_of_the_program_is_set(steered: Steered) -> None:
    logger = logging.getLogger("nvr.some_part")
    assert steered.do("set_log_level", level="debug", logger="nvr.some_part") == {
        "level": "debug",
        "logger": "nvr.some_part",
    }
    assert logger.level == logging.DEBUG


def test_no_logger_is_made_because_somebody_names_it(steered: Steered) -> None:
    with pytest.raises(RefusedError, match="no_such_part") as caught:
        steered.do("set_log_level", level="debug", logger="nvr.no_such_part")
    assert caught.value.type == "not_found"
    assert "nvr.no_such_part" not in logging.root.manager.loggerDict


def test_an_error_without_a_type_of_ours_has_failed() -> None:
    assert command_error(KeyError("x")).type == "failed"
    assert command_error(RefusedError("expired", "late")).type == "expired"
    assert command_error(StreamError("rtsp://me:hunter2@cam/1 is gone")).reason == "rtsp://***@cam/1 is gone"
    assert len(command_error(StreamError("x" * 5000)).reason) == 1001
