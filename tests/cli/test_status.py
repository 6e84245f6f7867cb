"""`nvr status` and `nvr top` against a real broker, on which instances say how they are."""

import contextlib
import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nvr.app.site.running_file import RunningFile, RunningInfo
from nvr.bus.local_broker import LocalBroker
from nvr.config.broker import BrokerConfig
from nvr.control.connection import InstanceConnection
from nvr.events.instance_metrics import CameraMetrics, DiskMetrics, InstanceMetrics, Latency
from nvr.events.instance_status import CameraStatus, ChildState, InstanceStatus
from nvr.events.protocol import Topics
from tests.cli.conftest import Ended, Nvr
from tests.waiting import DEADLINE_S, wait_until

pytestmark = pytest.mark.broker

DOOR = CameraStatus(
    source_id=0, name="Front [door]", state="running", fps=25.0, analysed_fps=5.0, model_id="motion", recording="on"
)
YARD = CameraStatus(source_id=1, name="Yard", state="offline", reason="refuses the connection")


class Instances:
    """Instances that are told to the broker."""

    def __init__(self, broker: LocalBroker) -> None:
        self.broker = broker
        self._connections: list[InstanceConnection] = []

    def say(self, status: InstanceStatus, tenant: str | None = None) -> InstanceConnection:
        connection = InstanceConnection(
            BrokerConfig(host=self.broker.host, port=self.broker.port), Topics(tenant), status.instance_id
        )
        connection.start()
        assert connection.wait_connected(DEADLINE_S)
        now = datetime.now(UTC)
        assert connection.say(status.model_copy(update={"timestamp": now, "heartbeat_s": 300.0}))
        self._connections.append(connection)
        return connection

    def close(self) -> None:
        for connection in self._connections:
            connection.stop()


@pytest.fixture
def instances(mosquitto: LocalBroker) -> Iterator[Instances]:
    instances = Instances(mosquitto)
    yield instances
    instances.close()


Run = Callable[..., Ended]


