"""`nvr processor` as its user types it: bad input is one sentence and a status, never a traceback."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nvr.demo.simulator import Simulator, SimulatorConfig
from nvr.events.schema import DetectionEvent
from tests.cli.conftest import Nvr
from tests.conftest import require_program
from tests.waiting import DEADLINE_S, wait_until

CAMERA = "rtsp://127.0.0.1:1/a"


def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "nvr", "processor", *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        env={**os.environ, "COLUMNS": "200", **environment},
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "there is no camera"),
        (["--n", "2"], "--n needs --stream-server"),
        ([CAMERA, "--stream-server", "rtsp://h"], "either URIs or --stream-server"),
        ([CAMERA, "--max-fps", "nan"], "max_fps"),
        ([CAMERA, "--max-fps", "-1"], "max_fps"),
        ([CAMERA, "--confidence", "2"], "--confidence"),
        ([CAMERA, "--mqtt-qos", "7"], "--mqtt-qos"),
        ([CAMERA, "--mqtt-port", "99999"], "broker.port: "),
        ([CAMERA, "--mqtt-host", "a..b"], "broker.host: not a host name"),
        ([CAMERA, "--mqtt-ca-file", "x.pem"], "mean nothing without tls: true"),
        ([CAMERA, "--mqtt-tls", "--mqtt-ca-file", "/no/ca.pem", "--model", "motion"], "/no/ca.pem"),
        ([CAMERA, "--tenant", "status"], "reserved word"),
        ([CAMERA, "--instance-id", "a/b"], "not a valid name"),
        ([CAMERA, "--topic-prefix", "a/#"], "broker.topic_prefix: "),
        ([CAMERA, "--model", "yolox-nanoo", "--no-mqtt"], "yolox-nano"),
        ([CAMERA, "--model", "../../etc/passwd", "--no-mqtt"], "passwd"),
        ([CAMERA, "--model", "/no/such.onnx", "--no-mqtt"], "/no/such.onnx"),
        ([CAMERA, "--jsonl", "/proc/no/events.jsonl", "--no-mqtt", "--model", "motion"], "cannot write events to"),
        ([CAMERA, "--rtsp-transport", "smoke"], "rtsp_transport"),
        (["rtsp://[::1/x"], "has the form scheme://"),
        (["rtsp://u:hunter2 x@h/1"], "must not hold spaces"),
        ([CAMERA, "--config", "/no/nvr.yaml"], "cannot read the configuration /no/nvr.yaml"),
        ([CAMERA, "--no-such-option"], "--no-such-option"),
    ],
)
def test_wrong_input_is_a_sentence_and_status_2(nvr: Nvr, arguments: list[str], sentence: str) -> None:
    result = nvr("processor", *arguments)
    assert result.returncode == 2
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr
    assert "hunter2" not in result.stderr


def test_a_file_that_shows_nothing_ends_with_status_1(nvr: Nvr, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    result = nvr("processor", str(tmp_path / "empty.mp4"), "--model", "motion", "--no-mqtt")
    assert result.returncode == 1
    assert "no camera delivered a picture" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.ffmpeg
def test_a_file_is_played_to_its_end(tmp_path: Path) -> None:
    video, events = tmp_path / "a.mp4", tmp_path / "events.jsonl"
    source = ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=10:duration=1"]
    subprocess.run([require_program("ffmpeg"), "-loglevel", "error", *source, "-c:v", "mpeg4", video], check=True)
    result = run(str(video), "--model", "motion", "--no-mqtt", "--max-fps", "0", "--jsonl", str(events))
    assert result.returncode == 0, result.stderr
    frames = [DetectionEvent.from_json(line).frame_id for line in events.read_bytes().splitlines()]
    assert frames[-1] == 9
    assert f"{len(frames)} frames analysed in {len(frames)} inferences, 0 events lost" in result.stderr


def test_flags_win_over_the_file_and_the_file_over_the_defaults(tmp_path: Path) -> None:
    config = tmp_path / "nvr.yaml"
    settings = {
        "processors": {"instance_prefix": "from-file"},
        "models": {"model_id": "motion"},
        "broker": {"enabled": False},
        "cameras": [{"uri": CAMERA}],
    }
    config.write_text(json.dumps(settings), encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, "-m", "nvr", "processor", "--config", str(config), "--instance-id", "from-flag"],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "watching" in line)
        process.terminate()
    assert re.search(r"watching 1 camera with motion as instance from-flag", line)
    assert process.returncode == 0


@pytest.mark.camera
@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(signal_number: signal.Signals, tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    config = SimulatorConfig(n_cameras=1, width_px=160, height_px=96, fps=10, scene_s=3, port=0)
    with Simulator(config) as simulator:
        command = [sys.executable, "-m", "nvr", "processor", simulator.uri(0), "--model", "motion", "--no-mqtt"]
        with subprocess.Popen([*command, "--jsonl", str(events)], stderr=subprocess.PIPE, text=True) as process:
            wait_until(lambda: events.exists() and events.stat().st_size > 0, "an event")
            process.send_signal(signal_number)
            _, said = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0
    assert "has stopped" in said
    assert "Traceback" not in said
    assert all(DetectionEvent.from_json(line) for line in events.read_bytes().splitlines())


def test_the_password_in_the_environment_is_used_and_never_shown(tmp_path: Path) -> None:
    result = run(
        str(tmp_path / "none.mp4"), "--model", "motion", "--mqtt-username", "u", "-v", NVR_MQTT_PASSWORD="hunter2"
    )
    assert "hunter2" not in result.stderr + result.stdout
    assert "none.mp4" in result.stderr
