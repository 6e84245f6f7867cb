import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from nvr.assets.catalogue import Catalogue
from nvr.cli.main import app
from nvr.core.errors import ModelError, NvrError
from tests.assets.entries import catalogue_of, entry_for
from tests.assets.onnx_bytes import onnx_bytes
from tests.assets.web import serve
from tests.cli.conftest import Nvr

DATA = onnx_bytes(20_000)
DEADLINE_S = 60.0


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("NVR_ASSETS_DIR", raising=False)
    monkeypatch.delenv("NVR_OFFLINE", raising=False)
    return tmp_path / "nvr"


def run(*arguments: str, catalogue: Catalogue | None = None) -> Result:
    return CliRunner().invoke(app, ["models", *arguments], obj=catalogue)


def test_list_shows_every_entry_and_where_it_is() -> None:
    result = run("list", "--json")
    assert result.exit_code == 0
    rows = {row["name"]: row for row in json.loads(result.stdout)}
    assert rows["yolox-nano"]["input"] == "416x416"
    assert rows["yolox-nano"]["origin"] is None
    assert rows["yolox-s"]["trust"] == "first-use"
    assert rows["car-detection"]["kind"] == "video"
    table = run("list").stdout
    assert "yolox-nano" in table
    assert "Apache-2.0" in table


def test_pull_path_and_check_agree() -> None:
    with serve(DATA) as site:
        catalogue = catalogue_of(entry_for(site.url, DATA), entry_for(site.url + "2", None, "other"))
        assert run("path", "tiny", catalogue=catalogue).exit_code == 1
        assert run("pull", "--all", catalogue=catalogue).exit_code == 0
    path = run("path", "tiny", catalogue=catalogue)
    assert Path(path.stdout.strip()).read_bytes() == DATA
    check = run("check", catalogue=catalogue)
    assert check.exit_code == 0
    assert "tiny: right" in check.stdout
    assert "other: as first seen here" in check.stdout
    rows = json.loads(run("list", "--json", catalogue=catalogue).stdout)
    assert [row["origin"] for row in rows] == ["cache", "cache"]


def test_check_fails_with_both_checksums_on_a_changed_file(cache: Path) -> None:
    entry = entry_for("http://127.0.0.1:9/x", DATA)
    path = cache / "models" / "tiny.onnx"
    path.parent.mkdir(parents=True)
    path.write_bytes(onnx_bytes(20_000, seed=3))
    result = run("check", catalogue=catalogue_of(entry))
    assert result.exit_code == 1
    assert str(entry.sha256) in result.stderr


def test_check_of_a_named_model_fails_where_it_is_not_here() -> None:
    catalogue = catalogue_of(entry_for("http://127.0.0.1:9/x", DATA))
    assert run("check", catalogue=catalogue).exit_code == 0
    assert run("check", "tiny", catalogue=catalogue).exit_code == 1


def test_pull_goes_on_after_a_failure_and_fails_in_the_end() -> None:
    with serve(DATA) as site:
        wrong = entry_for(site.url, onnx_bytes(20_000, seed=5), "wrong")
        right = entry_for(site.url + "2", DATA)
        result = run("pull", "wrong", "tiny", catalogue=catalogue_of(wrong, right))
    assert result.exit_code == 1
    assert str(wrong.sha256) in result.stderr
    assert "tiny: " in result.stdout


def test_pull_wants_names_or_all() -> None:
    assert run("pull").exit_code == 2
    assert run("pull", "yolox-nano", "--all").exit_code == 2


def test_an_unknown_name_is_an_error_with_near_names() -> None:
    result = run("path", "yolox-nona")
    assert isinstance(result.exception, ModelError)
    assert "did you mean 'yolox-nano'" in str(result.exception)


def test_a_failed_pull_is_an_error_of_ours() -> None:
    with serve(DATA) as gone:
        pass
    result = run("pull", "tiny", catalogue=catalogue_of(entry_for(gone.url, DATA)))
    assert isinstance(result.exception, NvrError)


def test_the_command_ends_in_one_sentence_without_a_traceback(nvr: Nvr, tmp_path: Path) -> None:
    done = nvr("models", "pull", "yolox-nano", XDG_CACHE_HOME=str(tmp_path), NVR_OFFLINE="1")
    assert done.returncode == 2
    assert done.stderr.startswith("nvr: yolox-nano is not here and NVR_OFFLINE is set: fetch https://")
    assert done.stderr.count("\n") == 1


PULL = """
import sys
from pathlib import Path
from nvr.cli.main import app
from tests.assets.entries import catalogue_of, entry_for
app(["models", "pull", "tiny"], obj=catalogue_of(entry_for(sys.argv[1], Path(sys.argv[2]).read_bytes())))
"""


@pytest.mark.parametrize(
    ("signal_number", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_pull_that_is_ended_leaves_nothing_that_passes_for_the_model(
    cache: Path, tmp_path: Path, signal_number: signal.Signals, status: int
) -> None:
    data = onnx_bytes()
    (tmp_path / "data").write_bytes(data)
    with serve(data) as site:
        site.stalls_after = 131_072
        arguments = [sys.executable, "-c", PULL, site.url, str(tmp_path / "data")]
        root = Path(__file__).parents[2]
        with subprocess.Popen(arguments, cwd=root, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
            part = cache / ".partial" / "tiny.part"
            give_up_s = time.monotonic() + DEADLINE_S
            while not (part.is_file() and part.stat().st_size):
                assert time.monotonic() < give_up_s
                time.sleep(0.02)
            child.send_signal(signal_number)
            _, complaints = child.communicate(timeout=DEADLINE_S)
        assert child.returncode == status
        assert "Traceback" not in complaints
        assert not list(cache.rglob("*.onnx"))
        assert part.exists() == (signal_number == signal.SIGKILL)
        catalogue = catalogue_of(entry_for(site.url, data))
        assert run("path", "tiny", catalogue=catalogue).exit_code == 1
        site.stalls_after = None
        assert run("pull", "tiny", catalogue=catalogue).exit_code == 0
        assert run("check", "tiny", catalogue=catalogue).exit_code == 0
        assert not part.exists()


def test_a_pull_gives_the_handler_of_sigterm_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with serve(DATA) as site:
        assert run("pull", "tiny", catalogue=catalogue_of(entry_for(site.url, DATA))).exit_code == 0
    assert signal.getsignal(signal.SIGTERM) is before


def test_help_starts_without_http_and_tables() -> None:
    code = "import sys, nvr.cli.main; sys.exit(bool({'httpx', 'rich.table', 'platformdirs'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
