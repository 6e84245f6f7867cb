"""The guide and the README do what they say: their programs run, their commands and settings are understood."""

import json
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import pytest
import typer.main
from typer.core import TyperCommand, TyperGroup, TyperOption

from nvr.bus import MqttConnection
from nvr.bus.local_broker import LocalBroker
from nvr.cli.main import app
from nvr.config import NvrConfig, load_config
from nvr.config.broker import BrokerConfig
from nvr.demo.simulator import Simulator, SimulatorConfig
from nvr.events import DetectionEvent
from nvr.events.command import Command
from nvr.media.source import translate_error
from tests.control.processor_instance import ProcessorInstance
from tests.waiting import wait_until

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guide").glob("*.md"))]

PROGRAMS: dict[str, tuple[str, bool]] = {
    "count_people.py": (r"\d\d:\d\d:\d\d camera [01]: \d+ people", False),
    "watch_cameras.py": (r"(?s)camera [01]: motion .* is running, [1-9]", True),
    "follow_objects.py": (r"(?s)camera 0: motion \d+ start.*the model: done\nmotion, number 2, is ok", True),
    "change_cameras.py": (r"(?s)camera 1: .* -> paused.*camera 1: .* -> running", True),
    "one_picture.py": (r"2 cameras live, \d+ events\n966 x 274\n", True),
    "freshest.py": (r"\(290\.0, 100\.0, 350\.0, 260\.0\)", True),
    "listen.py": (r"camera 0: \d+ detections", False),
    "who_lives.py": (r"(?s)gate is alive: running.*camera 1 runs in gate", True),
    "sign.py": (r'"signature": "[0-9a-f]{64}"', True),
    "slower.py": (r"gate completed \{'source_ids': \[0\]\}", True),
}
"""What each program of the guide prints, and whether it ends by itself."""

ROBOFLOW_PROGRAM = "roboflow_pipeline.py"


def blocks(language: str) -> list[tuple[str, str]]:
    """Return page and text of every block of code in a language."""
    return [
        (page.name, text)
        for page in PAGES
        for text in re.findall(
            rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
        )
    ]


def programs() -> dict[str, str]:
    """Return the Python programs by the file name in their first line."""
    return {re.match(r"# (\w+\.py)\n", text)[1]: text for _, text in blocks("python")}  # type: ignore[index]  # named


def commands() -> list[list[str]]:
    """Return the arguments of every `nvr` command, those that `make demo` passes on included."""
    found = []
    for _, text in [*blocks("sh"), *inline_commands()]:
        for line in text.splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["nvr"]:
                found.append(words[1:])
            elif words[:2] == ["make", "demo"]:
                found.append(["demo", *(word for words in words[2:] for word in words.removeprefix("ARGS=").split())])
    return found


def inline_commands() -> list[tuple[str, str]]:
    return [
        (page.name, code)
        for page in PAGES
        for code in re.findall(r"`((?:nvr|make demo) [^`\n]+)`", page.read_text(encoding="utf-8"))
    ]


@dataclass(frozen=True)
class Site:
    """Two cameras, a broker and a processor that publishes what moves and takes commands."""

    simulator: Simulator
    broker: LocalBroker

    def localise(self, program: str) -> str:
        """Return the program with the addresses of this site."""
        return (
            program.replace("rtsp://127.0.0.1:8554", self.simulator.stream_server)
            .replace('"localhost"', f'"{self.broker.host}"')
            .replace("1883", str(self.broker.port))
        )


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    cameras = SimulatorConfig(n_cameras=2, width_px=320, height_px=180, fps=12, scene_s=5, port=0, has_overlay=False)
    with LocalBroker.start() as broker, Simulator(cameras) as simulator:
        instance = ProcessorInstance(broker, simulator.uri(0), simulator.uri(1))
        instance.start()
        yield Site(simulator, broker)
        instance.stop()


class Running:
    """A program in a process of its own, whose output can be watched."""

    def __init__(self, program: str, folder: Path) -> None:
        path = folder / "program.py"
        path.write_text(program, encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, "-u", path], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, name="guide-output", daemon=True)
        self._reader.start()

    @property
    def output(self) -> str:
        return "".join(self._lines)

    def has_ended(self) -> bool:
        """Tell whether it has ended and all of its output is here."""
        return not self._reader.is_alive()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def _read(self) -> None:
        if self.process.stdout is not None:
            self._lines.extend(iter(self.process.stdout.readline, ""))
        self.process.wait()


@pytest.fixture
def start() -> Iterator["list[Running]"]:
    """Programs that are ended with the test."""
    running = list[Running]()
    yield running
    for program in running:
        program.stop()


def test_every_program_of_the_guide_is_run_here() -> None:
    assert set(programs()) == {*PROGRAMS, ROBOFLOW_PROGRAM}


@pytest.mark.camera
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_prints_what_it_should(name: str, site: Site, tmp_path: Path, start: list[Running]) -> None:
    expected, ends = PROGRAMS[name]
    running = Running(site.localise(programs()[name]), tmp_path)
    start.append(running)
    wait_until(
        lambda: running.has_ended() or (not ends and re.search(expected, running.output) is not None),
        f"{name} has done its work",
        90,
    )
    assert re.search(expected, running.output), running.output
    assert running.process.returncode == (0 if ends else None), running.output
    assert "Traceback" not in running.output


