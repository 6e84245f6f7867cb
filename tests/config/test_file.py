from pathlib import Path

import pytest

from nvr.config import FileConfig, load_config
from nvr.core.errors import ConfigurationError

EXAMPLE = Path(__file__).parents[2] / "config" / "nvr.example.yaml"


def test_the_example_loads_to_exactly_the_defaults() -> None:
    assert load_config(EXAMPLE) == FileConfig()


def test_the_example_shows_every_setting() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    for section in FileConfig.model_fields.values():
        for name, field in type(section.default).model_fields.items():
            assert f"  {name}: " in text, name
            assert f"  # {field.description}\n" in text, name


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "nvr.yaml"
    path.write_text("", encoding="utf-8")
    assert load_config(path) == FileConfig()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("processor:\n  max_fsp: 3\n", "processor.max_fsp: Extra inputs are not permitted, got 3"),
        ("processor:\n  max_fps: -1\n", "processor.max_fps: Input should be greater than 0, got -1"),
        ("processor:\n  confidence_threshold: .nan\n", "processor.confidence_threshold: .*got nan"),
        ("processor:\n  tenant: status\n", "reserved word"),
        ("processor:\n  instance_id: a/b\n", "instance 'a/b' is not a valid name"),
        ("processor:\n  mqtt_cert_file: a.pem\n  mqtt_tls: true\n", "go together"),
        ("wall:\n  mqtt_ca_file: a.pem\n", "mean nothing without mqtt_tls"),
        ("wall: 3\n", "wall: .*got 3"),
        ("- a\n", "Input should be a valid dictionary.*a list of 1"),
        ("processor:\n  mqtt_host: a..b\n", "mqtt_host: not a host name"),
        ("processor:\n  mqtt_host: a b\n", "mqtt_host: .*"),
        ("processor:\n  mqtt_password: x\n", "mqtt_password means nothing without mqtt_username"),
        ("processor:\n  first_source_id: 99999999999\n", "first_source_id: .*less than or equal"),
        ("processor:\n  stream_uris: ['rtsp://[::1/x']\n", "has the form scheme://"),
        ("processor:\n  stream_uris: ['rtsp:///x']\n", "must name a host"),
        ("processor:\n  instance_id: 2026-13-45\n", "is not YAML"),
        ("[" * 5000, "is not YAML"),
        ("a: [\n", "is not YAML"),
        ("a: !!python/object:os.system x\n", "is not YAML"),
    ],
)
def test_refuses_what_is_wrong_in_one_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "nvr.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=message) as caught:
        load_config(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        "processor:\n  mqtt_password: [hunter2]\n",
        "processor:\n  mqtt_password: hunter2\n  tenant: status\n",
        "processor:\n  stream_uris: ['rtsp://u:hunter2@h/1', '']\n",
        "processor:\n  stream_uris: 'rtsp://u:hunter2@h/1'\n",
        "processor:\n  stream_uris: ['rtsp://u:hunter2 x@h/1']\n",
        "processor:\n  stream_uris: ['rtsp://u:hunter2/x@h/1']\n",
    ],
)
def test_no_message_shows_a_password(tmp_path: Path, content: str) -> None:
    path = tmp_path / "nvr.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_config(path)
    assert "hunter2" not in str(caught.value)


def test_a_file_that_unfolds_to_gigabytes_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "nvr.yaml"
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    path.write_text("\n".join([*lines, "processor: *a11"]), encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_config(path)
    assert len(str(caught.value)) < 1000


def test_refuses_a_file_that_is_absent_huge_or_binary(tmp_path: Path) -> None:
    path = tmp_path / "nvr.yaml"
    with pytest.raises(ConfigurationError, match="cannot read"):
        load_config(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match=r"cannot read|not YAML"):
        load_config(path)
    path.write_bytes(b"#" * 1_000_001)
    with pytest.raises(ConfigurationError, match="at most"):
        load_config(path)
