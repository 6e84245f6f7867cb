"""The settings of a program that runs are read anew, and it is known from which files."""

from pathlib import Path

import pytest

from nvr.config.overrides import Override
from nvr.config.site import NvrConfig
from nvr.config.source import ConfigSource
from nvr.config.watch import FileWatch, stamp_of
from nvr.core.errors import ConfigurationError
from tests.waiting import wait_until


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration with a secret for the broker and one that a camera's address comes from."""
    (tmp_path / "broker.txt").write_text("hunter1\n", encoding="utf-8")
    (tmp_path / "gate.txt").write_text("rtsp://u:hunter2@h/1\n", encoding="utf-8")
    path = tmp_path / "nvr.yaml"
    path.write_text(
        "broker: {username: u, password: !secret broker.txt}\ncameras: [{uri: !secret gate.txt}]\n", encoding="utf-8"
    )
    return path


def password(config: NvrConfig) -> str:
    assert config.broker.password is not None
    return config.broker.password.get_secret_value()


def test_what_is_read_now_holds_over_environment_and_options(file: Path) -> None:
    fallback = Override(("streams", "max_fps"), 2, "--max-fps", is_fallback=True)
    wins = Override(("broker", "port"), 3, "--mqtt-port")
    source = ConfigSource(file, {"NVR_BROKER__PORT": "2", "NVR_STREAMS__MAX_FPS": "4"}, (wins, fallback))
    config = source()
    assert (config.broker.port, config.streams.max_fps, password(config)) == (3, 4, "hunter1")
    file.write_text("broker: {host: anew}\n", encoding="utf-8")
    assert source().broker.host == "anew"


def test_the_files_are_the_configuration_and_its_secrets_with_their_stamps(file: Path) -> None:
    source = ConfigSource(file, {})
    assert source.files() == {}
    source()
    paths = (file, file.with_name("broker.txt"), file.with_name("gate.txt"))
    assert source.files() == {path: stamp_of(path) for path in paths}
    file.write_text("broker: {username: u, password: !secret broker.txt}\n", encoding="utf-8")
    source()
    assert set(source.files()) == {file, file.with_name("broker.txt")}
    assert ConfigSource(None, {})() == NvrConfig()


@pytest.mark.parametrize("harm", ["broker: [", "broker: {password: !secret none.txt}", ""])
def test_a_failure_forgets_no_file_and_learns_those_that_are_missing(file: Path, harm: str) -> None:
    source = ConfigSource(file, {})
    source()
    before = set(source.files())
    file.write_text(harm, encoding="utf-8")
    if harm:
        with pytest.raises(ConfigurationError):
            source()
        added = {file.with_name("none.txt")} if "none" in harm else set()
        assert set(source.files()) == before | added
        assert source.files()[file] == stamp_of(file)
    file.unlink()
    with pytest.raises(ConfigurationError):
        source()
    assert set(source.files()) >= before


def test_a_secret_that_was_missing_or_is_rotated_leads_to_a_reload(file: Path) -> None:
    source, secret = ConfigSource(file, {}), file.with_name("broker.txt")
    secret.unlink()
    with pytest.raises(ConfigurationError, match=r"broker\.txt"):
        source()
    read: list[NvrConfig] = []
    watch = FileWatch(source.files, lambda: read.append(source()), poll_s=0.01)
    watch.start()
    try:
        for n in range(1, 4):
            other = file.with_name("next")
            other.write_text(f"rotated-{n}", encoding="utf-8")
            other.replace(secret)
            wait_until(lambda n=n: len(read) == n, "the reload")  # type: ignore[misc]  # n is bound
            assert password(read[-1]) == f"rotated-{n}"
    finally:
        assert watch.stop()
