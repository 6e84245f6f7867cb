"""`nvr config init` as a program: without a person, and in a terminal with one who types."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nvr.cli.main import app
from nvr.config.file import load_config
from nvr.core.errors import ConfigurationError
from tests.app.camera_site import ENCODED, PASSWORD, USER, CameraSite, camera_site
from tests.cli.conftest import Nvr
from tests.servers.onvif_camera import GROUP
from tests.waiting import wait_until

PROGRAM = [sys.executable, "-m", "nvr", "config", "init"]
TIMEOUT_S = 60


@pytest.fixture(scope="module")
def loops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("loops")


@pytest.fixture
def site(loops: Path) -> Iterator[CameraSite]:
    with camera_site(loops) as site:
        yield site


def discovery(site: CameraSite) -> list[str]:
    patience = ["--wait", "3", "--timeout", "30"]  # of a busy machine
    return ["--discover-at", f"{GROUP}:{site.probe_port}", "--interface", "127.0.0.1", *patience]


def run(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*PROGRAM, *options],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env=os.environ | {"CAMERA_PASSWORD": PASSWORD},
    )


class Terminal:
    """The program in a terminal of its own, and somebody who reads and types."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.shown = ""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 150, 0, 0))
        self._process = subprocess.Popen([*PROGRAM, *options], cwd=folder, stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)

    def answer(self, question: str, text: str) -> None:
        """Wait for a question behind the last one, and type."""
        self._read_until(question)
        self.shown += " <asked> "
        os.write(self._master, f"{text}\n".encode())

    def interrupt(self, question: str) -> None:
        """Wait for a question, and let Ctrl-C be the answer."""
        self._read_until(question)
        self._process.send_signal(signal.SIGINT)

    def finish(self) -> int:
        """Return the exit status; all that was shown is in `shown`."""
        wait_until(self._is_over, "the program has ended")
        os.close(self._master)
        return self._process.wait()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def _read_until(self, question: str) -> None:
        def is_asked() -> bool:
            self._read()
            return question in self.shown.rpartition("<asked>")[2]

        try:
            wait_until(is_asked, f"{question!r} is asked")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.shown}") from None

    def _is_over(self) -> bool:
        self._read()
        return self._process.poll() is not None and not self._read()

    def _read(self) -> bool:
        while select.select([self._master], [], [], 0)[0]:
            try:
                piece = os.read(self._master, 65_536)
            except OSError:  # Linux's way of saying that nobody holds the other side any more
                return False
            if not piece:
                return False
            self.shown += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", piece.decode(errors="replace"))
            return True
        return False


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    """Terminals whose programs end with the test."""
    opened = list[Terminal]()
    yield opened
    for terminal in opened:
        terminal.kill()


@pytest.mark.camera
def test_without_a_person_all_that_answers_is_written(site: CameraSite, tmp_path: Path) -> None:
    site.add(site.camera(0, "Front Door"))
    site.add(replace(site.camera(1, "Garage"), password="another"))
    nothing = f"rtsp://{ENCODED}@127.0.0.1:1/nothing"
    credentials = ["--user", USER, "--password-env", "CAMERA_PASSWORD"]
    done = run(tmp_path, *discovery(site), *credentials, "--yes", "--model", "motion", nothing)
    assert done.returncode == 0, done.stdout + done.stderr
    for shown in (
        "Front Door",
        "960x540",
        "640x360",
        "h264",
        "refused the user name",
        "refuses the connection",
        "nvr up",
    ):
        assert shown in done.stdout
    assert PASSWORD not in done.stdout + done.stderr
    assert ENCODED not in done.stdout + done.stderr
    config = load_config(tmp_path / "nvr.yaml")
    silent, door = config.cameras
    assert (silent.uri, silent.enabled) == (nothing, False)
    assert (door.name, door.uri, door.enabled) == ("Front Door", site.address(0), True)
    assert config.models.model_id == "motion"


@pytest.mark.camera
def test_json_alone_only_looks(site: CameraSite, tmp_path: Path) -> None:
    done = run(tmp_path, "--json", site.address(0), "rtsp://127.0.0.1:1/nothing")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    first, second = document["cameras"]
    assert (first["answers"], first["main"]["width_px"], first["main"]["gop_s"]) == (True, 960, 0.5)
    assert first["address"] == site.address(0, "***@")
    assert (second["answers"], second["main"]) == (False, None)
    assert "refuses the connection" in second["problem"]
    assert document["written"] is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.camera
