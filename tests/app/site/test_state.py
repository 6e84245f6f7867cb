from pathlib import Path

import pytest

from nvr.app.site.state import SiteState, read_state, write_atomically, write_state
from nvr.core.errors import ConfigurationError


def test_what_was_remembered_is_there_again(tmp_path: Path) -> None:
    assert read_state(tmp_path) == SiteState()
    state = SiteState(numbers={"door": 3, "rtsp://***@host/1": 0}, broker_port=1884)
    write_state(tmp_path, state)
    assert read_state(tmp_path) == state
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize("content", [b"", b"{", b'{"numbers": {"door": -1}}', b"\xff\xfe"])
def test_a_damaged_state_is_told_instead_of_numbering_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.json").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"state\.json is damaged"):
        read_state(tmp_path)


def test_files_are_read_by_their_owner_only_and_replace_links(tmp_path: Path) -> None:
    target, path = tmp_path / "target", tmp_path / "file"
    target.write_text("untouched")
    path.symlink_to(target)
    write_atomically(path, "secret")
    assert path.read_text() == "secret"
    assert path.stat().st_mode & 0o777 == 0o600
    assert target.read_text() == "untouched"


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot write"):
        write_state(tmp_path / "gone", SiteState())
