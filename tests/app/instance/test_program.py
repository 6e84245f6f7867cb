"""The whole program in a thread, on real cameras and a real broker: its file changes, and it follows."""

import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from nvr.app.instance.services import ProcessorServices
from nvr.bus.local_broker import LocalBroker
from nvr.config.derive import ProcessorSettings
from nvr.config.operations import MetricsConfig
from nvr.control.connection import InstanceConnection
from nvr.core.errors import BrokerError, CancelledError, ConfigurationError, NvrError, TransientError
from nvr.events.command import Command, CommandAck
from nvr.processor.stream_processor import StreamProcessor
from tests.app.instance.running_program import Site
from tests.waiting import wait_until

pytestmark = [pytest.mark.broker, pytest.mark.camera]


def steps(frame_ids: list[int]) -> set[int]:
    return {later - earlier for earlier, later in pairwise(frame_ids)}


def test_a_changed_file_is_followed_and_the_other_cameras_lose_no_frame(site: Site) -> None:
    site.write(0)
    site.start(watches=True)
    site.heard.wait_for_events(0)
    site.write(0, 1)
    site.heard.wait_for_events(1)
    site.write(0, 2)
    site.heard.wait_for_events(2)
    wait_until(lambda: [c.source_id for c in site.heard.statuses[-1].cameras] == [0, 2], "the status without camera 1")
    n_gone = len(site.heard.frame_ids(1))
    site.heard.wait_for_events(0)
    assert len(site.heard.frame_ids(1)) == n_gone
    assert steps(site.heard.frame_ids(0)) == {1}


def test_a_changed_secret_is_followed_and_never_shown(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "nvr")
    secret = site.path.with_name("address.txt")
    secret.write_text(site.simulator.uri(1), encoding="utf-8")
    site.write(0)
    text = site.path.read_text(encoding="utf-8").replace(f'"{site.simulator.uri(0)}"', "!secret address.txt")
    site.path.write_text(text, encoding="utf-8")
    program = site.start(watches=True)
    site.heard.wait_for_events(0)
    secret.write_text(f"{site.simulator.uri(2)}?token=hunter2\n", encoding="utf-8")
    wait_until(lambda: "hunter2" in program.settings.stream.cameras[0].uri, "the new address holds")
    assert f"changed: {secret}" in caplog.text
    secret.unlink()
    wait_until(lambda: f"{secret} is gone or empty" in caplog.text, "the warning")
    secret.write_text(site.simulator.uri(0), encoding="utf-8")
    wait_until(lambda: program.settings.stream.cameras[0].uri == site.simulator.uri(0), "the last address holds")
    site.heard.wait_for_events(0)
    assert "hunter2" not in caplog.text


