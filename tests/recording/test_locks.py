import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nvr.core.errors import StorageError
from nvr.recording.locks import locked, try_locked
from tests.waiting import wait_until


def test_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "index.lock"
    with try_locked(path) as is_mine, try_locked(path) as is_theirs:
        assert (is_mine, is_theirs) == (True, False)
    with try_locked(path) as is_mine:
        assert is_mine


def test_the_lock_of_a_process_that_is_killed_is_free(tmp_path: Path) -> None:
    path = tmp_path / "index.lock"
    code = (
        "import sys, time; from pathlib import Path; from nvr.recording.locks import locked\n"
        "with locked(Path(sys.argv[1])): print('locked', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        with try_locked(path) as is_free:
            assert not is_free
        process.send_signal(signal.SIGKILL)
        process.wait()

    def is_free_now() -> bool:
        with try_locked(path) as is_free:
            return is_free

    wait_until(is_free_now, "the lock of a dead process is free")


def test_a_lock_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file"), locked(tmp_path / "gone" / "index.lock"):
        raise AssertionError("never reached")


def test_a_link_in_place_of_a_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "index.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError), locked(tmp_path / "index.lock"):
        raise AssertionError("never reached")
    assert not (tmp_path / "elsewhere").exists()