def test_a_person_is_asked_what_to_write(site: CameraSite, tmp_path: Path, terminals: list[Terminal]) -> None:
    site.add(site.camera(0, "Front Door"))
    terminal = Terminal(tmp_path, *discovery(site), site.address(1, ""), "rtsp://127.0.0.1:1/nothing")
    terminals.append(terminal)
    terminal.answer("User name of these cameras", USER)
    terminal.answer("Password of viewer: ", "wrong")  # the last space comes when nothing is shown any more
    terminal.answer("User name of these 2 cameras", USER)  # the given one has no user at all
    terminal.answer("Password of viewer: ", PASSWORD)
    terminal.answer("Which of them?", "9")
    terminal.answer("expected numbers from 1 to 3", "all")
    terminal.answer("One of them did not answer", "skip")
    terminal.answer("Other names", "y")
    terminal.answer("Name of", "gate")
    terminal.answer("Name of", "gate")
    terminal.answer("Folder to record into", "recordings")
    terminal.answer("Make it?", "y")
    terminal.answer("What to record", "events")
    terminal.answer("Model that looks", "no-such-model")
    terminal.answer("Model that looks", "motion")
    assert terminal.finish() == 0, terminal.shown
    assert "next: nvr up" in terminal.shown
    assert PASSWORD not in terminal.shown
    config = load_config(tmp_path / "nvr.yaml")
    assert [(camera.name, camera.enabled) for camera in config.cameras] == [("gate", True), ("gate 2", True)]
    assert {camera.uri for camera in config.cameras} == {site.address(0), site.address(1)}
    assert (config.storage.root, config.storage.mode) == (tmp_path / "recordings", "events")
    assert config.models.model_id == "motion"


def test_ctrl_c_at_a_question_writes_nothing(tmp_path: Path, terminals: list[Terminal]) -> None:
    terminal = Terminal(tmp_path, "rtsp://u:hunter2@127.0.0.1:1/a", "--model", "motion")
    terminals.append(terminal)
    terminal.answer("Which of them?", "all")
    terminal.interrupt("One of them did not answer")
    assert terminal.finish() != 0
    assert "Traceback" not in terminal.shown
    assert "hunter2" not in terminal.shown
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["rtsp://127.0.0.1:1/a"], "there is no terminal to ask in: give --yes"),
        (["--yes"], "name cameras by their addresses, or look for them with --discover"),
        (["--yes", "--user", "a", "rtsp://127.0.0.1:1/a"], "--user needs --password-env"),
        (["--yes", "--password-env", "A", "rtsp://127.0.0.1:1/a"], "--password-env needs --user"),
        (["--yes", "--user", "a", "--password-env", "NO_SUCH", "rtsp://127.0.0.1:1/a"], "variable NO_SUCH"),
        (["--yes", "--discover-at", "host:x"], "expected HOST or HOST:PORT, got 'host:x'"),
        (["--yes", "--discover", "--interface", "203.0.113.9"], "cannot ask from 203.0.113.9"),
        (["--yes", "--storage", "absent", "rtsp://127.0.0.1:1/a"], "no folder for recordings"),
        (["--yes", "--record", "events", "rtsp://127.0.0.1:1/a"], "--record needs --storage"),
        (["--yes", "--model", "yolo", "rtsp://127.0.0.1:1/a"], "did you mean"),
        (["--yes", "--out", "taken.yaml", "rtsp://127.0.0.1:1/a"], "taken.yaml exists"),
    ],
)
def test_what_cannot_be_is_told_before_anybody_is_called(
    options: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken.yaml").write_text("mine", encoding="utf-8")
    done = CliRunner().invoke(app, ["config", "init", *options])
    assert isinstance(done.exception, ConfigurationError)
    assert sentence in str(done.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["taken.yaml"]


def test_nobody_found_is_a_failure_that_writes_nothing(
    nvr: Nvr, site: CameraSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = nvr("config", "init", *discovery(site), "--wait", "0.2", "--yes")
    assert done.returncode == 1
    assert "no camera was found" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_silent_cameras_can_be_left_out_or_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["config", "init", "--yes", "rtsp://127.0.0.1:1/a", "--unanswered"]
    skipped = CliRunner().invoke(app, [*command, "skip"])
    assert "no camera to write" in str(skipped.exception)
    assert not (tmp_path / "nvr.yaml").exists()
    assert CliRunner().invoke(app, [*command, "enabled"]).exit_code == 0
    assert load_config(tmp_path / "nvr.yaml").cameras[0].enabled


@pytest.mark.camera
def test_a_silent_camera_that_is_left_out_is_named(site: CameraSite, tmp_path: Path) -> None:
    silent = f"rtsp://{ENCODED}@127.0.0.1:1/nothing"
    done = run(tmp_path, "--yes", "--model", "motion", "--unanswered", "skip", site.address(0), silent)
    assert done.returncode == 0, done.stdout + done.stderr
    [left_out] = [line for line in done.stdout.splitlines() if line.startswith("left out: ")]
    assert left_out.endswith("(rtsp://***@127.0.0.1:1/nothing), which did not answer")
    assert ENCODED not in done.stdout
    assert [camera.uri for camera in load_config(tmp_path / "nvr.yaml").cameras] == [site.address(0)]
