"""Settings for people: what holds, and where it comes from, without a password."""

from pathlib import Path

import yaml

from nvr.config.file import ReadConfig, read_config
from nvr.config.overrides import from_environment
from nvr.config.show import show

TEXT = """\
broker: {username: !secret name, password: "${PW}", host: "${HOST:-h}"}
cameras:
- name: gate
  uri: rtsp://u:${PW}@h/1
  detect_uri: !secret uri
- {name: hall, uri: "rtsp://h/${CAM_TOKEN}/2", source_id: 0, zones: [{name: yard, polygon: [[0, 0], [1, 0], [1, 1]]}]}
"""


def read(folder: Path, **environment: str) -> ReadConfig:
    (folder / "nvr.yaml").write_text(TEXT, encoding="utf-8")
    (folder / "name").write_text("hidden-user", encoding="utf-8")
    (folder / "uri").write_text("rtsp://hidden.host/sub", encoding="utf-8")
    environment = {"PW": "hunter2", "CAM_TOKEN": "t0ken", **environment}
    return read_config(folder / "nvr.yaml", environment, overrides=from_environment(environment))


def test_each_setting_that_is_no_default_says_where_it_comes_from(tmp_path: Path) -> None:
    shown = show(read(tmp_path, NVR_STREAMS__MAX_FPS="7", NVR_BROKER__PORT="1884"), changed_only=True)
    assert shown.replace(str(tmp_path), "") == (
        "broker:\n"
        '  host: "h"  # /nvr.yaml:1:59\n'
        "  port: 1884  # NVR_BROKER__PORT\n"
        '  username: "***"  # /nvr.yaml:1:20\n'
        '  password: "***"  # /nvr.yaml:1:44\n'
        "streams:\n"
        "  max_fps: 7.0  # NVR_STREAMS__MAX_FPS\n"
        "cameras:\n"
        '  - name: "gate"  # /nvr.yaml:3:9\n'
        '    uri: "rtsp://***@h/1"  # /nvr.yaml:4:8\n'
        '    detect_uri: "***"  # /nvr.yaml:5:15\n'
        "    source_id: 1  # the next free number\n"
        '  - name: "hall"  # /nvr.yaml:6:10\n'
        '    uri: "rtsp://h/***/2"  # /nvr.yaml:6:21\n'
        "    source_id: 0  # /nvr.yaml:6:59\n"
        '    zones: [{"name": "yard", "polygon": [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]}]  # /nvr.yaml:6:69\n'
    )


def test_everything_is_yaml_and_shows_every_setting_but_no_secret(tmp_path: Path) -> None:
    shown = show(read(tmp_path, NVR_CONTROL__KEY="0123456789abcdef"))
    for secret in ("hunter2", "hidden", "t0ken", "0123456789abcdef"):
        assert secret not in shown
    settings = yaml.safe_load(shown)
    config = read(tmp_path).config
    assert settings["storage"].keys() == type(config.storage).model_fields.keys()
    assert settings["tenants"] == []
    assert settings["control"]["key"] == "***"


def test_without_a_file_all_comes_from_elsewhere() -> None:
    assert show(read_config(None), changed_only=True) == ""
