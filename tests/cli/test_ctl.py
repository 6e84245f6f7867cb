"""`nvr ctl` as its users run it: over a real broker, with an instance in this process."""

import json
import logging
import re
from collections.abc import Iterator

import pytest
from pydantic import JsonValue, SecretStr
from typer.testing import CliRunner, Result

from nvr.bus.local_broker import LocalBroker, free_port
from nvr.cli.ctl_run import read_values
from nvr.cli.ctl_text import lines_of
from nvr.cli.main import app
from nvr.control.client import Reply
from nvr.control.registry import Presence
from nvr.core.errors import ConfigurationError
from nvr.events.command import CommandError
from tests.cli.conftest import Nvr
from tests.control.conftest import Instance, wait_until_it_listens


@pytest.fixture
def gate(mosquitto: LocalBroker) -> Iterator[Instance]:
    instance = Instance(mosquitto, "gate")
    instance.start()
    wait_until_it_listens(mosquitto, "gate")
    yield instance
    instance.stop()


@pytest.fixture
def nvr_ctl(mosquitto: LocalBroker, monkeypatch: pytest.MonkeyPatch) -> "Run":
    monkeypatch.delenv("NVR_CONTROL__KEY", raising=False)
    return Run(mosquitto.port)


class Run:
    """Runs `nvr ctl` in this process."""

    def __init__(self, port: int) -> None:
        self._broker = ["--mqtt-host", "127.0.0.1", "--mqtt-port", str(port)]

    def __call__(self, *arguments: str, status: int = 0, **environment: str) -> str:
        result: Result = CliRunner().invoke(app, ["ctl", *self._broker, *arguments], env=dict(environment))
        if isinstance(result.exception, Exception):
            raise result.exception
        assert result.exit_code == status, result.output
        return result.output


@pytest.mark.broker
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ping"], "gate: running, version 0.1.0, running for "),
        (["pause", "--source", "2"], "gate: paused camera 2 ("),
        (["pause", "--hang-up", "-i", "gate"], "gate: hung up on cameras 1, 2, 3 ("),
        (["resume", "-s", "1", "-s", "3"], "gate: looks at cameras 1, 3 again ("),
        (["set-fps", "2.5", "--source", "1"], "gate: at most 2.5 frames per second of camera 1 ("),
        (["set-fps", "0"], "gate: no limit of its own on the frames of cameras 1, 2, 3 ("),
        (["set-confidence", "0.6"], "gate: publishes from 0.6 on what is seen by cameras 1, 2, 3 ("),
        (["add-stream", "rtsp://a/", "--name", "door", "--record", "continuous"], "gate: added camera 4 ("),
        (["remove-stream", "--source", "1"], "gate: removed camera 1 ("),
        (["update-stream", "--source", "1", "--set", "max_fps=2", "--set", "name=door"], "gate: changed camera 1 ("),
        (["rename-instance", "porch"], "gate: is now called porch ("),
        (["record-start", "--source", "1", "--max-s", "60"], "gate: records camera 1 on demand ("),
        (["record-stop", "--source", "1"], "gate: records camera 1 on demand no more ("),
        (["snapshot", "--source", "1"], "gate: took a picture of camera 1 ("),
        (["set-log-level", "debug", "--logger", "nvr.nothing"], "gate: logs nvr.nothing from debug on ("),
        (["reload"], "gate: read its settings again ("),
        (["restart"], "gate: began anew ("),
        (["stop"], "gate: stops ("),
        (["send", "pause", "-p", "hang_up=true"], "gate: hung up on cameras 1, 2, 3 ("),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.usefixtures("gate")
def test_each_command_says_what_was_done(nvr_ctl: Run, arguments: list[str], said: str) -> None:
    logging.getLogger("nvr.nothing")  # a part of the program of which nobody hears
    assert said in nvr_ctl(*arguments)


@pytest.mark.broker
def test_parameters_arrive_as_they_were_meant(gate: Instance, nvr_ctl: Run) -> None:
    nvr_ctl("add-stream", "rtsp://a/", "--name", "7", "--source-id", "9", "--set", "max_fps=2", "--set", "decode=all")
    camera = gate.processor.cameras.configs[9]
    assert (camera.uri, camera.name, camera.max_fps, camera.decode) == ("rtsp://a/", "7", 2, "all")
    nvr_ctl("set-fps", "0", "--source", "9")
    assert gate.processor.max_fps == {9: None}
    nvr_ctl("update-stream", "-s", "9", "--set", "max_fps=null", "--set", "record=events")
    assert (gate.processor.cameras.configs[9].max_fps, gate.processor.cameras.configs[9].record) == (None, "events")
    gate.processor.swap.end()
    assert "gate: looks with motion (" in nvr_ctl("change-model", "motion", "--instead-of", "yolox-nano")
    assert gate.processor.swaps == [("motion", "yolox-nano")]


@pytest.mark.broker
@pytest.mark.usefixtures("gate")
def test_the_status_lists_the_cameras(nvr_ctl: Run) -> None:
    nvr_ctl("pause", "-s", "2")
    lines = nvr_ctl("status").splitlines()
    assert lines[0].startswith("gate: running (")
    assert lines[1:] == [
        "  camera 1 (camera 1): running, 0 fps",
        "  camera 2 (camera 2): running, not looked at, 0 fps",
        "  camera 3 (camera 3): running, 0 fps",
    ]


