import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from nvr.app.site.running_file import RunningFile, RunningInfo, find_running

INFO = RunningInfo(
    pid=os.getpid(),
    broker_host="127.0.0.1",
    broker_port=1883,
    is_private_broker=True,
    tenants=(None, "acme"),
    config_path=Path("/etc/nvr.yaml"),
    wall_urls=("http://127.0.0.1:8080/",),
)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"RUNTIME_DIRECTORY": str(tmp_path)}


def test_what_runs_is_found_until_it_ends(tmp_path: Path, environment: dict[str, str]) -> None:
    assert find_running(environment) is None
    with RunningFile(tmp_path) as file:
        file.write(INFO)
        assert find_running(environment) == INFO
        changed = INFO.model_copy(update={"broker_port": 1884})
        file.write(changed)
        assert find_running(environment) == changed
    assert find_running(environment) is None
    assert list(tmp_path.iterdir()) == []


def test_the_file_of_a_process_that_was_killed_is_ignored(tmp_path: Path, environment: dict[str, str]) -> None:
    code = f"""
        from pathlib import Path
        from nvr.app.site.running_file import RunningFile, RunningInfo
        RunningFile(Path({str(tmp_path)!r})).write(RunningInfo.model_validate_json({INFO.model_dump_json()!r}))
        print("written", flush=True)
        input()
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        assert find_running(environment) == INFO
        process.kill()
        process.wait()
        assert find_running(environment) is None
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": -1}', b"\xff" * 1000])
def test_nonsense_is_ignored(tmp_path: Path, environment: dict[str, str], content: bytes) -> None:
    with RunningFile(tmp_path) as file:
        file.write(INFO)
        [path] = tmp_path.iterdir()
        path.write_bytes(content)
        assert find_running(environment) is None


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    real, trap = tmp_path / "real", tmp_path / "trap"
    real.mkdir()
    trap.mkdir()
    with RunningFile(real) as file:
        file.write(INFO)
        [path] = real.iterdir()
        (trap / path.name).symlink_to(path)
        assert find_running({"RUNTIME_DIRECTORY": str(trap)}) is None
