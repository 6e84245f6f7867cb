"""Every command over a real broker to a real processor that watches and records real RTSP, success and failure."""

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import JsonValue, SecretStr

from nvr.bus.local_broker import LocalBroker
from nvr.config.broker import BrokerConfig
from nvr.config.operations import ControlConfig
from nvr.control.admission import AHEAD_S
from nvr.control.client import ControlClient, Reply
from nvr.control.signing import signed
from nvr.core.errors import ConfigurationError
from nvr.demo.simulator import Simulator, SimulatorConfig
from nvr.events.command import Command
from nvr.events.instance_metrics import InstanceMetrics
from nvr.events.instance_status import InstanceStatus
from nvr.events.schema import DetectionEvent
from tests.control.conftest import Desk
from tests.control.processor_instance import ProcessorInstance
from tests.waiting import DEADLINE_S, wait_until

pytestmark = [pytest.mark.broker, pytest.mark.camera]

DEAD = "rtsp://127.0.0.1:1/dead"


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator(SimulatorConfig(n_cameras=3, width_px=320, height_px=180, fps=12, scene_s=5)) as running:
        yield running


class Bench:
    """An instance, who commands it, and what it publishes."""

    def __init__(self, broker: LocalBroker, instance: ProcessorInstance, tenant: str | None = None) -> None:
        self.broker = broker
        self.instance = instance
        self.desk = Desk(broker, tenant)
        self.events: dict[int, DetectionEvent] = {}
        self.desk.connection.subscribe(f"{self.desk.topics.root}/detections/+", self._note)
        self.client = ControlClient(BrokerConfig(host=broker.host, port=broker.port), tenant=tenant)

    def _note(self, _topic: str, payload: bytes) -> None:
        event = DetectionEvent.from_json(payload)
        self.events[event.source_id] = event

    def start(self) -> None:
        self.instance.start()
        self.desk.wait_for_state("running", self.instance.instance_id)
        self.client.start()

    def stop(self) -> None:
        self.client.stop()
        self.desk.connection.stop()
        self.instance.stop()

    def do(self, name: str, *source_ids: int, **params: JsonValue) -> Reply:
        target = self.instance.connection.instance_id
        [reply] = self.client.send(name, params, targets=(target,), source_ids=source_ids or None, timeout_s=DEADLINE_S)
        return reply

    def result(self, name: str, *source_ids: int, **params: JsonValue) -> JsonValue:
        reply = self.do(name, *source_ids, **params)
        assert reply.is_ok, reply.error
        assert reply.received_ms is not None
        return reply.result

    def refusal(self, name: str, *source_ids: int, **params: JsonValue) -> tuple[str, str]:
        reply = self.do(name, *source_ids, **params)
        assert reply.error is not None, reply
        return reply.error.type, reply.error.reason

    def status(self) -> InstanceStatus:
        return self.status_of(self.instance.connection.instance_id)

    def status_of(self, instance_id: str) -> InstanceStatus:
        status = self.desk.status(instance_id)
        assert status is not None
        return status

    def wait_for_events(self, source_id: int, since: datetime | None = None) -> None:
        start = since or datetime.now(UTC)
        wait_until(
            lambda: source_id in self.events and self.events[source_id].timestamp > start,
            f"events of camera {source_id} captured after {start}",
        )


