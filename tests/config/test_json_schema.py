"""The schema for editors takes what the reader takes, and explains each setting."""

from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest
import yaml

from nvr.config.json_schema import site_schema
from nvr.config.yaml_tree import compose, content_of

ROOT = Path(__file__).parents[2]


def validator() -> jsonschema.Draft202012Validator:
    schema = site_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_example_is_valid() -> None:
    text = (ROOT / "config" / "nvr.example.yaml").read_text(encoding="utf-8")
    tree = compose(text, "x", read_text=lambda text: (text, ()), read_secret=lambda text: (text, ()))
    validator().validate(content_of(tree, "x"))


@pytest.mark.parametrize(
    ("text", "is_valid"),
    [
        ("streams: {max_fps: 3}", True),
        ("streams: {max_fps: '${FPS:-3}'}", True),
        ("streams: {max_fps: null}", True),
        ("streams: {max_fps: fast}", False),
        ("streams: {max_fps: -1}", False),
        ("streams: {max_fsp: 3}", False),
        ("wall: {http_port: '${PORT}'}", True),
        ("broker: {tls: '${TLS}', port: '${P}'}", True),
        ("broker: {port: 70000}", False),
        ("cameras: [{uri: rtsp://h/1, record: continuous+events}]", True),
        ("cameras: [{name: a}]", False),
        ("cameras: [{uri: u, zones: [{name: a, polygon: [[0, 0], [1, 0], [1, 1]]}]}]", True),
        ("processors: {count: auto}", True),
        ("processors: {count: 3}", True),
        ("zzz: 1", False),
    ],
)
def test_tells_right_from_wrong(text: str, is_valid: bool) -> None:
    assert validator().is_valid(yaml.safe_load(text)) is is_valid


def test_every_setting_is_described() -> None:
    schema = site_schema()
    definitions = schema["$defs"]
    assert isinstance(definitions, dict)
    for section in (schema, *definitions.values()):
        assert isinstance(section, dict)
        assert section.get("description")
        properties = section.get("properties")
        assert isinstance(properties, dict)
        for name, setting in properties.items():
            assert isinstance(setting, dict)
            assert "$ref" in setting or setting.get("description"), name  # a section is described where it is defined
