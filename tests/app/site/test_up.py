"""`nvr up` as its user starts it: real cameras, a real broker, real processes."""

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from nvr.bus.local_broker import LocalBroker
from nvr.config.broker import BrokerConfig
from nvr.control.client import ControlClient
from tests.app.site.running_up import RunningUp, all_ended, cameras, nvr_up
from tests.conftest import require_program
from tests.waiting import wait_until

pytestmark = [pytest.mark.camera, pytest.mark.broker]


@pytest.fixture(autouse=True)
def _needs_mosquitto() -> None:
    require_program("mosquitto")


logger = logging.getLogger(__name__)


def note(what: str, seconds: float) -> None:
    """Leave a figure in the log of the test: `pytest --log-cli-level=INFO` shows it."""
    logger.info("%s %.2f s", what, seconds)


def options(*arguments: str) -> tuple[str, ...]:
    return ("--model", "motion", "--http", "0", *arguments)


def test_uris_alone_are_enough(tmp_path: Path) -> None:
    with cameras(2) as uris, nvr_up(tmp_path, *options(*uris)) as up:
        up.wait_for_line("Ctrl-C ends everything")
        listener = up.listener()
        listener.wait_for({0, 1})
        [url] = up.info().wall_urls
        wait_until(lambda: _live_cameras(url) == 2, "both cameras on the wall page")
        listener.close()
        family = up.family()
        note("ended after", up.stop(signal.SIGINT))
        assert up.process.returncode == 0
        assert all_ended(family)
        assert "Traceback" not in up.output
        assert list((tmp_path / "run").iterdir()) == []


def _live_cameras(url: str) -> int:
    try:
        state = httpx.get(f"{url}api/state.json").json()
    except httpx.HTTPError:
        return 0
    return sum(camera["state"] == "live" for camera in state["cameras"])


def test_a_killed_processor_is_back_with_its_cameras(tmp_path: Path) -> None:
    with cameras(4) as uris, nvr_up(tmp_path, *options(*uris, "--processors", "2", "--no-wall")) as up:
        listener = up.listener()
        listener.wait_for({0, 1, 2, 3})
        other = up.child("processor", "processor-2")
        began_s = time.monotonic()
        up.child("processor", "processor-1").kill()
        back_s = listener.wait_for({0, 2}, since_s=began_s + 0.3) + 0.3
        note("cameras of a killed processor were back after", back_s)
        assert up.child("processor", "processor-2") == other, "the other one was left alone"
        up.wait_for_line("processor-1 killed by SIGKILL", "started again now")
        listener.close()


def test_nothing_is_left_of_it_when_it_is_killed(tmp_path: Path) -> None:
    with cameras(1) as uris, nvr_up(tmp_path, *options(*uris)) as up:
        listener = up.listener()
        listener.wait_for({0})
        listener.close()
        wait_until(lambda: len(up.family()) == 8, "broker, processor, wall and the spare, each with its guard")
        family = up.family()
        up.process.kill()
        wait_until(lambda: all_ended(family), "every process has ended")