@pytest.fixture
def run(nvr: Nvr, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A command that asks this broker, or the one that it finds by the files of a folder."""

    def run(command: str, broker: LocalBroker | None, *arguments: str, folder: Path) -> Ended:
        where = () if broker is None else ("--mqtt-host", broker.host, "--mqtt-port", str(broker.port))
        monkeypatch.chdir(folder)
        return nvr(command, *where, *arguments, RUNTIME_DIRECTORY=str(folder))

    return run


def processor(*cameras: CameraStatus, state: str = "running", name: str = "processor-1") -> InstanceStatus:
    return InstanceStatus.model_validate({"instance_id": name, "state": state, "cameras": cameras})


def test_all_is_well(run: Run, instances: Instances, tmp_path: Path) -> None:
    instances.say(processor(DOOR))
    result = run("status", instances.broker, folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "all is well" in result.stdout
    [line] = [line for line in result.stdout.splitlines() if "Front [door]" in line]
    assert {"0", "processor-1", "running", "25.0", "5.0", "motion", "on"} <= set(line.split())


def test_a_camera_that_is_away_makes_it_unwell_and_says_why(run: Run, instances: Instances, tmp_path: Path) -> None:
    instances.say(processor(DOOR, YARD))
    result = run("status", instances.broker, folder=tmp_path)
    assert result.returncode == 1
    assert "refuses the connection" in result.stdout


def test_an_instance_that_vanished_makes_it_unwell_and_one_that_was_ended_does_not(
    run: Run, instances: Instances, tmp_path: Path
) -> None:
    instances.say(processor(DOOR))
    instances.say(processor(name="processor-2")).stop("stopped")
    assert run("status", instances.broker, folder=tmp_path).returncode == 0
    gone = InstanceStatus.offline("processor-3", "processor", "connection lost")
    instances.say(gone)
    result = run("status", instances.broker, folder=tmp_path)
    assert result.returncode == 1
    assert "connection lost" in result.stdout
    assert "processor-2" not in result.stdout


def test_a_child_that_has_failed_makes_it_unwell(run: Run, instances: Instances, tmp_path: Path) -> None:
    child = ChildState(name="processor-1", state="failed", reason="ended with status 1: out of memory")
    instances.say(InstanceStatus(instance_id="s", kind="supervisor", state="running", children=(child,)))
    result = run("status", instances.broker, folder=tmp_path)
    assert result.returncode == 1
    assert "out of memory" in result.stdout


def test_programs_get_json(run: Run, instances: Instances, tmp_path: Path) -> None:
    instances.say(processor(DOOR, YARD))
    result = run("status", instances.broker, "--json", folder=tmp_path)
    content = json.loads(result.stdout)
    assert content["verdict"] == "unwell"
    assert [(camera["source_id"], camera["is_well"]) for camera in content["cameras"]] == [(0, True), (1, False)]
    assert content["instances"][0]["name"] == "processor-1"


def test_nothing_that_runs_and_no_broker_are_both_out_of_reach(
    run: Run, mosquitto: LocalBroker, tmp_path: Path
) -> None:
    assert run("status", mosquitto, folder=tmp_path).returncode == 2
    mosquitto.stop()
    result = run("status", mosquitto, folder=tmp_path)
    assert result.returncode == 2
    assert "cannot be reached" in result.stderr
    assert "Traceback" not in result.stderr


def test_what_runs_on_this_machine_is_found_with_all_its_tenants(
    run: Run, instances: Instances, tmp_path: Path
) -> None:
    instances.say(processor(DOOR))
    instances.say(processor(YARD), tenant="acme")
    info = RunningInfo(
        pid=os.getpid(),
        broker_host=instances.broker.host,
        broker_port=instances.broker.port,
        is_private_broker=True,
        tenants=(None, "acme"),
    )
    with RunningFile(tmp_path) as file:
        file.write(info)
        result = run("status", None, folder=tmp_path)
        assert result.returncode == 1
        assert "acme/processor-1" in result.stdout
        assert run("status", None, "--tenant", "acme", folder=tmp_path).stdout.count("processor-1") == 2
        for command in (("status",), ("top", "--once")):
            refused = run(command[0], None, *command[1:], "--tenant", "acne", folder=tmp_path)
            assert (refused.returncode, refused.stderr) == (2, "nvr: there is no tenant acne, did you mean acme?\n")


def metrics(uptime_s: float) -> InstanceMetrics:
    latency = Latency(count=100, mean_ms=30, p50_ms=25, p95_ms=75)
    camera = CameraMetrics(
        source_id=0,
        frames_in=1000,
        decoded=500,
        analysed=200,
        dropped={"sampled_out": 300, "replaced": 17, "asleep": 500},
        fps=24.0,
        analysed_fps=4.5,
        cpu_s=uptime_s * 0.12,
        latency={"capture_to_publish": latency},
    )
    return InstanceMetrics(
        instance_id="processor-1",
        timestamp=datetime.now(UTC),
        uptime_s=uptime_s,
        cpu_s=uptime_s * 0.12,
        cpu_percent=12.4,
        rss_bytes=200 * 2**20,
        cameras=(camera,),
        disk=DiskMetrics(total_bytes=10**12, free_bytes=4 * 10**11, recordings_bytes=5 * 10**10, forecast_days=12),
    )


def test_top_shows_counters_latency_and_disk_once(instances: Instances, tmp_path: Path) -> None:
    connection = instances.say(processor(DOOR))
    command = [sys.executable, "-m", "nvr", "top", "--once", "--mqtt-host", instances.broker.host]
    with subprocess.Popen(
        [*command, "--mqtt-port", str(instances.broker.port)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=dict(os.environ) | {"RUNTIME_DIRECTORY": str(tmp_path)},
    ) as process:
        uptime_s = 10.0

        def has_ended() -> bool:
            nonlocal uptime_s
            uptime_s += 10
            connection.publish(Topics().metrics("processor-1"), metrics(uptime_s).to_json())
            return process.poll() is not None

        wait_until(has_ended, "it has shown the counters")
        assert process.stdout is not None
        output = process.stdout.read()
    assert process.returncode == 0
    assert "disk 60% of 1000 GB, recordings 50.0 GB, room for 12 days" in output
    [line] = [line for line in output.splitlines() if "Front [door]" in line]
    assert {"24.0", "4.5", "17", "25", "75"} <= set(line.split())


@pytest.mark.parametrize("key", [b"q", b"\x03"])
def test_top_is_live_until_a_key_ends_it(instances: Instances, tmp_path: Path, key: bytes) -> None:
    instances.say(processor(DOOR))
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [
            "setsid",
            "--ctty",  # so that Ctrl-C becomes SIGINT
            *(sys.executable, "-m", "nvr", "top", "--every", "0.2"),
            *("--mqtt-host", instances.broker.host, "--mqtt-port", str(instances.broker.port)),
        ],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=tmp_path,
        env=dict(os.environ) | {"TERM": "xterm", "COLUMNS": "160", "LINES": "40"},
    ) as process:
        os.close(theirs)
        screen = Screen(ours)
        try:
            wait_until(lambda: b"processor-1" in screen.output, "the table is shown")
            os.write(ours, key)
            wait_until(lambda: process.poll() is not None, "it has ended")
        except AssertionError:
            status = process.poll()
            process.kill()
            pytest.fail(f"its status is {status}, it showed {screen.output[-5000:]!r}")
    assert process.returncode == 0
    screen.join()
    os.close(ours)


class Screen:
    """Reads what is shown on a terminal until it is closed."""

    def __init__(self, descriptor: int) -> None:
        self.output = b""
        self._descriptor = descriptor
        self._thread = threading.Thread(target=self._read, name="screen", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # the other side is closed
            while data := os.read(self._descriptor, 65536):
                self.output += data

    def join(self) -> None:
        self._thread.join(DEADLINE_S)