def test_a_file_that_is_wrong_changes_nothing_and_says_where(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.write(0)
    program = site.start(watches=True)
    site.heard.wait_for_events(0)
    before = program.settings
    caplog.set_level("INFO", "nvr")
    site.path.write_text('{"cameras": [{"uri": "rtsp://u:hunter2@h/1", "nmae": "x"}]}', encoding="utf-8")
    wait_until(lambda: "was not applied" in caplog.text, "the complaint")
    assert "did you mean name?" in caplog.text
    assert "nvr.yaml:1:" in caplog.text
    assert "hunter2" not in caplog.text
    assert program.settings == before
    site.heard.wait_for_events(0)
    with pytest.raises(ConfigurationError, match="nmae"):
        program.reload()
    site.write(0)
    wait_until(lambda: "the configuration is right again" in caplog.text, "the all-clear")


def test_what_cannot_be_changed_live_begins_anew_under_the_same_name(site: Site) -> None:
    site.write(0)
    program = site.start()
    site.heard.wait_for_events(0)
    site.write(0, models={"model_id": "motion", "multiplex": "frames"})
    told = program.reload()
    assert isinstance(told, dict)
    assert told["restarted_for"] == ["models.multiplex"]
    site.heard.wait_for_events(0)
    assert "offline" not in {status.state for status in site.heard.statuses}


def test_a_reload_without_a_difference_does_nothing(site: Site) -> None:
    site.write(0)
    program = site.start()
    site.heard.wait_for_events(0)
    assert program.reload() == {"changes": [], "restarted_for": []}


def test_settings_that_do_not_work_leave_the_processor_as_it_was(site: Site, tmp_path: Path) -> None:
    site.write(0)
    program = site.start()
    site.heard.wait_for_events(0)
    # one that is loaded beside, and one that needs another processor
    site.write(0, models={"model_id": "no-such-model"})
    with pytest.raises(NvrError, match="no-such-model"):
        program.reload()
    site.write(0, processors={"jsonl_path": str(tmp_path / "nvr.yaml" / "events.jsonl")})
    with pytest.raises(ConfigurationError, match="cannot write events"):
        program.reload()
    site.heard.wait_for_events(0)
    site.write(0)
    assert program.reload() == {"changes": [], "restarted_for": []}


def test_a_certificate_that_is_not_there_ends_no_processor(site: Site) -> None:
    site.write(0)
    program = site.start()
    site.heard.wait_for_events(0)
    broker = {"host": site.broker.host, "port": site.broker.port, "tls": True, "ca_file": "/absent/ca.pem"}
    site.write(0, broker=broker)
    for change in (program.reload, program.restart):
        with pytest.raises(ConfigurationError, match=r"/absent/ca\.pem"):
            change()
    site.heard.wait_for_events(0)
    assert steps(site.heard.frame_ids(0)) == {1}


def test_it_runs_without_a_camera_and_takes_one_later(site: Site) -> None:
    site.write()
    program = site.start()
    site.heard.wait_for_state("running")
    site.write(1)
    program.reload()
    site.heard.wait_for_events(1)


def test_other_settings_of_control_and_metrics_cost_no_frame(site: Site) -> None:
    site.write(0)
    program = site.start()
    site.heard.wait_for_events(0)
    assert program.metrics_url is None
    site.write(0, metrics={"http_port": 0}, control={"heartbeat_s": 1})
    program.reload()
    wait_until(lambda: program.metrics_url is not None, "the endpoint")
    site.heard.wait_for_events(0)
    assert steps(site.heard.frame_ids(0)) == {1}
    wait_until(lambda: site.heard.statuses[-1].heartbeat_s == 1, "the new heartbeat")


def test_only_the_thread_that_runs_it_lets_control_and_metrics_follow(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []
    move_server = ProcessorServices._move_server

    def note(services: ProcessorServices, before: MetricsConfig, metrics: MetricsConfig) -> None:
        threads.append(threading.current_thread().name)
        move_server(services, before, metrics)

    monkeypatch.setattr(ProcessorServices, "_move_server", note)
    site.write(0)
    program = site.start()
    site.heard.wait_for_events(0)
    for number in range(3):
        metrics = {"http_port": None if number % 2 else 0}
        site.write(0, metrics=metrics)
        program.reload()
        site.write(0, metrics=metrics, home_assistant={"enabled": number % 2 == 0})
        program.reload()  # before the other thread has looked: a command may be who asks
        wait_until(lambda number=number: len(threads) > number, "the endpoint has come or gone")  # type: ignore[misc]
    assert set(threads) == {"program"}


def test_no_answer_is_forgotten_whatever_begins_anew(site: Site) -> None:
    acks: list[CommandAck] = []
    site.heard.connection.subscribe(
        "nvr/control/status/+/ack", lambda _, payload: acks.append(CommandAck.from_json(payload)), 1
    )
    site.write(0)
    program = site.start()
    site.heard.wait_for_events(0)
    pause = Command(command="pause", command_id="1").to_json()

    def ask() -> CommandAck:
        n_before = len(acks)
        site.heard.connection.publish("nvr/control/commands", pause, 1)
        wait_until(lambda: any(ack.status == "completed" for ack in acks[n_before:]), "the answer")
        return acks[-1]

    first = ask()
    site.write(0, control={"heartbeat_s": 1}, metrics={"interval_s": 1, "http_port": 0})
    program.reload()
    wait_until(lambda: program.metrics_url is not None, "the other settings have taken effect")
    assert ask() == first
    program.restart()
    assert ask() == first
    user = {"host": site.broker.host, "port": site.broker.port, "username": "anna"}
    site.write(0, broker=user, control={"heartbeat_s": 1})
    program.reload()
    wait_until(lambda: program.metrics_url is None, "the other settings have taken effect")
    assert ask() == first


def test_restart_comes_back_and_stop_says_goodbye(site: Site) -> None:
    site.write(0)
    program = site.start()
    site.heard.wait_for_events(0)
    program.restart()
    site.heard.wait_for_events(0)
    program.request_stop()
    report = site.ended.result(30)
    assert report.cameras[0].source_id == 0
    site.heard.wait_for_state("offline")
    assert site.heard.statuses[-1].reason == "stopped"
    with pytest.raises(CancelledError):
        program.restart()


def test_what_was_paused_stays_so_when_the_processor_begins_anew(site: Site) -> None:
    site.write(0, 1, 2)
    program = site.start()
    for source_id in (0, 1, 2):
        site.heard.wait_for_events(source_id)
    running = program._running
    assert running is not None
    running.processor.pause([1])
    running.processor.pause([2], hang_up=True)
    program.restart()
    n = len(site.heard.events)
    site.heard.wait_for_events(0, 10)
    assert {event.source_id for event in site.heard.events[n:]} == {0}
    again = program._running
    assert again is not None
    assert again is not running
    assert {camera.source_id: camera.is_hung_up for camera in again.processor.cameras} == {0: False, 1: False, 2: True}
    again.processor.resume()
    site.heard.wait_for_events(2)


def test_another_name_is_taken_everywhere(site: Site) -> None:
    site.write(0)
    program = site.start()
    site.heard.wait_for_events(0)
    program.rename("gate-house")
    wait_until(lambda: site.heard.events[-1].instance_id == "gate-house", "an event under the new name")
    wait_until(lambda: site.heard.statuses[-1].instance_id == "gate-house", "a status under the new name")
    assert program.metrics().instance_id == "gate-house"
    # and kept, whatever else is read or begins anew
    assert program.reload() == {"changes": [], "restarted_for": []}
    program.restart()
    n = len(site.heard.events)
    site.heard.wait_for_events(0)
    assert {event.instance_id for event in site.heard.events[n:]} == {"gate-house"}
    assert program.status().instance_id == "gate-house"


def test_a_name_of_the_file_that_the_broker_does_not_take_leaves_the_old_one(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: InstanceConnection, instance_id: str) -> None:
        raise BrokerError(f"{instance_id} was not accepted")

    site.write(0)
    program = site.start()
    site.heard.wait_for_events(0)
    before = program.settings.stream.instance_id
    site.write(0, processors={"instance_prefix": "gate-house"}, control={"heartbeat_s": 2})
    with monkeypatch.context() as patch:
        patch.setattr(InstanceConnection, "rename", refuse)
        with pytest.raises(TransientError, match="gate-house was not accepted"):
            program.reload()
    wait_until(lambda: site.heard.statuses[-1].heartbeat_s == 2, "all else was applied")
    assert program.status().instance_id == before
    n = len(site.heard.events)
    site.heard.wait_for_events(0)
    assert site.heard.events[-1].instance_id == before
    assert len(site.heard.events) > n
    program.reload()
    wait_until(lambda: site.heard.events[-1].instance_id == "gate-house", "an event under the new name")
    wait_until(lambda: site.heard.statuses[-1].instance_id == "gate-house", "a status under the new name")


def test_the_log_is_told_of_a_name_that_a_command_gave(site: Site) -> None:
    site.write(0)
    program = site.start()
    site.heard.wait_for_events(0)
    told: list[ProcessorSettings] = []
    program._on_settings = told.append
    program.rename("gate-house")
    assert [settings.stream.instance_id for settings in told] == ["gate-house"]


def test_a_stop_at_any_moment_of_a_restart_ends_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    start = StreamProcessor.start

    def stopped_before_it_began(processor: StreamProcessor) -> None:
        program._is_stopping.set()
        processor.terminate()
        start(processor)

    site.write(0)
    program = site.start()
    site.heard.wait_for_events(0)
    monkeypatch.setattr(StreamProcessor, "start", stopped_before_it_began)
    with pytest.raises(CancelledError):
        program.restart()
    assert isinstance(site.ended.exception(30), CancelledError)


def test_a_stop_that_found_no_processor_ends_the_next_one(site: Site) -> None:
    site.write(0)
    program = site.start()
    site.heard.wait_for_events(0)
    program._is_stopping.set()  # as after a stop between two processors
    assert site.ended.result(30).cameras[0].source_id == 0


def test_a_model_that_is_not_there_is_told_as_the_last_word(site: Site) -> None:
    site.write(0, models={"model_id": "no-such-model"})
    site.start()
    with pytest.raises(ConfigurationError, match="no-such-model"):
        site.ended.result(30)


def test_a_port_of_the_metrics_that_is_taken_ends_it(site: Site, mosquitto: LocalBroker) -> None:
    site.write(0, metrics={"http_port": mosquitto.port})
    site.start()
    with pytest.raises(ConfigurationError, match=str(mosquitto.port)):
        site.ended.result(30)


def test_a_port_of_the_metrics_that_is_taken_later_changes_nothing(site: Site, mosquitto: LocalBroker) -> None:
    site.write(0)
    program = site.start()
    site.heard.wait_for_events(0)
    before = program.settings
    site.write(0, metrics={"http_port": mosquitto.port})
    for change in (program.reload, program.restart):
        with pytest.raises(ConfigurationError, match=f"port {mosquitto.port}"):
            change()
    assert program.settings == before
    site.heard.wait_for_events(0)


def test_services_that_cannot_be_made_anew_go_on_as_they_were(
    site: Site, mosquitto: LocalBroker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    site.write(0, metrics={"http_port": 0})
    program = site.start()
    site.heard.wait_for_events(0)
    # somebody else takes the port between the look and the use
    monkeypatch.setattr("nvr.app.instance.program.check_endpoint", lambda *_: None)
    site.write(0, metrics={"http_port": mosquitto.port})
    program.reload()
    wait_until(lambda: "go on as they were" in caplog.text, "it is told")
    wait_until(lambda: program.metrics_url is not None, "the endpoint is there again")
    site.heard.wait_for_events(0)
    wait_until(lambda: program.settings.metrics.http_port == 0, "the settings are those that hold")


def test_a_restart_by_command_with_other_settings_of_control_is_answered(site: Site) -> None:
    site.write(0)
    site.start()
    site.heard.wait_for_events(0)
    acks: list[CommandAck] = []
    site.heard.connection.subscribe(
        "nvr/control/status/+/ack", lambda _, payload: acks.append(CommandAck.from_json(payload)), 1
    )
    site.write(0, control={"heartbeat_s": 1})
    site.heard.connection.publish("nvr/control/commands", Command(command="restart", command_id="1").to_json(), 1)
    wait_until(lambda: len(acks) > 1, "both answers")
    assert [(ack.status, ack.error) for ack in acks] == [("received", None), ("completed", None)]
    wait_until(lambda: site.heard.statuses[-1].heartbeat_s == 1, "the new heartbeat")
    site.heard.wait_for_events(0)


def test_a_camera_that_fails_does_not_keep_the_others_from_being_changed(site: Site) -> None:
    site.write(0)
    program = site.start()
    site.heard.wait_for_events(0)
    good = site.read()
    bad = [camera.model_copy(update={"source_id": 1, "model_id": "no-such-model"}) for camera in good.stream.cameras]
    later = [camera.model_copy(update={"source_id": 2}) for camera in good.stream.cameras]
    wanted = replace(good, stream=good.stream.model_copy(update={"cameras": (*good.stream.cameras, *bad, *later)}))
    read: Callable[[], ProcessorSettings] = lambda: wanted  # noqa: E731 - the file could not say it in so few words
    program._read_as_written = read
    with pytest.raises(TransientError, match=r"camera 1: .*no-such-model"):
        program.reload()
    site.heard.wait_for_events(2)
    assert [camera.source_id for camera in program.settings.stream.cameras] == [0, 2]