def test_recordings_are_closed_when_it_ends(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    with (
        cameras(2) as uris,
        nvr_up(tmp_path, *options(*uris, "--recordings", str(tmp_path / "records"), "--record", "continuous")) as up,
    ):
        listener = up.listener()
        listener.wait_for({0, 1})
        recording = tmp_path / "records"
        wait_until(lambda: len(list(recording.rglob("*.mp4*"))) >= 2, "both cameras are recorded")
        listener.close()
        note("ended after", up.stop())
        assert up.process.returncode == 0
    verified = subprocess.run(
        [sys.executable, "-m", "nvr", "recordings", "verify", "--root", str(recording)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert len(list(recording.rglob("*.mp4"))) >= 2


def test_a_killed_broker_is_back_on_its_port_and_everybody_finds_it(tmp_path: Path) -> None:
    with cameras(1) as uris, nvr_up(tmp_path, *options(*uris, "--no-wall")) as up:
        listener = up.listener()
        listener.wait_for({0})
        port, processor = up.info().broker_port, up.child("processor", "processor-1")
        began_s = time.monotonic()
        up.broker().kill()
        back_s = listener.wait_for({0}, since_s=began_s + 0.5)
        note("events were back after a killed broker after", back_s + 0.5)
        assert up.info().broker_port == port
        assert up.child("processor", "processor-1") == processor
        listener.close()


def test_a_crash_loop_is_told_and_harms_nobody_else(tmp_path: Path) -> None:
    with cameras(1) as uris, socket.create_server(("127.0.0.1", 0)) as taken:
        config = tmp_path / "nvr.yaml"
        config.write_text(f"models: {{model_id: motion}}\nwall: {{http_port: 0}}\ncameras: [{{uri: '{uris[0]}'}}]\n")
        with nvr_up(tmp_path) as up:
            listener = up.listener()
            listener.wait_for({0})
            [url] = up.info().wall_urls
            port = int(re.findall(r":(\d+)/", url)[0])
            assert port != taken.getsockname()[1]
            up.child("wall").kill()
            with Occupied(port):
                line = up.wait_for_line("wall has failed")
            assert "time in a row" in line or "tried again" in line
            listener.wait_for({0}, since_s=time.monotonic())
            listener.close()


class Occupied:
    """Takes a port as soon as it is free."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket()
        self._port = port

    def __enter__(self) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

        def is_taken() -> bool:
            try:
                self._socket.bind(("127.0.0.1", self._port))
            except OSError:
                return False
            self._socket.listen()
            return True

        wait_until(is_taken, "the port of the killed wall is free")

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def test_a_second_one_with_the_same_state_refuses(tmp_path: Path) -> None:
    with cameras(1) as uris, nvr_up(tmp_path, *options(*uris)) as up:
        up.info()
        with nvr_up(tmp_path, *options(*uris)) as second:
            assert second.process.wait(60) == 2
            second._reader.join(60)
            assert f"runs already, as process {up.process.pid}" in second.output


def test_cameras_come_and_go_with_the_file_and_the_others_miss_nothing(tmp_path: Path) -> None:
    config = tmp_path / "nvr.yaml"

    def write(uris: list[str]) -> None:
        lines = [f"  - {{name: cam{i}, uri: '{uri}', decode: all}}" for i, uri in enumerate(uris)]
        part = tmp_path / "part"
        settings = "models: {model_id: motion}\nstreams: {max_fps: null}\nwall: {enabled: false}\n"
        part.write_text("\n".join([settings, "cameras:", *lines]))
        part.replace(config)

    with cameras(3) as uris:
        write(uris[:2])
        with nvr_up(tmp_path) as up:
            listener = up.listener()
            listener.wait_for({0, 1})
            processor = up.child("processor", "processor-1")
            began_s = time.monotonic()
            write(uris)
            added_s = listener.wait_for({2}, since_s=began_s)
            note("a camera that was added to the file had its first event after", added_s)
            began_s = time.monotonic()
            write(uris[:2])
            up.wait_for_line("the settings were read: 2 cameras")
            config.write_text("cameras: [{url: 1}]\n")
            line = up.wait_for_line("the settings stay as they were")
            assert "nvr.yaml:1:" in line
            assert up.child("processor", "processor-1") == processor
            listener.wait_for({0, 1}, since_s=time.monotonic())
            for source_id in (0, 1):
                frame_ids = [event.frame_id for event in listener.events(source_id)]
                assert frame_ids == list(range(frame_ids[0], frame_ids[0] + len(frame_ids)))
            listener.close()


def test_a_camera_for_which_a_second_processor_begins_costs_the_first_one_nothing(tmp_path: Path) -> None:
    config = tmp_path / "nvr.yaml"
    settings = "models: {model_id: motion}\nstreams: {max_fps: null}\nwall: {enabled: false}\nprocessors: {count: 2}\n"

    def write(uris: list[str]) -> None:
        part = tmp_path / "part"
        part.write_text(settings + "cameras:\n" + "".join(f"  - {{uri: '{uri}', decode: all}}\n" for uri in uris))
        part.replace(config)

    with cameras(2) as uris:
        write(uris[:1])
        with nvr_up(tmp_path) as up:
            listener = up.listener()
            listener.wait_for({0})
            write(uris)
            listener.wait_for({1})
            up.wait_for_line("processor-2 was started")
            listener.wait_for({0}, since_s=time.monotonic() + 0.5)
            frame_ids = [event.frame_id for event in listener.events(0)]
            assert frame_ids == list(range(frame_ids[0], frame_ids[0] + len(frame_ids)))
            assert "begins anew" not in up.output
            listener.close()


def test_a_camera_keeps_its_number_over_restarts(tmp_path: Path) -> None:
    config = tmp_path / "nvr.yaml"
    settings = "models: {model_id: motion}\nwall: {enabled: false}\ncameras:\n"
    with cameras(2) as uris:
        config.write_text(settings + "".join(f"  - {{name: c{i}, uri: '{uri}'}}\n" for i, uri in enumerate(uris)))
        with nvr_up(tmp_path) as up:
            up.wait_for_line("1: c1")
            up.stop()
        config.write_text(settings + f"  - {{name: c1, uri: '{uris[1]}'}}\n")
        with nvr_up(tmp_path) as up:
            up.wait_for_line("1: c1")
            up.stop()


def test_an_own_broker_is_used_and_waited_for(tmp_path: Path, mosquitto: LocalBroker) -> None:
    mosquitto.stop()
    broker = ("--mqtt-host", mosquitto.host, "--mqtt-port", str(mosquitto.port), "--no-wall")
    with cameras(1) as uris, nvr_up(tmp_path, *options(*uris, *broker)) as up:
        up.wait_for_line(f"broker {mosquitto.host}:{mosquitto.port} cannot be reached")
        mosquitto.restart()
        listener = up.listener()
        listener.wait_for({0})
        listener.close()
        assert not any(member.name() == "mosquitto" for member in up.family())


def test_passwords_of_cameras_are_read_by_nobody_else(tmp_path: Path) -> None:
    uri = "rtsp://admin:hunter22@127.0.0.1:1/stream"
    with nvr_up(tmp_path, *options(uri, "--no-wall")) as up:
        up.wait_for_line("Ctrl-C ends everything")
        files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
        holding = [path for path in files if "hunter22" in path.read_text()]
        assert [path.name for path in holding] == ["processor-1.yaml"]
        assert holding[0].stat().st_mode & 0o777 == 0o600
        assert holding[0].parent.stat().st_mode & 0o777 == 0o700
        for member in up.family():
            assert "hunter22" not in " ".join(member.cmdline())
        up.stop()
        assert "hunter22" not in up.output
        assert not holding[0].exists()


def test_it_answers_commands_itself(tmp_path: Path) -> None:
    with cameras(1) as uris, nvr_up(tmp_path, *options(*uris, "--no-wall")) as up:
        up.wait_for_line("Ctrl-C ends everything")
        info = up.info()
        client = ControlClient(BrokerConfig(host=info.broker_host, port=info.broker_port))
        client.start()
        wait_until(lambda: len(client.registry.alive()) == 2, "processor and supervisor")
        (ping,) = client.send("ping", targets=("processor-supervisor",))
        assert isinstance(ping.result, dict)
        assert ping.result["state"] in {"starting", "running"}
        assert isinstance(ping.result["uptime_s"], float)
        (status,) = client.send("status", targets=("processor-supervisor",))
        assert status.is_ok
        (reload,) = client.send("reload", targets=("processor-supervisor",))
        assert reload.is_ok
        client.stop()


def test_cameras_of_the_file_and_cameras_that_commands_add_never_have_the_same_number(tmp_path: Path) -> None:
    config = tmp_path / "nvr.yaml"
    settings = "models: {model_id: motion}\nwall: {enabled: false}\nprocessors: {count: 2}\ncameras:\n"

    def write(*lines: str) -> None:
        part = tmp_path / "part"
        part.write_text(settings + "".join(f"  - {line}\n" for line in lines))
        part.replace(config)

    with cameras(3) as uris:
        first = [f"{{name: c{i}, uri: '{uri}'}}" for i, uri in enumerate(uris[:2])]
        write(*first)
        with nvr_up(tmp_path) as up:
            listener = up.listener()
            listener.wait_for({0, 1})
            added = up.run("ctl", "add-stream", uris[2], "-i", "processor-1")
            assert "added camera 2" in added.stdout, added
            listener.wait_for({2})
            write(*first, f"{{name: c3, uri: '{uris[2]}'}}")
            listener.wait_for({3})
            write(*first, f"{{name: c4, uri: '{uris[2]}', source_id: 2}}")
            up.wait_for_line("the settings stay as they were", "source_id 2 has a camera that a command added to")
            status = up.run("status")
            assert "camera 2, too" not in status.stdout, status
            listener.wait_for({2, 3}, since_s=time.monotonic())
            listener.close()


def test_an_instance_that_a_command_stopped_is_missed_and_can_be_brought_back(tmp_path: Path) -> None:
    with cameras(1) as uris, nvr_up(tmp_path, *options(*uris, "--no-wall")) as up:
        listener = up.listener()
        listener.wait_for({0})
        assert up.run("ctl", "stop", "--instance", "processor-1").returncode == 0
        wait_until(lambda: "stopped by a command" in up.run("status").stdout, "its supervisor misses it")
        told = up.run("status")
        assert told.returncode == 1
        assert "1 camera is not served; `nvr ctl reload` starts it again" in told.stdout
        assert "not all is well" in told.stdout
        silent = up.run("ctl", "resume", "--instance", "processor-1", "--timeout", "2")
        assert silent.returncode == 1
        assert "it was stopped by a command; under `nvr up`, `nvr ctl reload` starts it again" in silent.stdout
        began_s = time.monotonic()
        assert up.run("ctl", "reload").returncode == 0
        listener.wait_for({0}, since_s=began_s)
        wait_until(lambda: "stopped by a command" not in up.run("status").stdout, "it is missed no more")
        listener.close()


def test_sighup_reads_the_file_anew(tmp_path: Path) -> None:
    with cameras(1) as uris:
        config = tmp_path / "nvr.yaml"
        config.write_text(f"models: {{model_id: motion}}\nwall: {{enabled: false}}\ncameras: [{{uri: '{uris[0]}'}}]\n")
        with nvr_up(tmp_path) as up:
            up.wait_for_line("Ctrl-C ends everything")
            os.kill(up.process.pid, signal.SIGHUP)
            up.wait_for_line("the settings were read: nothing has changed")
            config.write_text("models: 5\n")
            os.kill(up.process.pid, signal.SIGHUP)
            assert "nvr.yaml:1:" in up.wait_for_line("the settings stay as they were")


def test_no_file_and_no_camera_is_one_sentence(tmp_path: Path) -> None:
    with nvr_up(tmp_path) as up:
        assert up.process.wait(60) == 2
        up._reader.join(60)
        assert up.output.startswith("nvr: there is no nvr.yaml here")


def test_a_service_manager_hears_of_start_reload_and_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, cameras(1) as uris:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "1000000")
        with nvr_up(tmp_path, *options(*uris, "--no-wall")) as up:
            assert manager.recv(1000).startswith(b"READY=1\nSTATUS=2 of 2 processes run")
            heard = b""
            while b"WATCHDOG=1" not in heard:
                heard = manager.recv(1000)
            os.kill(up.process.pid, signal.SIGHUP)
            while not heard.startswith(b"RELOADING=1"):
                heard = manager.recv(1000)
            while not heard.startswith(b"READY=1"):
                heard = manager.recv(1000)
            up.process.send_signal(signal.SIGTERM)
            while heard != b"STOPPING=1":
                heard = manager.recv(1000)


def test_cameras_move_to_a_processor_that_has_nothing_to_do(tmp_path: Path) -> None:
    config = tmp_path / "nvr.yaml"
    settings = (
        "models: {model_id: motion}\nwall: {enabled: false}\nmetrics: {interval_s: 1}\n"
        "processors: {count: 2, rebalance_s: 10}\ncameras:\n"
    )

    def write(uris: dict[int, str]) -> None:
        part = tmp_path / "part"
        part.write_text(settings + "".join(f"  - {{name: c{i}, uri: '{uri}'}}\n" for i, uri in uris.items()))
        part.replace(config)

    with cameras(4) as uris:
        write(dict(enumerate(uris)))
        with nvr_up(tmp_path) as up:
            listener = up.listener()
            listener.wait_for({0, 1, 2, 3})
            first = up.child("processor", "processor-1")
            write({0: uris[0], 2: uris[2]})
            up.wait_for_line("the settings were read: 2 cameras")
            up.wait_for_line("1 cameras moved to a less loaded processor")
            listener.wait_for({0, 2}, since_s=time.monotonic() + 0.5)
            wait_until(lambda: _runs(up, "processor-2"), "the other one runs again")
            assert up.child("processor", "processor-1") == first
            listener.close()


def _runs(up: RunningUp, instance: str) -> bool:
    """Tell whether a processor runs, be it one that was in waiting, whose command line says something else."""
    return sum(f"{instance} was started" in line for line in up.lines) > sum(
        f"{instance} ended" in line or f"{instance} killed" in line for line in up.lines
    )


@pytest.mark.timeout(240)
def test_a_processor_or_a_broker_that_hangs_is_started_anew(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    with cameras(1) as uris:
        config = f"models: {{model_id: motion}}\ncameras: [{{uri: '{uris[0]}'}}]\n"
        for name in ("one", "other"):  # side by side: each takes its time
            (tmp_path / name / "nvr.yaml").write_text(config)
        with nvr_up(tmp_path / "one", "--no-wall") as one, nvr_up(tmp_path / "other", "--no-wall") as other:
            hears_one, hears_other = one.listener(), other.listener()
            hears_one.wait_for({0})
            hears_other.wait_for({0})
            other.broker().suspend()
            one.child("processor", "processor-1").suspend()
            one.wait_for_line("processor-1 runs but has not been heard for")
            hears_one.wait_for({0}, since_s=time.monotonic())
            other.wait_for_line("the broker runs but does not answer")
            hears_other.wait_for({0}, since_s=time.monotonic())
            assert "processor-1 runs but" not in other.output, "nobody is heard while the broker hangs"
            hears_one.close()
            hears_other.close()


def test_a_broker_whose_port_was_taken_meanwhile_is_told_and_comes_back_to_it(tmp_path: Path) -> None:
    with cameras(1) as uris, nvr_up(tmp_path, *options(*uris, "--no-wall")) as up:
        up.wait_for_line("camera 0 is running")
        port = up.info().broker_port
        broker = up.broker()
        guard = broker.parent()
        assert guard is not None
        guard.suspend()  # its end is noticed when the port has been taken
        broker.kill()
        with Occupied(port):
            guard.resume()
            assert "Address already in use" in up.wait_for_line("broker has failed")
        os.kill(up.process.pid, signal.SIGHUP)
        listener = up.listener()
        listener.wait_for({0})
        listener.close()


def test_the_second_ctrl_c_ends_it_at_once_and_leaves_nothing_running(tmp_path: Path) -> None:
    with nvr_up(tmp_path, *options("rtsp://127.0.0.1:1/nobody")) as up:
        up.wait_for_line("watching 1 camera")
        family, wall = up.family(), up.child("wall")
        up.child("processor", "processor-1").suspend()  # the orderly end takes its time
        up.process.send_signal(signal.SIGINT)
        wait_until(lambda: all_ended([wall]), "the wall has ended")
        up.stop(signal.SIGINT)
        assert up.process.returncode == -signal.SIGINT
        wait_until(lambda: all_ended(family), "every process has ended")


def test_sigterm_while_it_starts_ends_what_has_been_started(tmp_path: Path) -> None:
    with nvr_up(tmp_path, *options("rtsp://127.0.0.1:1/nobody")) as up:
        up.wait_for_line("broker was started")
        family = up.family()
        up.stop()
        assert up.process.returncode == 0
        assert all_ended(family)
        assert list((tmp_path / "run").iterdir()) == []