PIPELINE = '''
"""Calls `on_prediction` as Roboflow's pipeline does, with a list for several cameras and None for a silent one."""
import datetime, types

class InferencePipeline:
    @classmethod
    def init(cls, *, model_id, video_reference, on_prediction):
        self = cls()
        self.n, self.on_prediction = len(video_reference), on_prediction
        return self

    def start(self):
        frames = [types.SimpleNamespace(frame_id=7, frame_timestamp=datetime.datetime.now(), source_id=i)
                  for i in range(self.n)]
        seen = {"image": {"width": 640, "height": 360}, "predictions": [{
            "x": 320.0, "y": 180.0, "width": 60.0, "height": 160.0, "confidence": 0.9, "class": "person", "class_id": 0,
            "detection_id": "one"}]}
        self.on_prediction([seen, None], [frames[0], None])
        self.on_prediction([None, seen], [None, frames[1]])

    def join(self):
        import time
        time.sleep(600)
'''


def test_the_sink_takes_what_a_pipeline_of_roboflow_hands_it(site: Site, tmp_path: Path, start: list[Running]) -> None:
    (tmp_path / "inference.py").write_text(PIPELINE, encoding="utf-8")
    heard: dict[int, DetectionEvent] = {}
    is_subscribed = threading.Event()

    def hear(_topic: str, payload: bytes) -> None:
        is_subscribed.set()
        event = DetectionEvent.from_json(payload)
        if event.model_id == "yolov8n-640":
            heard[event.source_id] = event

    connection = MqttConnection(BrokerConfig(host=site.broker.host, port=site.broker.port))
    connection.subscribe("nvr/detections/+", hear)
    connection.start()
    try:
        wait_until(is_subscribed.is_set, "an event of the site's own processor")
        start.append(Running(site.localise(programs()[ROBOFLOW_PROGRAM]), tmp_path))
        wait_until(lambda: set(heard) == {0, 1} or start[0].has_ended(), "an event of each camera", 60)
    finally:
        connection.stop()
    assert set(heard) == {0, 1}, start[0].output
    assert heard[1].detections[0].bbox.xyxy_px == (290.0, 100.0, 350.0, 260.0)


def without_options_of(group: TyperGroup, words: list[str]) -> list[str]:
    """Return the words from the name of a command on; options of its group may stand before it."""
    known = {name: each for each in group.params if isinstance(each, TyperOption) for name in each.opts}
    while words[0] in known:
        words = words[1 if known[words[0]].is_flag else 2 :]
    return words


@pytest.mark.parametrize("words", commands(), ids=shlex.join)
def test_a_command_of_the_guide_is_understood(words: list[str]) -> None:
    command: object = typer.main.get_command(app)
    while isinstance(command, TyperGroup) and words:
        name, *words = without_options_of(command, words)
        command = command.commands[name]
    if isinstance(command, TyperGroup):
        return  # a page names the group, such as `nvr recordings`, without one of its commands
    assert isinstance(command, TyperCommand)
    command.make_context("nvr", words).close()


def sections_of(text: str) -> set[str]:
    """Return the names at the top level of a block of YAML."""
    return set(re.findall(r"^([a-z_]+):", text, re.MULTILINE))


OURS = [text for _, text in blocks("yaml") if sections_of(text) and sections_of(text) <= NvrConfig.model_fields.keys()]
"""The others are for Prometheus and Home Assistant."""


@pytest.mark.parametrize("text", OURS)
def test_settings_of_the_guide_are_understood(text: str, tmp_path: Path) -> None:
    path = tmp_path / "nvr.yaml"
    path.write_text(text, encoding="utf-8")
    for name in re.findall(r"!secret ([\w./-]+)", text):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        is_address = re.search(rf"uri: !secret {re.escape(name)}", text)
        (tmp_path / name).write_text(
            "rtsp://u:p@10.0.0.9/live" if is_address else "a secret of 16 signs", encoding="utf-8"
        )
    variables = re.findall(r"\$\{(\w+)", text)
    assert load_config(path, dict.fromkeys(variables, "x")) != NvrConfig()


def test_the_messages_of_the_guide_are_valid() -> None:
    examples = [text for _, text in blocks("json")]
    assert examples
    for example in examples:
        content = json.loads(example)
        if "logger" in content:
            assert {"timestamp", "level", "message"} <= content.keys()
        elif "command" in content:
            assert Command.from_json(example).is_for("gate")
        else:
            assert DetectionEvent.from_json(example).detections


@pytest.mark.parametrize(
    "error",
    [
        av.error.HTTPUnauthorizedError(1, "x"),
        av.error.HTTPNotFoundError(1, "x"),
        av.error.ExitError(1, "x"),
        av.error.ConnectionRefusedError(1, "x"),
        av.error.FileNotFoundError(1, "x"),
        av.error.ProtocolNotFoundError(1, "x"),
        av.error.DecoderNotFoundError(1, "x"),
        av.error.InvalidDataError(1, "x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_a_camera_fails_with_is_explained_by_its_sentence(error: av.FFmpegError) -> None:
    sentence = str(translate_error(error, "rtsp://h/x")).removeprefix("rtsp://h/x ")
    page = (ROOT / "docs" / "guide" / "real-cameras.md").read_text(encoding="utf-8")
    assert f"| `{sentence}` |" in page
