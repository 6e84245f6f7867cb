import os
import subprocess
import sys
from pathlib import Path

import pytest

from nvr.app.site.folders import StateLock, make_private, runtime_folder, state_folder
from nvr.core.errors import ConfigurationError


def test_systemd_says_where_things_are() -> None:
    assert state_folder({"STATE_DIRECTORY": "/var/lib/nvr:/var/lib/other"}) == Path("/var/lib/nvr")
    assert runtime_folder({"RUNTIME_DIRECTORY": "/run/nvr"}) == Path("/run/nvr")


def test_a_state_has_one_user_at_a_time(tmp_path: Path) -> None:
    lock = StateLock.acquire(tmp_path / "state")
    with pytest.raises(ConfigurationError, match=rf"runs already, as process {os.getpid()}, with the state folder"):
        StateLock.acquire(tmp_path / "state")
    lock.release()
    StateLock.acquire(tmp_path / "state").release()


def test_a_state_is_free_when_its_user_was_killed(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from nvr.app.site.folders import StateLock; "
        "lock = StateLock.acquire(Path(sys.argv[1])); print('held', flush=True); input()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(ConfigurationError, match=f"as process {process.pid}"):
            StateLock.acquire(tmp_path)
        process.kill()
        process.wait()
    StateLock.acquire(tmp_path).release()


def test_nobody_else_may_enter_a_private_folder(tmp_path: Path) -> None:
    assert make_private(tmp_path / "a").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_is_a_link_or_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(ConfigurationError, match="is a link"):
        make_private(tmp_path / "link")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot make the folder"):
        make_private(tmp_path / "file" / "below")
