"""Options win over the environment, that over the file, and the file over the defaults."""

from pathlib import Path

import pytest

from nvr.cli import settings
from nvr.config.derive import processor_settings
from nvr.config.overrides import Override
from nvr.config.site import NvrConfig
from nvr.core.errors import ConfigurationError

FILE = """
broker: {host: from-file, port: 1, username: from-file}
storage: {mode: events}
tenants: [{name: acme}]
cameras: [{uri: rtsp://h/1}, {uri: rtsp://h/2, tenant: acme}]
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file, and an environment that names the broker's port and user."""
    monkeypatch.setenv("NVR_BROKER__PORT", "2")
    monkeypatch.setenv("NVR_BROKER__USERNAME", "from-environment")
    found = tmp_path / "nvr.yaml"
    found.write_text(FILE.replace("mode: events", f"root: {tmp_path}, mode: events"), encoding="utf-8")
    return found


def read(path: Path | None, *overrides: Override) -> NvrConfig:
    return settings.site_reader(path, overrides)()


def test_each_layer_wins_over_the_next(path: Path) -> None:
    flags = settings.from_flags({"broker.username": ("--mqtt-username", "from-flag"), "broker.tls": ("--tls", None)})
    broker = read(path, *flags).broker
    assert (broker.username, broker.port, broker.host, broker.qos) == ("from-flag", 2, "from-file", 0)


def test_without_a_file_environment_and_options_still_count(path: Path) -> None:
    assert read(None).broker.port == 2
    assert path.is_file()


def test_the_file_is_read_anew_at_each_call(path: Path) -> None:
    reader = settings.site_reader(path)
    assert reader().broker.host == "from-file"
    path.write_text("broker: {host: anew}\n", encoding="utf-8")
    assert reader().broker.host == "anew"
    path.write_text("broker: {host: [\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="is not YAML"):
        reader()


def test_uris_of_the_command_line_stand_in_for_the_cameras_of_the_file(path: Path) -> None:
    named = settings.from_uris(["rtsp://h/8", "rtsp://h/9"], None, None, first_source_id=5, tenant="beta")
    site = read(path, *named)
    told = processor_settings(site, tenant="beta").stream
    assert [(number, camera.uri) for number, camera in told.numbered_cameras] == [(5, "rtsp://h/8"), (6, "rtsp://h/9")]
    assert settings.from_uris(None, None, None, first_source_id=5, tenant="acme") == ()


def test_no_limit_of_frames_is_zero(path: Path) -> None:
    assert read(path, *settings.max_fps(0)).streams.max_fps is None
    assert read(path, *settings.max_fps(3)).streams.max_fps == 3
    assert read(path, *settings.max_fps(None)).streams.max_fps == 5


def test_a_folder_alone_records_what_the_file_says_else_everything(path: Path, tmp_path: Path) -> None:
    assert read(path, *settings.recording(tmp_path, None)).storage.mode == "events"
    assert read(None, *settings.recording(tmp_path, None)).storage.mode == settings.DEFAULT_MODE
    assert read(path, *settings.recording(tmp_path, "on_demand")).storage.mode == "on_demand"


def test_a_folder_may_be_named_for_cameras_that_are_recorded(tmp_path: Path) -> None:
    path = tmp_path / "nvr.yaml"
    path.write_text("cameras: [{uri: u, record: events}]\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"storage\.root names no folder"):
        read(path)
    assert read(path, *settings.recording(tmp_path, None)).storage.root == tmp_path


def test_an_option_that_is_wrong_is_named(path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"broker\.port: .*\(--mqtt-port\)"):
        read(path, *settings.from_flags({"broker.port": ("--mqtt-port", 99999)}))