@pytest.fixture
def make_bench(mosquitto: LocalBroker, simulator: Simulator, tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    benches: list[Bench] = []

    def make(*uris: str, tenant: str | None = None, **settings: object) -> Bench:
        cameras = uris or (simulator.uri(0), simulator.uri(1))
        settings.setdefault("recordings", tmp_path)
        instance = ProcessorInstance(mosquitto, *cameras, tenant=tenant, **settings)  # type: ignore[arg-type] # its options
        bench = Bench(mosquitto, instance, tenant)
        benches.append(bench)
        bench.start()
        return bench

    yield make
    for bench in benches:
        bench.stop()


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    bench = make_bench()
    bench.wait_for_events(0)
    bench.wait_for_events(1)
    return bench


def test_it_answers_and_tells_how_it_is(bench: Bench) -> None:
    told = bench.result("ping")
    assert isinstance(told, dict)
    assert told["state"] == "running"
    status = InstanceStatus.model_validate(bench.result("status"))
    assert [(camera.source_id, camera.is_detecting, camera.model_id) for camera in status.cameras] == [
        (0, True, "motion"),
        (1, True, "motion"),
    ]
    assert {camera.recording for camera in status.cameras} == {"idle"}
    wait_until(lambda: all(camera.state == "running" for camera in bench.status().cameras), "told in the status, too")
    metrics = InstanceMetrics.model_validate(bench.result("metrics"))
    assert [camera.analysed > 0 for camera in metrics.cameras] == [True, True]
    assert bench.refusal("dance")[0] == "unknown_command"
    assert bench.refusal("ping", loud=True)[0] == "invalid"


def test_pause_ends_what_is_published_of_a_camera_and_of_no_other(bench: Bench) -> None:
    assert bench.result("pause", 0) == {"source_ids": [0]}
    paused_at = datetime.now(UTC)
    bench.wait_for_events(1, paused_at)
    bench.wait_for_events(1)
    assert bench.events[0].timestamp < paused_at
    wait_until(lambda: [c.is_detecting for c in bench.status().cameras] == [False, True], "it is told")
    bench.result("resume", 0)
    bench.wait_for_events(0)
    assert bench.refusal("pause", 9)[0] == "not_found"


def test_a_camera_that_hangs_up_is_not_connected_until_it_is_resumed(bench: Bench) -> None:
    bench.result("pause", hang_up=True)
    wait_until(lambda: bench.status().state == "paused", "all cameras pause")
    wait_until(lambda: {camera.state for camera in bench.status().cameras} == {"paused"}, "they have hung up")
    bench.result("resume")
    bench.wait_for_events(0)
    assert bench.desk.wait_for_state("running").reason is None


def test_rates_and_thresholds_change_while_it_runs(bench: Bench) -> None:
    assert bench.result("set_fps", 0, max_fps=2) == {"source_ids": [0]}
    assert bench.result("set_confidence", confidence=0.9) == {"source_ids": [0, 1]}
    processor = bench.instance.processor
    assert [camera.config.max_fps for camera in processor.cameras] == [2, None]
    assert processor.config.confidence_threshold == 0.9
    assert bench.refusal("set_fps", 0, max_fps=-1)[0] == "invalid"
    assert bench.refusal("set_confidence", 9, confidence=0.5)[0] == "not_found"


def test_cameras_come_change_and_go(bench: Bench, simulator: Simulator) -> None:
    camera: JsonValue = {"uri": simulator.uri(2), "name": "yard"}
    assert bench.result("add_stream", camera=camera) == {"source_id": 2}
    bench.wait_for_events(2)
    assert [camera.name for camera in bench.status().cameras if camera.source_id == 2] == ["yard"]
    assert bench.refusal("add_stream", camera={"uri": simulator.uri(2), "source_id": 2})[0] == "invalid"
    lost = bench.refusal("add_stream", camera={"uri": simulator.uri(2), "model_id": "/nowhere/model.onnx"})
    assert "/nowhere/model.onnx" in lost[1]
    assert bench.result("update_stream", 2, changes={"name": "garden", "max_fps": 3}) == {"source_ids": [2]}
    wait_until(lambda: "garden" in {camera.name for camera in bench.status().cameras}, "the new name is told")
    assert bench.result("remove_stream", 2) == {"cameras": [{"source_id": 2, "ok": True}]}
    wait_until(lambda: [camera.source_id for camera in bench.status().cameras] == [0, 1], "it is gone")
    assert bench.refusal("remove_stream", 2)[0] == "not_found"
    assert bench.refusal("remove_stream")[0] == "invalid"


def test_no_number_and_no_name_is_given_that_another_instance_has(
    make_bench: Callable[..., Bench], simulator: Simulator
) -> None:
    gate = make_bench(simulator.uri(0))
    porch = make_bench(simulator.uri(1), instance_id="porch", first_source_id=1)
    assert gate.result("add_stream", camera={"uri": DEAD, "name": "door"}) == {"source_id": 2}
    wait_until(lambda: [camera.source_id for camera in gate.status().cameras] == [0, 2], "the others hear of it")
    assert porch.result("add_stream", camera={"uri": DEAD}) == {"source_id": 3}
    taken = "source_id 2 is taken: instance gate has a camera of this number"
    assert porch.refusal("add_stream", camera={"uri": DEAD, "source_id": 2}) == ("invalid", taken)
    taken = "the name 'door' is taken by camera 2 of instance gate"
    assert porch.refusal("add_stream", camera={"uri": DEAD, "name": "door"}) == ("invalid", taken)
    assert {camera.source_id for camera in porch.instance.processor.cameras} == {1, 3}
    gate.instance.stop()
    wait_until(lambda: gate.status_of("gate").state == "offline", "it is gone, and its numbers are free")
    assert porch.result("add_stream", camera={"uri": DEAD, "source_id": 2}) == {"source_id": 2}


def test_a_change_that_fails_leaves_every_camera_as_it_was(bench: Bench) -> None:
    type_, reason = bench.refusal("update_stream", 0, 1, changes={"uri": DEAD})
    assert type_ == "failed"
    assert "nothing has changed" in reason
    processor = bench.instance.processor
    assert DEAD not in {camera.config.uri for camera in processor.cameras}
    bench.wait_for_events(0)
    bench.wait_for_events(1)
    assert bench.refusal("update_stream", 0, changes={"max_fsp": 3})[0] == "invalid"


def test_a_model_is_changed_or_the_old_one_looks_on(bench: Bench) -> None:
    assert bench.result("change_model", model_id="motion") == {"model_id": "motion"}
    processor = bench.instance.processor
    assert [model.generation for model in processor.report().models] == [2]
    _, reason = bench.refusal("change_model", model_id="/nowhere/model.onnx")
    assert "/nowhere/model.onnx" in reason
    assert reason.endswith("; the old one looks on")
    assert bench.refusal("change_model", model_id="motion", instead_of="yolox-nano")[0] == "invalid"
    bench.wait_for_events(0)


def reports_of(result: JsonValue) -> list[dict[str, JsonValue]]:
    assert isinstance(result, dict)
    reports = result["cameras"]
    assert isinstance(reports, list)
    return [report for report in reports if isinstance(report, dict)]


def test_it_records_on_demand_and_takes_pictures(bench: Bench, tmp_path: Path) -> None:
    recorder = bench.instance.recorder
    assert bench.result("record_start", 0, max_s=60) == {"cameras": [{"source_id": 0, "ok": True}]}
    wait_until(lambda: recorder.states()[0].activity == "recording", "camera 0 is recorded")
    wait_until(lambda: [camera.recording for camera in bench.status().cameras] == ["recording", "idle"], "it is told")
    bench.result("record_stop")
    wait_until(lambda: recorder.states()[0].activity == "idle", "it is recorded no more")
    [report] = reports_of(bench.result("snapshot", 1))
    picture = tmp_path / str(report["path"])
    assert picture.read_bytes().startswith(b"\xff\xd8")
    bench.result("add_stream", camera={"uri": DEAD, "source_id": 7, "record": "off"})
    reply = bench.do("snapshot")
    assert reply.error is not None
    assert "1 of 3 cameras failed" in reply.error.reason
    assert [each["ok"] for each in reports_of(reply.result)] == [True, True, False]
    assert bench.refusal("record_start", 9)[0] == "not_found"
    assert bench.refusal("record_stop", 9)[0] == "not_found"


def test_what_records_nothing_says_so(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(recordings=None)
    for name in ("record_start", "record_stop", "snapshot"):
        assert bench.refusal(name)[0] == "unsupported"


def test_it_goes_on_under_another_name(bench: Bench) -> None:
    assert bench.result("rename_instance", instance_id="porch") == {"instance_id": "porch"}
    bench.desk.wait_for_state("running", "porch")
    wait_until(lambda: bench.events[0].instance_id == "porch", "its events bear the new name")
    assert bench.result("pause", 0) == {"source_ids": [0]}
    assert bench.refusal("rename_instance", instance_id="a/b")[0] == "invalid"


def test_it_follows_its_settings_or_stays_as_it_is(bench: Bench) -> None:
    assert bench.result("reload") == {"changes": [], "restarted_for": []}
    models = bench.instance.site.models.model_copy(update={"confidence_threshold": 0.7})
    bench.instance.site = bench.instance.site.model_copy(update={"models": models})
    told = bench.result("reload")
    assert isinstance(told, dict)
    assert "confidence_threshold" in str(told["changes"])
    assert bench.instance.processor.config.confidence_threshold == 0.7
    bench.instance.problem = ConfigurationError("nvr.yaml:3:1: no such setting")
    assert bench.refusal("reload") == ("invalid", "nvr.yaml:3:1: no such setting")
    before = bench.instance.processor
    assert bench.refusal("restart") == ("invalid", "nvr.yaml:3:1: no such setting")
    assert bench.instance.processor is before
    assert bench.result("set_log_level", level="info", logger="nvr.processor") == {
        "level": "info",
        "logger": "nvr.processor",
    }
    assert bench.refusal("set_log_level", level="loud")[0] == "invalid"


def test_it_begins_anew_and_stops(bench: Bench) -> None:
    before = bench.instance.processor
    assert bench.result("restart") is None
    assert bench.instance.processor is not before
    bench.wait_for_events(0)
    assert bench.refusal("restart", 0)[0] == "invalid"
    assert bench.refusal("stop", reason="none")[0] == "invalid"
    assert bench.result("stop") == {"is_stopping": True}
    assert bench.desk.wait_for_state("offline").reason == "stopped by a command"
    wait_until(lambda: bench.instance.has_ended, "the program has ended")


def test_it_answers_before_any_camera_does(make_bench: Callable[..., Bench]) -> None:
    with socket.socket() as mute:  # accepts and never answers
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        bench = make_bench(f"rtsp://127.0.0.1:{mute.getsockname()[1]}/mute")
        assert bench.result("pause") == {"source_ids": [0]}
        assert bench.events == {}
        assert bench.result("resume") == {"source_ids": [0]}


def test_old_messages_work(bench: Bench) -> None:
    bench.desk.send({"command": "pause", "target_instances": ["*"]})
    received, completed = bench.desk.wait_for(None, 2)
    assert (received.status, completed.status, completed.result) == ("received", "completed", {"source_ids": [0, 1]})


def test_duplicates_are_answered_and_those_that_came_too_late_refused(bench: Bench, simulator: Simulator) -> None:
    add = Command(
        command="add_stream",
        command_id="once",
        target_instances=("gate",),
        params={"camera": {"uri": simulator.uri(2)}},
    )
    bench.desk.send(add)
    bench.desk.send(add)
    bench.desk.ask(add)
    answers = [ack.result for ack in bench.desk.acks_of("once") if ack.status == "completed"]
    assert {str(answer) for answer in answers} == {"{'source_id': 2}"}
    assert bench.desk.ask(Command(command="status", command_id="2")).status == "completed"
    processor = bench.instance.processor
    assert len(processor.cameras) == 3
    late = Command(command="pause", command_id="late", expires_at=datetime.now(UTC) - timedelta(seconds=1))
    ack = bench.desk.ask(late)
    assert ack.error is not None
    assert ack.error.type == "expired"


def test_a_wrong_signature_changes_nothing(make_bench: Callable[..., Bench]) -> None:
    key = "0123456789abcdef"
    bench = make_bench(control=ControlConfig(key=SecretStr(key), heartbeat_s=1))
    pause = Command(command="pause", command_id="1", issued_at=datetime.now(UTC))
    for wrong in (pause, signed(pause, "another key of ours")):
        ack = bench.desk.ask(wrong)
        assert ack.error is not None
        assert ack.error.type == "unauthorised"
    assert all(camera.is_detecting for camera in bench.status().cameras)
    # of what was signed before it began, or may have been, nobody knows whether it was carried out then
    refused = bench.desk.ask(signed(pause.model_copy(update={"command_id": "2"}), key))
    assert "sign it again" in str(refused.error)
    began_at = bench.status().started_at
    assert began_at is not None
    wait_until(lambda: datetime.now(UTC) > began_at + timedelta(seconds=AHEAD_S), "it has run for a moment")
    right = signed(pause.model_copy(update={"command_id": "3", "issued_at": datetime.now(UTC)}), key)
    assert bench.desk.ask(right).result == {"source_ids": [0, 1]}


class Mute:
    """Accepts connections and never answers: a change to it takes as long as the timeout."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen()
        self.uri = f"rtsp://127.0.0.1:{self._socket.getsockname()[1]}/mute"

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def mute() -> Iterator[Mute]:
    mute = Mute()
    yield mute
    mute.close()


def begin_slow_change(bench: Bench, mute: Mute) -> None:
    """Let camera 0 be given an address that does not answer, which takes seconds to find out."""
    bench.desk.send(
        Command(command="update_stream", command_id="slow", source_ids=(0,), params={"changes": {"uri": mute.uri}})
    )
    bench.desk.wait_for("slow", 1)


def test_what_conflicts_with_a_slow_change_is_refused_and_all_else_is_quick(bench: Bench, mute: Mute) -> None:
    begin_slow_change(bench, mute)
    type_, reason = bench.refusal("update_stream", 0, changes={"max_fps": 2})
    assert (type_, reason) == ("conflict", "update_stream ('slow') is in work and changes the same")
    assert bench.refusal("reload")[0] == "conflict"
    assert bench.result("pause", 1) == {"source_ids": [1]}
    assert bench.result("update_stream", 1, changes={"max_fps": 2}) == {"source_ids": [1]}
    assert len(bench.desk.acks_of("slow")) == 1  # it is in work still
    last = bench.desk.wait_for("slow", 2)[1]
    assert last.error is not None
    assert last.error.type == "failed"
    bench.wait_for_events(0)


def test_a_broker_that_dies_on_the_way_costs_no_answer(bench: Bench, mute: Mute) -> None:
    replies: list[Reply] = []
    sender = threading.Thread(
        target=lambda: replies.append(bench.do("update_stream", 0, changes={"uri": mute.uri})), name="sender"
    )
    sender.start()
    wait_until(lambda: bool(bench.instance.agent._in_work), "it is in work")
    bench.broker.stop()
    wait_until(lambda: not bench.instance.connection.is_connected, "the loss is noticed")
    wait_until(lambda: bench.instance.agent.counters.failed == 1, "it has ended meanwhile")
    bench.broker.restart()
    sender.join(DEADLINE_S)
    [reply] = replies
    assert reply.error is not None
    assert reply.error.type == "failed"
    bench.wait_for_events(0)
    wait_until(lambda: bench.desk.connection.is_connected, "the desk is back, too")
    wait_until(lambda: bench.status().timestamp is not None, "the status is there again")
    assert bench.result("ping") is not None


def test_two_instances_and_two_tenants(make_bench: Callable[..., Bench], simulator: Simulator) -> None:
    gate = make_bench(simulator.uri(0), recordings=None)
    porch = make_bench(simulator.uri(1), simulator.uri(2), instance_id="porch", recordings=None)
    other = make_bench(simulator.uri(0), tenant="acme", recordings=None)
    replies = gate.client.send("pause", source_ids=(1,), timeout_s=DEADLINE_S)
    assert [(reply.instance_id, reply.result) for reply in replies] == [
        ("gate", {"source_ids": []}),
        ("porch", {"source_ids": [1]}),
    ]
    assert gate.client.registry.cameras() == {0: "gate", 1: "porch"}
    assert [reply.instance_id for reply in other.client.send("pause", timeout_s=DEADLINE_S)] == ["gate"]
    wait_until(lambda: other.status().state == "paused", "the tenant's instance pauses")
    gate.client.send("ping", timeout_s=DEADLINE_S)
    assert gate.status().state == "running"
    assert porch.instance.agent.counters.received == 2
    assert other.instance.agent.counters.received == 1


def test_a_processor_of_its_own_is_steered_from_the_terminal_and_missed_when_it_is_killed(
    mosquitto: LocalBroker, simulator: Simulator
) -> None:
    broker = ["--mqtt-host", mosquitto.host, "--mqtt-port", str(mosquitto.port)]
    nvr = [sys.executable, "-m", "nvr"]
    desk = Desk(mosquitto)
    try:
        with subprocess.Popen(
            [*nvr, "processor", simulator.uri(0), "--model", "motion", "--instance-id", "gate", *broker],
            stderr=subprocess.DEVNULL,
        ) as process:
            desk.wait_for_state("running")
            said = subprocess.run(
                [*nvr, "ctl", *broker, "pause", "--source", "0"], capture_output=True, text=True, check=True
            )
            assert said.stdout.startswith("gate: paused camera 0 (")
            desk.wait_for_state("paused")
            process.kill()
        assert desk.wait_for_state("offline").reason == "connection lost"
    finally:
        desk.connection.stop()