@pytest.mark.broker
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["metrics"], "gate: nothing is counted here [unsupported]"),
        (["pause", "-i", "gate", "-s", "9"], "gate: there is no camera 9 here, there are 1, 2, 3 [not_found]"),
        (["pause", "-s", "9"], "no instance has camera 9"),
        (["pause", "-s", "1", "-s", "9"], "no instance has camera 9"),
        (["send", "dance"], "gate: there is no command 'dance'"),
        (["ping", "-i", "never", "--timeout", "0.2"], "never: no answer, and nobody of that name has told a status"),
        (["record-start", "--timeout", "5"], "  camera 1: done\n  camera 2: done"),
        (["change-model", "huge", "--timeout", "0.1"], "was not there within 0.1 s; the old one looks on [failed]"),
    ],
)
@pytest.mark.usefixtures("gate")
def test_what_was_not_done_is_said_and_the_status_is_1(nvr_ctl: Run, arguments: list[str], said: str) -> None:
    assert said in nvr_ctl(*arguments, status=1)


@pytest.mark.broker
@pytest.mark.usefixtures("gate")
def test_of_several_instances_those_that_are_not_concerned_are_silent(nvr_ctl: Run, mosquitto: LocalBroker) -> None:
    porch = Instance(mosquitto, "porch")
    porch.processor.cameras.configs = {7: porch.processor.cameras.configs[1]}
    porch.start()
    wait_until_it_listens(mosquitto, "porch")
    try:
        said = nvr_ctl("pause", "-s", "7")
        assert "porch: paused camera 7" in said
        assert "gate" not in said
        with pytest.raises(ConfigurationError, match="there are gate, porch"):
            nvr_ctl("add-stream", "rtsp://a/")
        assert "porch: added camera 8" in nvr_ctl("add-stream", "rtsp://a/", "-i", "porch")
    finally:
        porch.stop()


@pytest.mark.broker
@pytest.mark.usefixtures("gate")
def test_programs_get_json(nvr_ctl: Run) -> None:
    told = json.loads(nvr_ctl("pause", "-s", "2", "--json"))
    [reply] = told["replies"]
    assert (told["command"], told["missing_source_ids"]) == ("pause", [])
    assert reply["result"] == {"source_ids": [2]}
    assert (reply["instance_id"], reply["status"], reply["error"]) == ("gate", "completed", None)
    assert json.loads(nvr_ctl("--json", "pause", "-s", "2"))["command"] == "pause"
    told = json.loads(nvr_ctl("pause", "-s", "9", "--json", status=1))
    assert told["missing_source_ids"] == [9]


@pytest.mark.broker
def test_the_key_of_the_environment_signs(nvr_ctl: Run, mosquitto: LocalBroker) -> None:
    from nvr.config.operations import ControlConfig

    instance = Instance(mosquitto, "gate", ControlConfig(key=SecretStr("0123456789abcdef"), heartbeat_s=1))
    instance.start()
    wait_until_it_listens(mosquitto, "gate")
    try:
        assert "[unauthorised]" in nvr_ctl("ping", "-i", "gate", status=1)
        assert "gate: running" in nvr_ctl("ping", "-i", "gate", NVR_CONTROL__KEY="0123456789abcdef")
    finally:
        instance.stop()


@pytest.mark.broker
def test_where_nobody_is_it_says_so(nvr_ctl: Run, mosquitto: LocalBroker) -> None:
    said = nvr_ctl("ping", status=1)
    assert said == f"nobody is there to answer (broker 127.0.0.1:{mosquitto.port})\n"
    with pytest.raises(ConfigurationError, match="none is there"):
        nvr_ctl("add-stream", "rtsp://a/")


def test_without_a_broker_one_sentence_and_status_1(nvr: Nvr) -> None:
    result = nvr("ctl", "--mqtt-host", "127.0.0.1", "--mqtt-port", str(free_port()), "ping")
    assert (result.returncode, result.stdout) == (1, "")
    assert re.fullmatch(r"nvr: broker 127\.0\.0\.1:\d+ cannot be reached \(waited 5 s\)\n", result.stderr)


def test_values_are_json_or_text() -> None:
    given = ["a=1", "b=true", "c=null", "d=events", "e=rtsp://a/?x=1", 'f=["x"]', "g=", 'h="7"']
    assert read_values(given) == {
        "a": 1, "b": True, "c": None, "d": "events", "e": "rtsp://a/?x=1", "f": ["x"], "g": "", "h": "7",
    }  # fmt: skip
    for text in ("a", "=1"):
        with pytest.raises(ConfigurationError, match="expected KEY=VALUE"):
            read_values([text])


RELOADED: JsonValue = {"changes": ["camera 3: max_fps 5 → 2"], "restarted_for": []}


@pytest.mark.parametrize(
    ("reply", "command", "lines"),
    [
        (Reply("a", "silent", presence=Presence.OFFLINE), "ping", ["a: no answer, it is offline"]),
        (Reply("a", "silent", presence=Presence.STALE), "ping", ["a: no answer, its heartbeats stay away"]),
        (Reply("a", "silent", presence=Presence.ALIVE), "ping", ["a: no answer, although it lives"]),
        (Reply("a", "received"), "change_model", ["a: has taken it, and it goes on"]),
        (Reply("a", "error", error=CommandError(type="failed", reason="no")), "stop", ["a: no [failed]"]),
        (Reply("a", "error"), "stop", ["a: no reason was given"]),
        (
            Reply("a", "completed", result={"uptime_s": 3725.5, "state": "running", "version": "1"}, duration_ms=0.4),
            "ping",
            ["a: running, version 1, running for 1 h 2 min (0 ms)"],
        ),
        (
            Reply("a", "completed", result=RELOADED, duration_ms=12_345),
            "reload",
            ["a: applied its settings (12.3 s)", "  camera 3: max_fps 5 → 2"],
        ),
        (Reply("a", "completed", result={"x": 1}), "dance", ["a: done (? ms)", '{\n  "x": 1\n}']),
    ],
)
def test_each_kind_of_answer_has_words(reply: Reply, command: str, lines: list[str]) -> None:
    assert lines_of(reply, command, {}) == lines
