"""`nvr config` as its user types it: each mistake with its place, each setting with its origin, no password."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ended, Nvr

SCHEMA = Path(__file__).parents[2] / "docs" / "reference" / "nvr.schema.json"


Run = Callable[..., Ended]


@pytest.fixture
def run(nvr: Nvr, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`nvr config` in a folder, without settings from the environment of the tests."""
    for name in [name for name in os.environ if name.startswith("NVR_")]:
        monkeypatch.delenv(name)

    def run(folder: Path, *arguments: str, **environment: str) -> Ended:
        monkeypatch.chdir(folder)
        return nvr("config", *arguments, **environment)

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a configuration that is right."""
    path = tmp_path / "nvr.yaml"
    path.write_text("cameras:\n- {name: gate, source_id: 3, uri: 'rtsp://u:${GATE}@h/1'}\n", encoding="utf-8")
    path.chmod(0o600)
    return tmp_path


def test_a_file_that_is_right_is_told_so(run: Run, folder: Path) -> None:
    result = run(folder, "check", GATE="hunter2")
    assert (result.returncode, result.stdout, result.stderr) == (0, "nvr.yaml is understood: 1 camera\n", "")


def test_every_mistake_of_file_and_environment_is_one_line_with_its_place(run: Run, folder: Path) -> None:
    (folder / "nvr.yaml").write_text("streams:\n  max_fsp: 3\n  decode: some\n", encoding="utf-8")
    result = run(folder, "check", NVR_BROKER__HOSTS="x")
    assert result.returncode == 2
    assert result.stdout.splitlines() == [
        "environment: error: NVR_BROKER__HOSTS: there is no such setting, did you mean NVR_BROKER__HOST?",
        "nvr.yaml:2:3: error: streams.max_fsp: there is no such setting, did you mean max_fps?",
        "nvr.yaml:3:11: error: streams.decode: Input should be 'adaptive', 'all', 'nonref' or 'keyframes', got 'some'",
    ]


def test_warnings_are_told_and_count_where_asked(run: Run, folder: Path) -> None:
    path = folder / "other.yaml"
    path.write_text("cameras: [{uri: 'rtsp://u:hunter2@h/1'}]\nstorage: {root: none}\n", encoding="utf-8")
    path.chmod(0o644)
    result = run(folder, "check", "other.yaml")
    assert result.returncode == 0
    assert result.stdout.splitlines() == [
        (
            "other.yaml:1:11: warning: cameras.0: 1 of 1 have no source_id: their numbers follow from the "
            "order, write them down to keep them"
        ),
        "other.yaml:2:17: warning: storage.root: none is no folder, and none is made: its disk may not be mounted",
        "other.yaml: warning: holds passwords and others may read it: chmod 600",
        "other.yaml is understood: 1 camera",
    ]
    assert run(folder, "check", "--strict", "other.yaml").returncode == 2


def test_a_file_that_is_absent_or_no_yaml_is_a_sentence_and_status_2(run: Run, folder: Path) -> None:
    (folder / "bad.yaml").write_text("a: [\n", encoding="utf-8")
    for name, said in (("none.yaml", "cannot read the configuration none.yaml"), ("bad.yaml", "bad.yaml:2:1")):
        for command in ("check", "show"):
            result = run(folder, command, name)
            assert result.returncode == 2
            assert said in result.stdout + result.stderr
            assert "Traceback" not in result.stderr


def test_show_tells_origins_and_no_password(run: Run, folder: Path) -> None:
    result = run(folder, "show", "--changed", GATE="hunter2", NVR_WALL__TILE_WIDTH="320")
    assert result.stdout.splitlines() == [
        "cameras:",
        '  - name: "gate"  # nvr.yaml:2:10',
        '    uri: "rtsp://***@h/1"  # nvr.yaml:2:35',
        "    source_id: 3  # nvr.yaml:2:27",
        "wall:",
        "  tile_width: 320  # NVR_WALL__TILE_WIDTH",
    ]
    assert "hunter2" not in run(folder, "show", GATE="hunter2").stdout


def test_the_schema_is_the_committed_one(run: Run, tmp_path: Path) -> None:
    printed = run(tmp_path, "schema").stdout
    assert json.loads(printed) == json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert run(tmp_path, "schema", "--out", "x.json").returncode == 0
    assert (tmp_path / "x.json").read_text(encoding="utf-8") == printed
    result = run(tmp_path, "schema", "--out", "no/x.json")
    assert result.returncode == 2
    assert "cannot write no/x.json" in result.stderr
