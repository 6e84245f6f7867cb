from dataclasses import replace
from datetime import timedelta

import pytest

from nvr.config.camera import CameraConfig
from nvr.control.news import is_news
from nvr.control.status import InstanceFacts, bare_status, instance_status
from nvr.events.instance_status import InstanceStatus
from nvr.media.health import CameraHealth, HealthCounters, HealthState
from nvr.media.stream import StreamState, StreamStats
from nvr.processor.camera import CameraReport
from nvr.processor.model_slot import ModelStatus
from nvr.processor.report import ProcessorReport
from nvr.processor.tally import CameraTally
from nvr.recording.disk import Activity, RecordingState
from tests.control.fakes import START

FACTS = InstanceFacts("gate", START, 5.0, "0.1.0", "nvr", 4711)
NOW = START + timedelta(minutes=1)
STATS = StreamStats(frames=10, skipped_packets=0, broken_packets=0, sessions=1, failures=0, fps=25.0, last_error=None)
OK = ModelStatus("yolox-nano", 1, "ok", START)
FAILING = ModelStatus("motion", 2, "degraded", START, reason="out of memory", failures=3)


def camera(source_id: int, health: HealthState = HealthState.RUNNING, reason: str = "") -> CameraReport:
    return CameraReport(
        source_id=source_id,
        name=f"rtsp://camera/{source_id}",
        state=StreamState.RUNNING,
        stream=STATS,
        replaced_frames=0,
        health=CameraHealth(source_id, health, reason, START, HealthCounters()),
        tally=CameraTally(analysed_fps=4.5),
    )


def report(*cameras: CameraReport, models: tuple[ModelStatus, ...] = (OK,), hangs: bool = False) -> ProcessorReport:
    return ProcessorReport(
        cameras=cameras,
        analysed_frames=0,
        inferences=0,
        detector_failures=0,
        lost_events=0,
        is_broker_connected=True,
        watchdog_reconnects=0,
        detector_hangs=hangs,
        models=models,
    )


def status_of(
    told: ProcessorReport,
    cameras: dict[int, CameraConfig] | None = None,
    recording: dict[int, RecordingState] | None = None,
) -> InstanceStatus:
    mode = None if recording is None else "events"
    return instance_status(
        FACTS, told, NOW, cameras=cameras or {}, model_id="yolox-nano", recording=recording, record_mode=mode
    )


def test_an_instance_without_cameras_yet_tells_who_it_is() -> None:
    status = bare_status(FACTS, "starting", NOW, "it begins anew")
    assert (status.instance_id, status.state, status.reason, status.started_at) == (
        "gate", "starting", "it begins anew", START,
    )  # fmt: skip
    assert (status.heartbeat_s, status.accepts_commands, status.cameras) == (5, True, ())


def test_all_is_well() -> None:
    status = status_of(report(camera(0), camera(1, HealthState.CONNECTING), camera(2, HealthState.ENDED)))
    assert (status.state, status.reason) == ("running", None)
    first = status.cameras[0]
    assert (first.name, first.state, first.fps, first.analysed_fps) == ("rtsp://camera/0", "running", 25, 4.5)
    assert (first.model_id, first.recording, first.record_mode) == ("yolox-nano", None, None)


def test_what_is_not_well_is_named_and_a_crowd_is_counted() -> None:
    broken = [camera(n, HealthState.OFFLINE, "refuses the connection") for n in range(5)]
    status = status_of(report(*broken, models=(OK, FAILING), hangs=True))
    assert status.state == "degraded"
    assert status.reason == "camera 0 is offline, camera 1 is offline, camera 2 is offline, and 4 more"
    assert status.cameras[4].reason == "refuses the connection"
    assert [(model.state, model.reason) for model in status.models] == [("ok", None), ("degraded", "out of memory")]


@pytest.mark.parametrize("is_hung_up", [True, False])
def test_an_instance_whose_cameras_all_pause_is_paused(is_hung_up: bool) -> None:
    paused = replace(camera(0), state=StreamState.PAUSED) if is_hung_up else replace(camera(0), is_detecting=False)
    status = status_of(report(paused))
    assert status.state == "paused"
    assert (status.cameras[0].is_detecting, status.cameras[0].state) == (False, "paused" if is_hung_up else "running")
    assert status_of(report(paused, camera(1))).state == "running"


def test_in_the_first_second_the_connection_speaks_for_the_camera() -> None:
    fresh = replace(camera(0), health=None, state=StreamState.CONNECTING)
    assert status_of(report(fresh)).cameras[0].state == "connecting"


def test_names_models_and_modes_are_those_of_the_settings() -> None:
    cameras = {0: CameraConfig(uri="rtsp://a/", name="door", model_id="motion", record="continuous")}
    recording = {0: RecordingState(0, Activity.PAUSED, START, "disk full"), 1: RecordingState(1, Activity.IDLE, START)}
    status = status_of(report(camera(0), camera(1), models=(OK, replace(FAILING, state="ok"))), cameras, recording)
    door, other = status.cameras
    assert (door.name, door.model_id, door.record_mode, door.recording) == ("door", "motion", "continuous", "paused")
    assert door.reason == "disk full"
    assert (other.name, other.model_id, other.record_mode) == ("rtsp://camera/1", "yolox-nano", "events")


def test_after_a_change_of_the_only_model_its_new_name_is_told() -> None:
    told = report(camera(0), models=(replace(OK, model_id="yolox-tiny", generation=2),))
    assert status_of(told).cameras[0].model_id == "yolox-tiny"


def test_times_and_rates_are_no_news_and_all_else_is() -> None:
    before = status_of(report(camera(0)))
    faster = replace(camera(0), stream=replace(STATS, fps=20.0), tally=CameraTally(analysed_fps=1.0))
    later = status_of(report(faster)).model_copy(update={"timestamp": NOW + timedelta(seconds=9)})
    assert not is_news(later, before)
    assert is_news(before, None)
    assert is_news(status_of(report(camera(0, HealthState.DEGRADED, "slow"))), before)
    assert is_news(status_of(report(camera(0), camera(1))), before)
